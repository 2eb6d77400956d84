"""All rows of an endpoint's log, from its parts and from the segments that are not compacted yet, each of them once.

DuckDB reads the parts as they lie there. Rows of segments are put into Parquet files beside them for as long as the
question lasts, so memory stays small however much has not been compacted, and a question may go through them twice.
"""

import contextlib
import tempfile
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import InvalidInput, nearest
from assay.operate.predictions.columns import COLUMNS, FEATURES, Signatures, empty_table, prediction_table
from assay.operate.predictions.folder import log_folder, segments
from assay.operate.predictions.parts import all_parts, compacted_in, part_path, reading
from assay.operate.predictions.prediction import Gap
from assay.operate.predictions.reading import segment_pieces
from assay.record.clock import iso
from assay.record.store import Store

if TYPE_CHECKING:
    import duckdb

__all__ = ["predictions_database", "rows", "sql_text"]

_BATCH = 65_536
_HOW = "union_by_name = true, hive_partitioning = false"


def rows(
    store: Store,
    endpoint: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    columns: Sequence[str] | None = None,
) -> pa.RecordBatchReader:
    """The rows whose moment lies in [since, until), as a stream; parts first, in no further order.

    `columns` are names of `columns.SCHEMA` or `features`, by default all; `features` is left out where no model has
    any. Until the stream is read to its end, or closed, nothing of the log is deleted. InvalidInput for an unknown
    column.
    """
    wanted = list(columns or COLUMNS)
    for name in wanted:
        if name not in COLUMNS:
            close = nearest(name, list(COLUMNS))
            raise InvalidInput(
                f"the log has no column {name!r}",
                expected=", ".join(COLUMNS),
                hint=f"did you mean {close!r}?" if close else None,
            )
    stack = contextlib.ExitStack()
    try:
        connection = stack.enter_context(
            predictions_database(store, endpoint, since=since, until=until, columns=wanted)
        )
        there = connection.sql("select * from predictions limit 0").columns
        listed = ", ".join(name for name in wanted if name in there)
        reader = connection.sql(f"select {listed} from predictions").to_arrow_reader(_BATCH)  # noqa: S608 - names of columns
    except BaseException:
        stack.close()
        raise

    def batches() -> Iterator[pa.RecordBatch]:
        with stack:
            yield from reader

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


@contextlib.contextmanager
def predictions_database(
    store: Store,
    endpoint: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    writes: Path | None = None,
    threads: int = 1,
    columns: Collection[str] = COLUMNS,
) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A DuckDB whose view `predictions` has the rows whose moment lies in [since, until), as they are now.

    Whoever names the columns that are asked for, of those that there are, waits less for rows that are not compacted.
    Its table `gaps` has what was answered and not logged at any time: dropped, since, until, reason. It reads no other
    files and no network, and writes at most one; times are in UTC. With one thread rows and sums come in the same
    order every time. Nothing of the log is deleted inside the block.
    """
    folder = log_folder(store, endpoint)
    with reading(folder), tempfile.TemporaryDirectory(prefix="assay-log-") as place:
        there = segments(folder)  # before the parts: what is compacted in between is in one of them
        parts = all_parts(store, endpoint)
        compacted = compacted_in(parts)
        live = [part for part in parts if part.deleted is None and _overlaps(part.first_ts, part.last_ts, since, until)]
        files = [part_path(store, part) for part in live]
        loose = [path for path in there if path.name not in compacted]
        gaps = [gap for part in parts for gap in part.gaps]
        files += _spilled(loose, Path(place), Signatures(store), gaps, {*columns, "moment"})
        with _database([folder, Path(place)], writes, threads) as connection:
            _view(connection, files, since, until, columns)
            connection.execute("create table gaps (dropped bigint, since varchar, until varchar, reason varchar)")
            for gap in gaps:
                connection.execute("insert into gaps values (?, ?, ?, ?)", msgspec.structs.astuple(gap))
            yield connection


def _overlaps(first: str, last: str, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or last >= iso(since)) and (until is None or first < iso(until))


def _spilled(
    paths: Sequence[Path], folder: Path, signatures: Signatures, gaps: list[Gap], columns: Collection[str]
) -> list[Path]:
    """Files with the rows of segments; a new one wherever the columns change. `gaps` gets theirs."""
    files: list[Path] = []
    writer: pq.ParquetWriter | None = None
    try:
        for path in paths:
            for piece in segment_pieces(path):
                gaps += piece.gaps
                table = prediction_table(piece.predictions, signatures, columns)
                if writer is None or writer.schema != table.schema:
                    if writer is not None:
                        writer.close()
                    files.append(folder / f"{len(files)}.parquet")
                    writer = pq.ParquetWriter(files[-1], table.schema, compression="lz4")
                writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
    return files


@contextlib.contextmanager
def _database(folders: Sequence[Path], writes: Path | None, threads: int) -> Iterator["duckdb.DuckDBPyConnection"]:
    import duckdb

    with duckdb.connect(config={"threads": threads, "autoinstall_known_extensions": False}) as connection:
        listed = ", ".join(sql_text(f"{folder}/") for folder in folders)
        connection.execute(f"set allowed_directories = [{listed}]")
        if writes is not None:
            connection.execute(f"set allowed_paths = [{sql_text(str(writes))}]")
        connection.execute("set enable_external_access = false; set timezone = 'UTC'")
        yield connection


def _view(
    connection: "duckdb.DuckDBPyConnection",
    files: Sequence[Path],
    since: datetime | None,
    until: datetime | None,
    columns: Collection[str],
) -> None:
    connection.register("no_predictions", empty_table())
    everything = "select * from no_predictions"
    if files:
        listed = ", ".join(sql_text(str(path)) for path in files)
        everything += f" union all by name select * from read_parquet([{listed}], {_HOW})"  # noqa: S608 - quoted
    there = set(connection.sql(everything).columns)
    conditions = [f"moment >= {_time(since)}"] if since is not None else []
    conditions += [f"moment < {_time(until)}"] if until is not None else []
    condition = f" where {' and '.join(conditions)}" if conditions else ""
    listed = ", ".join(name for name in COLUMNS if name in columns and (name != FEATURES or name in there))
    connection.execute(f"create view predictions as select {listed} from ({everything}){condition}")  # noqa: S608 - quoted


def _time(moment: datetime) -> str:
    return f"timestamptz {sql_text(iso(moment))}"


def sql_text(value: str) -> str:
    """The value as a text in SQL."""
    return "'" + value.replace("'", "''") + "'"
