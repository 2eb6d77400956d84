"""SQL of the store's verbs: made once for each shape of a call, and kept as text.

Building a statement and looking it up costs SQLAlchemy more than SQLite needs to run it. A shape is what decides the
text: the table, the names of columns and conditions, and whether a value is null.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from assay.errors import InvalidInput, nearest
from assay.record.canonical import canonical_json
from assay.record.schema import TABLES
from assay.record.store import Sql

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.engine.interfaces import DBAPICursor

__all__ = ["Prepared", "Statements", "checked_table"]

_MOST_VALUES = 1_000  # more are sent as one value: a statement takes 32,766 of them in SQLite, 65,535 in PostgreSQL
_FEW_VALUES = 16  # lists up to this length have a text each; longer ones are one value
_MOST_SHAPES = 2_000
_OPERATORS = ("!=", ">=", "<=", "=", ">", "<", "in", "prefix")


class Prepared:
    """The text of a statement, and in which order it takes its values; None: by name."""

    __slots__ = ("_dialect", "constants", "order", "text")

    def __init__(self, statement: sa.ClauseElement, dialect: sa.Dialect, columns: list[str] | None = None) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        self._dialect = dialect
        self.text = str(compiled)
        self.order: list[str] | None = getattr(compiled, "positiontup", None)
        # SQLAlchemy writes some numbers of its own, such as an offset of 0, as values
        self.constants = {name: value for name, value in compiled.params.items() if value is not None}

    def run(self, connection: sa.Connection, values: Mapping[str, object]) -> "DBAPICursor":
        """Run it with values by name."""
        return self._executed(connection, self._ordered({**self.constants, **values}), many=False)

    def run_many(self, connection: sa.Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Run it for every row: they go to the driver as they are, no type of ours needs more."""
        self._executed(connection, [self._ordered(row) for row in rows], many=True)

    def _executed(self, connection: sa.Connection, values: Any, *, many: bool) -> "DBAPICursor":
        """Straight to the driver, whose errors become those that SQLAlchemy would raise."""
        cursor = connection.connection.cursor()
        driver = self._dialect.loaded_dbapi
        try:
            if many:
                cursor.executemany(self.text, values)
            else:
                cursor.execute(self.text, values)
        except driver.Error as error:
            raise DBAPIError.instance(self.text, values, error, driver.Error, dialect=self._dialect) from error
        return cursor

    def _ordered(self, values: Mapping[str, object]) -> Any:  # what the driver takes
        return dict(values) if self.order is None else tuple([values[name] for name in self.order])


def checked_table(kind: str) -> sa.Table:
    """The table of that name; InvalidInput with the nearest one where there is none."""
    table = TABLES.get(kind)
    if table is None:
        close = nearest(kind, list(TABLES))
        raise InvalidInput(f"there are no records of kind {kind!r}", hint=f"did you mean {close!r}?" if close else None)
    return table


class Statements:
    """The statements of one database. Safe to use from several threads: at worst a text is made twice."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._kept: dict[tuple[object, ...], Prepared] = {}

    def insert(self, kind: str, columns: Iterable[str]) -> Prepared:
        """Add a row with those columns."""
        names = tuple(columns)
        key = ("insert", kind, *names)
        return self._kept.get(key) or self._keep(key, sa.insert(_with_columns(kind, names)), names)

    def insert_new(self, kind: str, columns: Iterable[str]) -> sa.Insert:
        """Add rows whose key is free, and give back their keys."""
        table = _with_columns(kind, columns)
        return self._insert(table).on_conflict_do_nothing().returning(*table.primary_key)

    def put(self, kind: str, columns: Iterable[str]) -> Prepared:
        """Add a row with those columns, in place of the one with the same key."""
        names = tuple(columns)
        key = ("put", kind, *names)
        if key in self._kept:
            return self._kept[key]
        table = _with_columns(kind, names)
        keys = [column.name for column in table.primary_key]
        statement = self._insert(table)
        kept = {name: statement.excluded[name] for name in names if name not in keys}
        if kept:
            return self._keep(key, statement.on_conflict_do_update(index_elements=keys, set_=kept), names)
        return self._keep(key, statement.on_conflict_do_nothing(), names)

    def select(
        self, kind: str, where: Mapping[str, object], order_by: Sequence[str], limit: int | None
    ) -> tuple[Prepared | sa.Select[Any], dict[str, object]]:
        """Rows that satisfy the conditions, and the values it runs with."""
        shape, values = self._shape(where)
        if limit is not None:
            values["limit_"] = limit
        key = ("select", kind, *shape, "order", *order_by, limit is None) if shape is not None else None
        if key in self._kept:
            return self._kept[key], values
        table = checked_table(kind)
        statement = sa.select(table)
        for name in order_by:
            column = _column(table, name.removeprefix("-"))
            # SQLite's order of nulls, which PostgreSQL has the other way round
            order = column.desc().nulls_last() if name.startswith("-") else column.asc().nulls_first()
            statement = statement.order_by(order if column.nullable else order.element)
        if key is None:
            return statement.where(*self.conditions(table, where)).limit(limit), {}
        statement = statement.where(*self.conditions(table, _placeholders(where)))
        if limit is not None:
            statement = statement.limit(sa.bindparam("limit_", type_=sa.Integer))
        return self._keep(key, statement), values

    def update(
        self, kind: str, key: Mapping[str, object], expect: Mapping[str, object], changes: Iterable[str]
    ) -> tuple[Prepared, dict[str, object]]:
        """Change columns of the row with that key while it holds what is expected."""
        table = checked_table(kind)
        names = tuple(changes)
        for name in (*key, *expect, *names):
            _column(table, name)
        shape, values = self._shape(key)
        expected, more = self._shape(expect, "e")
        assert shape is not None, "a key has plain values"
        assert expected is not None, "expected are plain values"
        known = ("update", kind, *shape, "expect", *expected, "change", *names)
        if known not in self._kept:
            conditions = self.conditions(table, _placeholders(key)) + self.conditions(table, _placeholders(expect, "e"))
            new = {name: sa.bindparam(f"c_{name}", type_=table.c[name].type) for name in names}
            self._keep(known, sa.update(table).where(*conditions).values(new))
        return self._kept[known], {**values, **more}

    def question(self, asked: Sql) -> Prepared:
        """A text with `:name` for each value; the kinds of the values may decide how these are written."""
        key = ("text", asked.text, *[type(value) for value in asked.values.values()])
        return self._kept.get(key) or self._keep(key, sa.text(asked.text).bindparams(**asked.values))

    def column(self, table: sa.Table, name: str) -> sa.Column[Any]:
        """The column of that name; InvalidInput with the nearest one where there is none."""
        return _column(table, name)

    def conditions(self, table: sa.Table, where: Mapping[str, object]) -> list[sa.ColumnElement[bool]]:
        """Each condition of a `where` as SQL."""
        return [self._condition(table, *_split(condition), value) for condition, value in where.items()]

    def _shape(
        self, where: Mapping[str, object], prefix: str = "w"
    ) -> tuple[tuple[object, ...] | None, dict[str, object]]:
        """What decides the text of the conditions (None: the values do as well), and their values by name."""
        shape: list[object] = []
        values: dict[str, object] = {}
        for position, (condition, value) in enumerate(where.items()):
            name = f"{prefix}{position}"
            if condition.endswith(" in"):
                if not isinstance(value, list) or not value or not all(isinstance(one, str | int) for one in value):
                    return None, {}
                if len(value) > _FEW_VALUES:
                    shape += [condition, "many"]
                    values[name] = self._as_one(value)
                else:
                    shape += [condition, len(value)]
                    values |= {f"{name}_{number}": one for number, one in enumerate(value)}
            elif condition.endswith(" prefix"):
                return None, {}
            else:
                shape += [condition, value is None]
                if value is not None:
                    values[name] = value
        return tuple(shape), values

    def _as_one(self, values: list[Any]) -> object:
        """A list as one value, for `_among`."""
        return values if self._dialect.name == "postgresql" else canonical_json(values)

    def _condition(self, table: sa.Table, name: str, operator: str, value: object) -> sa.ColumnElement[bool]:
        column = _column(table, name)
        if operator == "in":
            if isinstance(value, sa.BindParameter):
                return self._among_one(column, value)
            if not isinstance(value, Iterable) or isinstance(value, str | bytes):
                raise InvalidInput(f"{name} in {value!r}", expected="a list of values")
            return self._among(column, list(value))
        if operator == "prefix":
            # Not LIKE, which does not tell a from A in SQLite; the first half lets an index help.
            return sa.and_(column >= str(value), sa.func.substr(column, 1, len(str(value))) == str(value))
        if value is None:
            if operator not in ("=", "!="):
                raise InvalidInput(f"{name} {operator} None", expected="a value; only = and != know None")
            return column.is_(None) if operator == "=" else column.is_not(None)
        return column.op(operator, is_comparison=True)(value)

    def _among(self, column: sa.Column[Any], values: list[object]) -> sa.ColumnElement[bool]:
        if len(values) <= _MOST_VALUES:
            return column.in_(values)
        return self._among_one(column, sa.literal(self._as_one(values)))

    def _among_one(self, column: sa.Column[Any], values: sa.BindParameter[Any]) -> sa.ColumnElement[bool]:
        """Among those of a list that is sent as one value."""
        if self._dialect.name == "postgresql":
            return column == sa.any_(sa.type_coerce(values, sa.ARRAY(column.type)))
        return column.in_(sa.select(sa.func.json_each(values).table_valued("value").c.value))

    def _insert(self, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
        if self._dialect.name == "postgresql":
            from sqlalchemy.dialects import postgresql

            return postgresql.insert(table)
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)

    def _keep(
        self, key: tuple[object, ...], statement: sa.ClauseElement, columns: Sequence[str] | None = None
    ) -> Prepared:
        if len(self._kept) >= _MOST_SHAPES:
            self._kept.clear()
        prepared = Prepared(statement, self._dialect, list(columns) if columns is not None else None)
        self._kept[key] = prepared
        return prepared


def _column(table: sa.Table, name: str) -> sa.Column[Any]:
    if name not in table.c:
        close = nearest(name, table.c.keys())
        raise InvalidInput(f"{table.name} has no field {name!r}", hint=f"did you mean {close!r}?" if close else None)
    return table.c[name]


def _with_columns(kind: str, names: Iterable[str]) -> sa.Table:
    table = checked_table(kind)
    for name in names:
        _column(table, name)
    return table


def _placeholders(where: Mapping[str, object], prefix: str = "w") -> dict[str, object]:
    """The same conditions with a place for each value."""
    places: dict[str, object] = {}
    for position, (condition, value) in enumerate(where.items()):
        name = f"{prefix}{position}"
        if isinstance(value, list) and len(value) <= _FEW_VALUES:
            places[condition] = [sa.bindparam(f"{name}_{number}") for number in range(len(value))]
        else:
            places[condition] = None if value is None else sa.bindparam(name)
    return places


def _split(condition: str) -> tuple[str, str]:
    name, _, operator = condition.partition(" ")
    if operator and operator not in _OPERATORS:
        raise InvalidInput(f"unknown operator in {condition!r}", expected=" ".join(_OPERATORS))
    return name, operator or "="
