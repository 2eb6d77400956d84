"""A table into the store from the command line."""

from typing import Annotated, Any

from assay.build.data.sources import Source, source
from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.datasets import DatasetVersion
from assay.record.store import Store

__all__ = ["add_dataset"]


def _check(name: str, **how: Any) -> None:
    if not name.strip() or "@" in name:
        raise InvalidInput(f"{name!r} is no name for a dataset", expected="a word without @, which a hash comes after")
    _source(**{option: value for option, value in how.items() if option != "licence"})


@operation("data add", creates_store=True, check=_check, local=True)
def add_dataset(
    store: Store,
    name: str,
    where: str,
    *,
    query: Annotated[str | None, "A select, or the name of a table, of a database"] = None,
    format: Annotated[str | None, "csv, tsv, json, parquet or arrow, where the ending does not say it"] = None,
    types: Annotated[str | None, "Types of CSV columns, as zip=text,day=%d.%m.%Y"] = None,
    encoding: Annotated[str, "Of CSV"] = "utf-8",
    delimiter: Annotated[str | None, "Of CSV, where it is not found out"] = None,
    decimal: Annotated[str, "Of CSV: a comma where numbers are written 1,5"] = ".",
    licence: Annotated[str | None, "What the data may be used for"] = None,
) -> DatasetVersion:
    """Keep a table as a version of a dataset; the same content is the same version.

    WHERE is a path, a pattern in quotation marks, a folder, s3://, http://, or the address of a database. Of files that
    did not change since the last time none is read again.

    Raises InvalidInput as `assay.source`.
    """
    how = {"encoding": encoding, "delimiter": delimiter, "decimal": decimal}
    found = _source(where, query=query, format=format, types=types, **how)
    return found.snapshot(store, name, licence=licence)


def _source(where: str, *, types: str | None, **how: Any) -> Source:
    kinds = {}
    for part in (types or "").split(","):
        name, equals, kind = (piece.strip() for piece in part.partition("="))
        if part.strip() and not (name and equals and kind):
            raise InvalidInput(f"--types says {part.strip()!r}", expected="such as zip=text,day=%d.%m.%Y")
        if part.strip():
            kinds[name] = kind
    return source(where, types=kinds, **how)
