"""Tables of databases: through SQLAlchemy, through drivers that speak Arrow (ADBC), or of a DuckDB file."""

import importlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from assay.errors import InvalidInput, MissingExtra, nearest

__all__ = ["is_duckdb_file", "read_connection", "read_database", "read_duckdb", "shown_database"]

_MAGIC = b"DUCK"
_LISTED = 12


def is_duckdb_file(path: Path) -> bool:
    """Whether the file says of itself that it is a database of DuckDB."""
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] == _MAGIC
    except OSError:
        return False


def shown_database(address: str) -> str:
    """The address without its password."""
    driver, _, rest = address.partition("://")
    try:
        return sa.make_url(f"{driver.removeprefix('adbc+')}://{rest}").render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        raise InvalidInput(f"{driver}:// is not the address of a database") from None


def read_database(address: str, query: str | None) -> pa.Table:
    """What a query gives, or a table whose name it is.

    The address is one of SQLAlchemy's, such as `postgresql://user@host/name`, or begins with `adbc+`, as in
    `adbc+sqlite:///orders.db`. InvalidInput for what the database refuses, MissingExtra where a driver is missing.
    """
    if address.startswith("adbc+"):
        return _through_adbc(address, query)
    shown = shown_database(address)
    url = sa.make_url(address)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_file():
        raise InvalidInput(f"there is no file {url.database}", where=shown)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    try:
        engine = sa.create_engine(url)
    except ModuleNotFoundError as error:
        if url.get_backend_name() == "postgresql":
            raise MissingExtra("postgres", str(error.name)) from None
        raise InvalidInput(f"the driver {error.name} is not installed", hint=f"pip install {error.name}") from None
    except sa.exc.NoSuchModuleError:
        raise InvalidInput(f"there is no driver for {url.drivername}://", where=shown) from None
    try:
        with engine.connect() as connection:
            if query is None or " " not in query.strip():
                query = _whole(
                    query, sa.inspect(connection).get_table_names(), shown, engine.dialect.identifier_preparer.quote
                )
            found = connection.execute(sa.text(query).execution_options(stream_results=True))
            return _table(list(found.keys()), found.fetchall(), shown)
    except sa.exc.SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise InvalidInput(f"the database refuses: {said}", where=shown) from None
    finally:
        engine.dispose()


def read_duckdb(path: Path, query: str | None) -> pa.Table:
    """What a query on a DuckDB file gives; the file is not changed."""
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            if query is None or " " not in query.strip():
                names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
                query = _whole(query, names, str(path), lambda name: '"' + name.replace('"', '""') + '"')
            return _of_duckdb(connection, query, str(path))
    except duckdb.Error as error:
        raise InvalidInput(f"the database refuses: {str(error).splitlines()[0]}", where=str(path)) from None


def read_connection(connection: Any, query: str | None) -> pa.Table:
    """What a query gives on an open connection of DuckDB, ADBC or any driver of Python's; it stays open."""
    shown = f"connection of {type(connection).__module__.partition('.')[0]}"
    if not query:
        raise InvalidInput("query is not given", where=shown, expected="source(connection, query='select ...')")
    try:
        if hasattr(connection, "sql"):
            return _of_duckdb(connection, query, shown)
        with closing(connection.cursor()) as cursor:
            cursor.execute(query)
            if hasattr(cursor, "fetch_arrow_table"):  # a driver that speaks Arrow
                return cursor.fetch_arrow_table()
            names = [column[0] for column in cursor.description or ()]
            rows = cursor.fetchall() if names else []
    except InvalidInput:
        raise
    except Exception as error:  # each driver has errors of its own
        raise InvalidInput(f"the database refuses: {str(error).splitlines()[0]}", where=shown) from error
    if not names:
        raise _gives_no_rows(shown)
    return _table(names, rows, shown)


def _of_duckdb(connection: Any, query: str, shown: str) -> pa.Table:
    found = connection.sql(query)
    if found is None:
        raise _gives_no_rows(shown)
    return found.to_arrow_table()


def _gives_no_rows(shown: str) -> InvalidInput:
    return InvalidInput("the query gives no rows", where=shown, expected="a select")


def _through_adbc(address: str, query: str | None) -> pa.Table:
    driver, _, rest = address.removeprefix("adbc+").partition("://")
    name = f"adbc_driver_{driver}"
    try:
        module = importlib.import_module(f"{name}.dbapi")
    except ModuleNotFoundError:
        package = name.replace("_", "-")
        raise InvalidInput(f"{package} is not installed, and this needs it", hint=f"pip install {package}") from None
    place = rest.removeprefix("/") if driver == "sqlite" else f"{driver}://{rest}"
    with closing(module.connect(place)) as connection:
        return read_connection(connection, query)


def _whole(name: str | None, names: Sequence[str], shown: str, quote: Callable[[str], str]) -> str:
    """The query for all of a table; of the only one where none is named."""
    if name is None and len(names) == 1:
        name = names[0]
    if name in names:
        return f"select * from {quote(str(name))}"  # noqa: S608 - a name that the database has told us, quoted
    listed = ", ".join(sorted(names)[:_LISTED]) or "none"
    if name is None:
        raise InvalidInput("query is not given", where=shown, expected=f"a select, or one of the tables {listed}")
    close = nearest(name, list(names))
    hint = f"did you mean {close!r}?" if close else None
    raise InvalidInput(f"there is no table {name!r}", where=shown, expected=listed, hint=hint)


def _table(names: Sequence[str], rows: Sequence[Sequence[object]], shown: str) -> pa.Table:
    columns = []
    for place, name in enumerate(names):
        values = [row[place] for row in rows]
        try:
            columns.append(pa.array(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            what = f"column {name!r} holds values of several kinds: {error}"
            raise InvalidInput(what, where=shown, hint="cast it in the query") from None
    return pa.table(columns, names=list(names))
