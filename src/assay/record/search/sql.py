"""Comparisons as SQL of SQLite and PostgreSQL, which give the same rows."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from assay.errors import InvalidInput
from assay.record.clock import from_ms
from assay.record.search.filters import And, Comparison, Node, Value
from assay.record.search.keys import Key, Subject

__all__ = ["Compiler"]

_LARGEST = 1.7976931348623157e308
_MOST_JOINED = 20
_PREFIX = 200  # characters of a value that its index holds
_MS = re.compile(r"MS\(([\w.]+)\)")
_BEFORE, _AFTER = "", "~"  # texts before and after every time


class Compiler:
    """Turns comparisons on one subject into conditions and collects their values in `values`.

    late: rows of every layer count. clamped: an infinite value counts as the largest float.
    """

    def __init__(self, subject: Subject, *, postgresql: bool, late: bool = False, clamped: bool = False) -> None:
        self.subject = subject
        self.postgresql = postgresql
        self.late = late
        self.clamped = clamped
        self.datasets: tuple[tuple[str, str | None], ...] = ()  # metrics of logged models count on these only
        self.late_keys: frozenset[str] = frozenset()  # metrics of which some run has late points
        self.values: dict[str, Any] = {}
        self.rows = 0

    def bind(self, value: object) -> str:
        """A place for a value in the statement."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def row(self) -> str:
        """A new name for a joined row."""
        self.rows += 1
        return f"r{self.rows}"

    def where(self, node: Node) -> str:
        """The condition of a tree on the subject's row."""
        if isinstance(node, Comparison):
            return self.comparison(node)
        word = " AND " if isinstance(node, And) else " OR "
        return "(" + word.join(self.where(part) for part in node.parts) + ")"

    def comparison(self, comparison: Comparison) -> str:
        """The condition of one comparison."""
        key = comparison.key
        if key.child is None:
            return self.condition(comparison, self.expression(key))
        row = self.row()
        if comparison.operator in ("NULL", "NOT NULL"):
            condition = f"{key.sql.format(row=row)} IS NOT NULL" if not key.child.keyed else "1=1"
        else:
            condition = self.condition(comparison, key.sql.format(row=row))
        # PostgreSQL would make a join of each, and take seconds to order a hundred of them
        apart = " OFFSET 0" if self.postgresql and self.rows > _MOST_JOINED else ""
        found = f"SELECT 1 FROM {key.child.table} {row} WHERE {self.belongs(key, row)} AND {condition}{apart}"
        exists = f"EXISTS ({found})"
        return f"NOT {exists}" if comparison.operator == "NULL" else exists

    def belongs(self, key: Key, row: str) -> str:
        """The condition that a child's row is the one of the subject's row under that key."""
        child = key.child
        assert child is not None
        return f"{row}.{child.owner} = {self.subject.table}.{self.subject.id} AND {self.counts(key, row)}"

    def counts(self, key: Key, row: str) -> str:
        """The condition that a child's row has that key and a layer that counts."""
        child = key.child
        assert child is not None
        conditions = [f"{row}.key = {self.bind(key.name)}"] if child.keyed else []
        if child.layers != "no" and (not self.late or (child.layers == "sums" and key.name not in self.late_keys)):
            conditions.append(f"{row}.layer = 0")
        elif child.layers == "sums":
            conditions.append(
                f"({row}.layer = 1 OR NOT EXISTS (SELECT 1 FROM {child.table} l"
                f" WHERE l.{child.owner} = {row}.{child.owner} AND l.key = {row}.key AND l.layer = 1))"
            )
        datasets = key.datasets or self.datasets
        if child.table == "logged_model_metric" and datasets:
            conditions.append(f"({' OR '.join(self._on(row, *dataset) for dataset in datasets)})")
        return " AND ".join(conditions) or "1=1"

    def _on(self, row: str, name: str, digest: str | None) -> str:
        condition = f"{row}.dataset_name = {self.bind(name)}"
        return f"({condition} AND {row}.dataset_digest = {self.bind(digest)})" if digest is not None else condition

    def expression(self, key: Key) -> str:
        """What an attribute's key stands for."""
        whole = "CAST(floor(extract(epoch FROM CAST({0} AS timestamptz)) * 1000) AS bigint)"
        if not self.postgresql:
            whole = "(CAST(strftime('%s', substr({0}, 1, 19)) AS INTEGER) * 1000 + CAST(substr({0}, 21, 3) AS INTEGER))"
        return _MS.sub(lambda match: whole.format(match[1]), key.sql)

    def condition(self, comparison: Comparison, sql: str) -> str:
        """The condition on the expression `sql`, which is null where an attribute is missing or a metric NaN."""
        key, operator, values = comparison.key, comparison.operator, comparison.values
        if operator in ("NULL", "NOT NULL"):
            return f"{sql} IS {operator}"
        if key.kind == "text":
            return self.text(operator, sql, [key.fold(str(v)) if key.fold else str(v) for v in values])
        if operator in ("IN", "NOT IN"):
            simple = "=" if operator == "IN" else "!="
            word = " OR " if operator == "IN" else " AND "
            if len(values) > 1_000:
                raise InvalidInput(f"a list of {len(values)} numbers", expected="at most 1000")
            if key.kind == "number" and not self.clamped:
                listed = ", ".join(self.bind(v) for v in values)
                return self._or_nan(key, f"{sql} {operator} ({listed})", sql, nan=operator == "NOT IN")
            return "(" + word.join(self.number(key, simple, sql, value) for value in values) + ")"
        if operator == "BETWEEN":
            low, high = values
            return f"({self.number(key, '>=', sql, low)} AND {self.number(key, '<=', sql, high)})"
        if operator == "NOT BETWEEN":
            low, high = values
            return f"({self.number(key, '<', sql, low)} OR {self.number(key, '>', sql, high)})"
        return self.number(key, operator, sql, values[0])

    def indexed(self, comparison: Comparison, row: str) -> list[str]:
        """Conditions on a child's row that follow from the comparison and let an index find it."""
        if comparison.key.kind != "text" or comparison.operator not in ("=", "IN"):
            return []
        prefixes = sorted({str(value)[:_PREFIX] for value in comparison.values})
        sql = f"substr({row}.value, 1, {_PREFIX})"
        return [f"{sql} = {self.bind(prefixes[0])}" if len(prefixes) == 1 else self.text("IN", sql, prefixes)]

    def text(self, operator: str, sql: str, values: Sequence[str]) -> str:
        """A condition on text, by code points."""
        word = operator.removeprefix("NOT ")
        negation = "" if word == operator else "NOT "
        if word in ("=", "!="):
            return f"{sql} {'<>' if word == '!=' else '='} {self.bind(values[0])}"
        if word == "IN":
            if self.postgresql:
                return f"{negation}({sql} = ANY({self.bind(list(values))}))"
            return f"{sql} {negation}IN (SELECT value FROM json_each({self.bind(json.dumps(values))}))"
        pattern = values[0]
        if word == "CONTAINS":
            found = "strpos" if self.postgresql else "instr"
            return f"{found}({sql}, {self.bind(pattern)}) {'=' if negation else '>'} 0"
        if self.postgresql:
            return f"{sql} {negation}{word} {self.bind(pattern)} ESCAPE ''"
        if word == "ILIKE":  # SQLite's LIKE does not tell a from A
            return f"{sql} {negation}LIKE {self.bind(pattern)}"
        return f"{sql} {negation}GLOB {self.bind(_glob(pattern))}"

    def number(self, key: Key, operator: str, sql: str, value: Value) -> str:
        """A condition on a number or a time."""
        if key.kind == "time":
            return self._time(operator, sql, value)
        assert not isinstance(value, str)
        nan = key.child is not None and operator == "!="
        if self.clamped and key.child is not None:
            operator, value = _clamped(operator, float(value))
        sign = "<>" if operator == "!=" else operator
        return self._or_nan(key, f"{sql} {sign} {self.bind(value)}", sql, nan=nan)

    def _or_nan(self, key: Key, condition: str, sql: str, *, nan: bool) -> str:
        return f"({sql} IS NULL OR {condition})" if nan and key.child is not None else condition

    def _time(self, operator: str, sql: str, value: Value) -> str:
        """Texts of microseconds against whole milliseconds, rounded down as clients see them."""
        if isinstance(value, str):
            return f"{sql} {'<>' if operator == '!=' else operator} {self.bind(value)}"
        whole = math.isfinite(value) and value == math.floor(value)
        if operator in ("=", "!="):
            low, high = (_at(value), _at(value + 1)) if whole else (_AFTER, _AFTER)
            if operator == "=":
                return f"({sql} >= {self.bind(low)} AND {sql} < {self.bind(high)})"
            return f"({sql} < {self.bind(low)} OR {sql} >= {self.bind(high)})"
        after = operator in (">", "<=")  # the bound is the first millisecond after `value`
        bound = _at(value, after=after)
        return f"{sql} {'>=' if operator in ('>', '>=') else '<'} {self.bind(bound)}"


def _at(value: int | float, *, after: bool = False) -> str:
    """The text of the first whole millisecond not before `value`, or after it."""
    if not math.isfinite(value):
        return _AFTER if value > 0 else _BEFORE
    try:
        return from_ms(math.floor(value) + 1 if after else math.ceil(value))
    except InvalidInput:
        return _AFTER if value > 0 else _BEFORE


def _clamped(operator: str, value: float) -> tuple[str, float]:
    """The comparison whose result on any number x is that of the given one on x cut to the finite floats."""
    everything, nothing = (">=", -math.inf), (">", math.inf)
    if operator in (">", ">="):
        if value > _LARGEST or (operator == ">" and value == _LARGEST):
            return nothing
        return everything if value < -_LARGEST or (operator == ">=" and value == -_LARGEST) else (operator, value)
    if operator in ("<", "<="):
        if value > _LARGEST or (operator == "<=" and value == _LARGEST):
            return everything
        return nothing if value < -_LARGEST or (operator == "<" and value == -_LARGEST) else (operator, value)
    if abs(value) < _LARGEST:
        return operator, value
    if math.isinf(value):
        return nothing if operator == "=" else everything
    if value > 0:
        return (">=", value) if operator == "=" else ("<", value)
    return ("<=", value) if operator == "=" else (">", value)


def _glob(pattern: str) -> str:
    """A LIKE pattern as one of GLOB, which tells a from A in SQLite."""
    signs = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return "".join(signs.get(sign, sign) for sign in pattern)
