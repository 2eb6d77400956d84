"""`assay predictions`: what an endpoint answered, counted, listed, or asked about in SQL."""

import contextlib
import re
import uuid
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from assay.errors import InvalidInput, NotFound, nearest
from assay.operate.labels.known import register_labels
from assay.operate.moments import moment_given
from assay.operate.predictions.columns import COLUMNS
from assay.operate.predictions.folder import log_folder, log_folders
from assay.operate.predictions.prediction import Gap
from assay.operate.predictions.rows import predictions_database, sql_text
from assay.operation import operation
from assay.record.clock import iso
from assay.record.faults import storage_faults
from assay.record.store import Store

if TYPE_CHECKING:
    import duckdb

__all__ = ["AnsweredCount", "PredictionAnswer", "checked_query", "explained", "query_predictions"]

_FORMATS = {".parquet": "format parquet, compression zstd", ".csv": "format csv, header", ".json": "format json"}
_LISTED = 100
_SHOWN = 200  # characters of a query in a message
_COUNTED = """
    select day::varchar, role, variant, model, version, count(*), count(*) filter (status = 'error'),
        count(*) filter (reason = 'forced'), count(*) filter (reason = 'fallback'), median(latency_us) / 1000,
        quantile_cont(latency_us, 0.99) / 1000
    from predictions group by all order by all
"""
_COUNTED_COLUMNS = ("day", "role", "variant", "model", "version", "status", "reason", "latency_us")
_TOTALS = "select count(*), count(*) filter (status = 'error') from predictions"
_NAMED = re.compile(r'(?:column |name |key )"?([\w.]+)')
_UNKNOWN_COLUMN = re.compile(r'Referenced column "(\w+)" not found')
_POINTED = re.compile(r"\n\s*LINE (\d+): (.*)\n( *)\^")


class AnsweredCount(msgspec.Struct, frozen=True):
    """The rows of one day, role, variant and version; latencies are of whole requests, in milliseconds."""

    day: str
    role: str
    variant: str
    model: str
    version: int
    rows: int
    errors: int
    forced: int
    fallback: int
    p50_ms: float
    p99_ms: float


class PredictionAnswer(msgspec.Struct, frozen=True):
    """What was asked: `counts`, or a table of `columns` and `found` rows; `out` is the file that has it instead.

    `dropped` predictions were answered and not logged, as `gaps` say; these are always of the whole log.
    """

    endpoint: str
    rows: int
    errors: int
    dropped: int
    gaps: list[Gap]
    counts: list[AnsweredCount]
    columns: list[str]
    found: list[list[Any]]
    out: str | None


@operation("predictions", local=True)
def query_predictions(
    store: Store,
    endpoint: str,
    *,
    where: Annotated[str | None, "A condition in SQL, as: variant = 'challenger' and latency_us > 1000"] = None,
    since: Annotated[str | None, "From this moment on: a time, or how long ago, as 7d"] = None,
    until: Annotated[str | None, "Before this moment"] = None,
    columns: Annotated[str | None, "List rows with these columns or expressions, such as id,features.distance"] = None,
    limit: Annotated[int, "How many rows are shown; a file gets all"] = _LISTED,
    sql: Annotated[str | None, "A whole query over the tables predictions, labels and gaps"] = None,
    out: Annotated[str | None, "Write the rows to this file: .parquet, .csv or .json (a line each)"] = None,
) -> PredictionAnswer:
    """Count, list or query what an endpoint answered, from its prediction log.

    Without `columns`, `sql` and `out` rows are counted by day, role, variant and version. The time of a row is its
    event time, and where it has none the wall clock. `features` is a struct: `features.distance` is an input.

    Raises NotFound for an endpoint without a log, InvalidInput with its position for SQL that cannot be run.
    """
    target = None if out is None else _target(out)
    if limit < 0:
        raise InvalidInput(f"limit is {limit}", expected="0 or more")
    if sql is not None and (where is not None or columns is not None):
        raise InvalidInput("a whole query has its own columns and conditions", expected="sql, or columns and where")
    if not log_folder(store, endpoint).is_dir():
        known = [folder.name for folder in log_folders(store)]
        close = nearest(endpoint, known)
        hint = f"did you mean {close!r}?" if close else f"there are {', '.join(known)}" if known else None
        hint = hint or f"nothing was asked yet; `assay serve {endpoint}` answers and logs"
        raise NotFound(f"endpoint {endpoint!r} has no prediction log", where=store.location, hint=hint)
    begin, end = moment_given(store, since, "since"), moment_given(store, until, "until")
    new = None if target is None else target.with_name(f".{uuid.uuid4().hex}{target.suffix}")
    read = _COUNTED_COLUMNS if where is sql is columns is out is None else COLUMNS
    with predictions_database(store, endpoint, since=begin, until=end, writes=new, columns=read) as connection:
        if sql is not None and re.search(r"\blabels\b", sql, re.IGNORECASE):
            register_labels(connection, store, endpoint)
        if where is not None:
            _restrict(connection, where)
        query = checked_query(connection, sql or f"select {columns or '*'} from predictions")  # noqa: S608 - the user's own
        ((rows, errors),) = connection.sql(_TOTALS).fetchall()
        gaps = [Gap(*row) for row in connection.sql("select dropped, since, until, reason from gaps").fetchall()]
        counts: list[AnsweredCount] = []
        names: list[str] = []
        found: list[list[Any]] = []
        with explained(query):
            if new is not None and target is not None:
                _written(connection, query, new, target)
            elif sql is None and columns is None:
                counts = [AnsweredCount(*row) for row in connection.sql(_COUNTED).fetchall()]
            else:
                relation = connection.sql(f"from ({query}\n) limit {limit}")
                names, found = relation.columns, [[_plain(one) for one in row] for row in relation.fetchall()]
    dropped = sum(gap.dropped for gap in gaps)
    return PredictionAnswer(
        endpoint, rows, errors, dropped, gaps, counts, names, found, None if target is None else str(target)
    )


def _target(out: str) -> Path:
    path = Path(out).absolute()
    if path.suffix not in _FORMATS:
        raise InvalidInput(f"{out} has an unknown ending", expected=", ".join(_FORMATS))
    if not path.parent.is_dir():
        raise InvalidInput(f"there is no folder {path.parent}", where=out)
    return path


def _restrict(connection: "duckdb.DuckDBPyConnection", where: str) -> None:
    with explained(where, lines_before=1):
        connection.execute("create view every_prediction as from predictions")
        checked_query(connection, f"from every_prediction where (\n{where}\n)")
        connection.sql(f"select count(*) from every_prediction where (\n{where}\n)")  # noqa: S608 - the user's own
    connection.execute("drop view every_prediction")
    connection.execute("alter view predictions rename to every_prediction")
    connection.execute(f"create view predictions as from every_prediction where (\n{where}\n)")


def checked_query(connection: "duckdb.DuckDBPyConnection", sql: str) -> str:
    """The query without a semicolon at its end; InvalidInput unless it is one that only reads."""
    import duckdb

    with explained(sql):
        statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise InvalidInput(
            "the log is only read", where=sql, expected="one query that begins with SELECT, FROM or WITH"
        )
    return sql.rstrip().rstrip(";")


def _written(connection: "duckdb.DuckDBPyConnection", query: str, new: Path, target: Path) -> None:
    with storage_faults(str(target)):
        try:
            connection.execute(f"copy ({query}\n) to {sql_text(str(new))} ({_FORMATS[target.suffix]})")
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)


@contextlib.contextmanager
def explained(text: str, *, lines_before: int = 0) -> Iterator[None]:
    """What DuckDB says about a text, with the place in it."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        said = str(error)
        where = _place(said, text, lines_before)
        lines = [line for line in said.split("\n\n", maxsplit=1)[0].splitlines() if line.strip()]
        hint = next((line.strip() for line in lines[1:]), None)
        unknown = _UNKNOWN_COLUMN.search(lines[0])
        if unknown:
            hint = f"if {unknown[1]} is an input: features.{unknown[1]}" + (f"; {hint}" if hint else "")
        raise InvalidInput(f"the query cannot be run: {lines[0]}", where=where, hint=hint) from error


def _place(said: str, text: str, lines_before: int) -> str | None:
    """Where DuckDB points to, or else where the name stands that it does not know."""
    pointed = _POINTED.search(said)
    if pointed is not None:
        line, column = int(pointed[1]) - lines_before, len(pointed[3]) - len(f"LINE {pointed[1]}: ")
        near = pointed[2][column:].split()
        at = "" if pointed[2].startswith("...") else f", column {column + 1}"
        return f"line {line}{at}" + (f", at {near[0]!r}" if near else ", at the end")
    for name in _NAMED.findall(said):
        found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE)
        if found is not None:
            before = text[: found.start()].split("\n")
            return f"line {len(before)}, column {len(before[-1]) + 1}, at {found[0]!r}"
    return text if len(text) <= _SHOWN else None


def _plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
