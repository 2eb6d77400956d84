"""Training sets from the command line."""

from pathlib import Path
from typing import Annotated

import msgspec
import pyarrow.parquet as pq

from assay.build.data.source_files import format_of
from assay.build.data.sources import rows_named
from assay.build.data.words import names_in
from assay.build.views.joining.join_report import JoinReport
from assay.build.views.joining.reading import Engine
from assay.build.views.joining.references import FeatureUse
from assay.build.views.joining.training_set import training_set
from assay.build.views.matching.matching import Mode
from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.faults import storage_faults
from assay.record.store import Store

__all__ = ["JoinedRows", "join_features"]


class JoinedRows(msgspec.Struct, frozen=True):
    """Where the rows are: a file, or a dataset with its hash. `used` says which feature is which column."""

    out: str
    hash: str | None
    used: list[FeatureUse]
    report: JoinReport


@operation("features join", local=True)
def join_features(
    store: Store,
    labels: str,
    out: str,
    *,
    features: Annotated[str | None, "With commas: VIEW:FEATURE, VIEW@VERSION:FEATURE, or VIEW:* for all"] = None,
    as_of: Annotated[str, "event, or known: with what was known then only"] = "event",
    time: Annotated[str | None, "The column of times of the labels, where there are several"] = None,
    prefix: Annotated[bool, "Call the columns VIEW__FEATURE"] = False,
    status: Annotated[bool, "Also say of each row whether there was a value, and of when"] = False,
    engine: Annotated[str, "What reads the histories: arrow, duckdb or polars"] = "arrow",
) -> JoinedRows:
    """Put features behind rows, each as it was at the time of the row, and keep the result.

    LABELS is a file or what else `assay.source` reads, or a dataset. OUT is a Parquet file, or the name of a dataset,
    which then says with its hash how it was made.

    Raises NotFound and InvalidInput as `assay.features.training_set`.
    """
    asked = names_in(features)
    if not asked:
        raise InvalidInput("--features is not given", hint=f"assay features join {labels} {out} --features 'flights:*'")
    kind = format_of(out)
    if kind not in (None, "parquet") or (kind is None and ("/" in out or "@" in out)):
        raise InvalidInput(f"nothing is written to {out}", expected="a file that ends in .parquet, or a dataset's name")
    rows = rows_named(labels, store)
    found = training_set(
        rows,
        asked,
        as_of=_mode(as_of),
        time=time,
        store=store,
        engine=_engine(engine),
        prefix=prefix,
        status=status,
        name=None if kind else out,
    )
    assert found.report is not None
    if kind:
        with storage_faults(out):
            pq.write_table(found.table, Path(out), compression="zstd")
    return JoinedRows(out, found.dataset.hash if found.dataset else None, found.used, found.report)


def _mode(text: str) -> Mode:
    return text  # type: ignore[return-value]  # training_set says what it may be


def _engine(text: str) -> Engine:
    return text  # type: ignore[return-value]
