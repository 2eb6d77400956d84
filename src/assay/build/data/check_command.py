"""Checking a dataset or a file from the command line."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pyarrow as pa

from assay.build.data.checks import CheckResult, check_table, latest_table
from assay.build.data.expectation_files import load_expectations, save_expectations
from assay.build.data.expectations import Expectations
from assay.build.data.inference import default_expectations, infer_expectations
from assay.build.data.source_files import format_of
from assay.build.data.sources import source
from assay.build.data.words import names_in
from assay.errors import InvalidInput, NotFound, nearest
from assay.operation import operation
from assay.record import tables
from assay.record.store import Store

__all__ = ["DataCheck", "check_data"]


class DataCheck(msgspec.Struct, frozen=True):
    """What was checked and found. `verdict` is fail where a `stop` expectation broke.

    `expectations` is their hash, `about` where they came from, `written` the file they were written to.
    """

    subject: str
    dataset_hash: str
    rows: int
    verdict: Literal["pass", "fail"]
    results: list[CheckResult]
    expectations: str
    about: str
    written: str | None = None


def _look(
    *,
    name_or_file: str,
    expectations: str | None,
    reference: str | None,
    label: str | None,
    time: str | None,
    **_: object,
) -> None:
    """Refuse before a store is made what can be refused without one."""
    if expectations is not None:
        if reference is not None or label is not None or time is not None:
            raise InvalidInput(
                "--expectations says what is checked already", expected="no --reference, --label or --time beside it"
            )
        load_expectations(expectations)
    for given in (name_or_file, reference):
        if given is not None and _is_file(given):
            source(given).schema()


@operation("data check", creates_store=True, check=_look, local=True)
def check_data(
    store: Store,
    name_or_file: str,
    *,
    expectations: Annotated[str | None, "The TOML file of expectations"] = None,
    reference: Annotated[str | None, "A dataset or file that is as it should be: expectations come from it"] = None,
    label: Annotated[str | None, "The column to be learned: it must be there, vary, and keep its rate"] = None,
    time: Annotated[str | None, "The column of the rows' time"] = None,
    key: Annotated[str | None, "Columns, with commas, in which no two rows agree"] = None,
    infer: Annotated[str | None, "Write expectations inferred from this table to a TOML file, to be edited"] = None,
) -> DataCheck:
    """Check a dataset or a file against expectations, and keep the results.

    A file, or whatever else `assay.source` reads, is taken as `data add` takes it. Without --expectations and
    --reference the checks are those that any table has to pass. Ends with 1 where an expectation of severity `stop` is
    broken.

    Raises InvalidInput for what cannot be read, NotFound for a dataset that the store does not have.
    """
    content, table = _table(store, name_or_file)
    _columns_are_there(table, name_or_file, label=label, time=time)
    keys = names_in(key) if key else None
    if expectations is not None:
        wanted = load_expectations(expectations)
        about = f"{expectations}, {len(wanted)} expectations"
    elif reference is not None:
        wanted = infer_expectations(_table(store, reference)[1], label=label, time=time, key=keys)
        about = f"{reference}, {len(wanted)} expectations {wanted.about}"
    else:
        wanted = default_expectations(table, label=label, time=time, key=keys)
        about = f"{len(wanted)} expectations: {wanted.about}"
    written = None
    if infer is not None:
        inferred = infer_expectations(table, label=label, time=time, key=keys)
        inferred = Expectations(inferred.items, f"{inferred.about} of {Path(name_or_file).name}; edit freely")
        try:
            written = str(save_expectations(inferred, infer))
        except OSError as error:
            raise InvalidInput(f"the expectations cannot be written: {error.strerror}", where=infer) from error
    results = check_table(store, content, table, wanted)
    return DataCheck(
        subject=name_or_file,
        dataset_hash=content,
        rows=table.num_rows,
        verdict="fail" if any(result.result == "fail" for result in results) else "pass",
        results=results,
        expectations=wanted.hash,
        about=about,
        written=written,
    )


def _table(store: Store, name: str) -> tuple[str, pa.Table]:
    """The content hash and the rows of a file, or of the newest version of a dataset."""
    if _is_file(name):
        table = source(name).read()
        return tables.content_hash(table), table
    try:
        return latest_table(store, name)
    except NotFound as error:
        raise NotFound(f"there is no file and no dataset {name!r}", where=error.where, expected=error.expected,
                       hint=error.hint) from error  # fmt: skip


def _is_file(name: str) -> bool:
    """Whether a name can only be a place to read from: an address, a file that is there, or one that should be."""
    return "://" in name or Path(name).exists() or format_of(name) is not None


def _columns_are_there(table: pa.Table, subject: str, *, label: str | None, time: str | None) -> None:
    for option, name in (("--label", label), ("--time", time)):
        if name is not None and name not in table.column_names:
            close = nearest(name, table.column_names)
            raise InvalidInput(
                f"{subject} has no column {name!r}",
                where=option,
                expected=", ".join(table.column_names),
                hint=f"did you mean {close!r}?" if close else None,
            )
