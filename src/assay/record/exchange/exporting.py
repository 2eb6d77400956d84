"""Runs as a table in a file, for whoever wants to go on with another tool."""

from pathlib import Path
from typing import Annotated

import msgspec
import pyarrow as pa

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.clock import moment
from assay.record.csv_text import cell
from assay.record.files import write_whole
from assay.record.search.finding import search_runs
from assay.record.search.run_listing import parse_query
from assay.record.search.run_rows import RunRow, load_runs
from assay.record.store import Store

__all__ = ["Exported", "export_runs", "runs_table"]

_FORMATS = (".csv", ".json", ".jsonl", ".parquet")
_PAGE = 1_000
_INFO = ("name", "kind", "status", "trigger_type", "started", "ended", "code_sha", "user_id", "actor", "parent_run_id")


class Exported(msgspec.Struct, frozen=True):
    """A file of runs that was written."""

    path: str
    runs: int
    columns: int
    size_bytes: int


@operation("export", local=True)
def export_runs(
    store: Store,
    path: str,
    query: str | None = None,
    *,
    overwrite: Annotated[bool, "Replace a file that is there"] = False,
) -> Exported:
    """Write runs as a table: Parquet, CSV or JSON lines, by the ending of the file.

    One row a run: id, experiment, status, times, then params.x, metrics.x (the latest values) and tags.x. A query is
    as in `assay runs`; without one all runs that are not deleted are written, newest first.
    """
    target = Path(path)
    if target.suffix not in _FORMATS:
        raise InvalidInput(f"runs cannot be written to {path}", expected=f"a file that ends with {', '.join(_FORMATS)}")
    if target.exists() and not overwrite:
        raise InvalidInput(f"{path} is there already", hint="another name, or --overwrite")
    if not target.absolute().parent.is_dir():
        raise InvalidInput(f"there is no folder {target.parent}", expected="a folder that is there")
    table = runs_table(store, query)
    content = _written(table, target.suffix)
    write_whole(target.absolute(), content, mode=0o644)
    return Exported(str(target), table.num_rows, table.num_columns, len(content))


def runs_table(store: Store, query: str | None = None) -> pa.Table:
    """The same as an Arrow table: numbers are float64, params and tags text, times UTC; null where a run has none."""
    asked = parse_query(query or "")
    rows: list[RunRow] = []
    token: str | None = None
    while True:
        most = _PAGE if asked.limit is None else min(_PAGE, asked.limit - len(rows))
        page = search_runs(store, asked.filter, order_by=asked.order_by, limit=most, token=token)
        rows += load_runs(store, page.ids, parts=("params", "tags", "metrics"))
        token = page.next_token
        if token is None or len(rows) == asked.limit:
            return _table(rows)


def _table(rows: list[RunRow]) -> pa.Table:
    columns: dict[str, pa.Array] = {
        "run_id": pa.array([row.run_id for row in rows], pa.string()),
        "experiment": pa.array([row.experiment for row in rows], pa.string()),
    }
    for name in _INFO:
        values = [row.info[name] for row in rows]
        if name in ("started", "ended"):
            times = [None if value is None else moment(value) for value in values]
            columns[name] = pa.array(times, pa.timestamp("us", tz="UTC"))
        else:
            columns[name] = pa.array(values, pa.string())
    for key in sorted({key for row in rows for key in row.metrics}):
        numbers = [row.metrics[key].value if key in row.metrics else None for row in rows]
        columns[f"metrics.{key}"] = pa.array(numbers, pa.float64())
    for kind in ("params", "tags"):
        for key in sorted({key for row in rows for key in getattr(row, kind)}):
            columns[f"{kind}.{key}"] = pa.array([getattr(row, kind).get(key) for row in rows], pa.string())
    return pa.table(columns)


def _harmless(table: pa.Table) -> pa.Table:
    """The table with no text, and no name of a column, that a spreadsheet takes for a formula."""
    columns = [
        pa.array([None if one is None else cell(one) for one in column.to_pylist()], pa.string())
        if pa.types.is_string(column.type)
        else column
        for column in table.columns
    ]
    return pa.table(columns, names=[cell(name) for name in table.column_names])


def _written(table: pa.Table, suffix: str) -> bytes:
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        return bytes(sink.getvalue())
    if suffix == ".csv":
        from pyarrow import csv

        sink = pa.BufferOutputStream()
        csv.write_csv(_harmless(table), sink)
        return bytes(sink.getvalue())
    rows = [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]
    lines = [msgspec.json.encode(row) for row in rows]
    return b"\n".join(lines) + b"\n" if suffix == ".jsonl" else b"[" + b",\n".join(lines) + b"]\n"
