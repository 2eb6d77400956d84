"""SQL expressions over the rows of a table, by DuckDB, in a database of their own without files or network."""

import json
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from assay.errors import InvalidInput

if TYPE_CHECKING:
    import duckdb

__all__ = ["check_row_wise", "computed", "names_read", "own_database"]

_TABLE = "the_rows"
_ACROSS = {"WINDOW": "looks at other rows", "SUBQUERY": "reads a table"}
_CLOCK = {  # what they give depends on when the query runs
    *("now", "today", "get_current_time", "get_current_timestamp", "transaction_timestamp"),
    *("current_date", "current_time", "current_timestamp", "current_localtime", "current_localtimestamp"),
}
_here = threading.local()  # a connection costs 10 ms, a query 1


def computed(expressions: Mapping[str, str], table: pa.Table, what: str = "feature") -> pa.Table:
    """A column for each expression, in DuckDB's dialect, over the columns of the table and the expressions before it.

    `what` they are is said in messages.
    Times with a zone are read in UTC, whatever the machine says. InvalidInput, with what DuckDB says, for expressions
    that cannot be computed or do not give one value for each row.
    """
    named = f"the {what} {', '.join(map(repr, expressions))}"
    connection = _connection()
    rows = pa.table({name: _in_utc(table.column(name)) for name in table.column_names})
    listed = ", ".join(f"({text}) as {_quoted(name)}" for name, text in expressions.items())
    import duckdb

    connection.register(_TABLE, rows.append_column("the place of the row", pa.array(range(rows.num_rows), pa.int64())))
    try:
        # The place stands beside them, so that an aggregate is refused and not repeated.
        found = connection.sql(f'select {listed}, "the place of the row" from {_TABLE}').to_arrow_table()  # noqa: S608 - nothing else is in there
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise InvalidInput(f"{named} cannot be computed: {said}", expected="an expression of the columns") from error
    finally:
        connection.unregister(_TABLE)
    if found.num_rows != table.num_rows:
        raise InvalidInput(
            f"{named} gives {found.num_rows:,} values for {table.num_rows:,} rows", expected="one for each row"
        )
    return found.drop_columns(["the place of the row"])


def check_row_wise(expression: str, name: str) -> None:
    """InvalidInput where an expression is no SQL, looks at other rows, at the clock, or draws numbers.

    What is left gives the same for a row alone, as when serving, and among others, as in training.
    """
    # All of it is fetched: a connection with half a result takes no other query.
    ((parsed,),) = _connection().execute("select json_serialize_sql(?)", [f"select ({expression}) as value"]).fetchall()
    tree = json.loads(parsed)
    if tree["error"]:
        raise InvalidInput(f"the feature {name!r} is no SQL expression: {tree['error_message']}", where=expression)
    node = tree["statements"][0]["node"]
    whole = len(tree["statements"]) == 1 and node.get("from_table", {}).get("type") == "EMPTY"
    if not whole or len(node["select_list"]) != 1:
        raise InvalidInput(f"the feature {name!r} is more than an expression", where=expression)
    changing = _changing()
    for node in _nodes(tree):
        kind, called = str(node.get("class", "")), str(node.get("function_name", "")).lower()
        reason = _ACROSS.get(kind) or (
            f"calls {called}(), which gives something else each time" if called in changing else ""
        )
        if kind == "COLUMN_REF" and node["column_names"][0].lower() in _CLOCK:
            reason = "reads the clock"
        if reason:
            raise InvalidInput(
                f"the feature {name!r} {reason}, so serving would give something else than training",
                where=expression,
                expected="an expression of the row alone",
            )


def names_read(expression: str) -> set[str] | None:
    """Names, in lower case, of all columns that an expression may read; None where it reads all, as by `*`."""
    ((parsed,),) = _connection().execute("select json_serialize_sql(?)", [f"select ({expression}) as value"]).fetchall()
    nodes = list(_nodes(json.loads(parsed)))
    if any(node.get("class") == "STAR" for node in nodes):
        return None
    return {name.lower() for node in nodes if node.get("class") == "COLUMN_REF" for name in node["column_names"]}


def own_database() -> "duckdb.DuckDBPyConnection":
    """A new database that reads no files. In one thread: rows and sums then come in the same order every time."""
    import duckdb

    return duckdb.connect(config={"enable_external_access": "false", "threads": "1"})


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def _connection() -> "duckdb.DuckDBPyConnection":
    found: duckdb.DuckDBPyConnection | None = getattr(_here, "connection", None)
    if found is None:
        found = _here.connection = own_database()
    return found


def _changing() -> set[str]:
    """Functions that give something else at another time."""
    known: set[str] | None = getattr(_here, "changing", None)
    if known is None:
        query = "select distinct function_name from duckdb_functions() where stability = 'VOLATILE'"
        known = {name for (name,) in _connection().execute(query).fetchall()} | _CLOCK
        _here.changing = known
    return known


def _in_utc(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return column.cast(pa.timestamp(column.type.unit))
    return column


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
