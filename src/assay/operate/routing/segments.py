"""For which rows a split is: an expression over columns, read once and then asked for each row in well under 1 µs.

    segment := and (OR and)*        and := not (AND not)*        not := [NOT] (comparison | "(" segment ")")
    comparison := column = value | column [NOT] IN (a, b) | column [NOT] BETWEEN a AND b | column IS [NOT] NULL

It is the grammar of searches. Columns with other signs stand in `back ticks`. A missing value, NaN, and a value that is
text where a number is meant match nothing but IS NULL and IS NOT NULL; NOT turns each comparison round.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.errors import InvalidInput, nearest
from assay.record.search.filters import And, Comparison, Node, Or, Value, comparisons, parse_filter
from assay.record.search.keys import Key, Subject, split

__all__ = ["Segment", "segment_of"]

Test = Callable[[Mapping[str, object]], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Segment:
    """`holds(row)` for a mapping from column to value, of which only `columns` are looked at."""

    text: str
    columns: tuple[str, ...]
    holds: Test


def segment_of(text: str, kinds: Mapping[str, str] | None = None) -> Segment:
    """The segment that the text means. `kinds` says of each column there is whether it is `number` or `text`; without
    it every name is taken, and what it is compared with says of which kind it is.

    InvalidInput, with its position, for what cannot be read, an unknown column, or a comparison that no value of the
    column can stand.
    """
    tree = parse_filter(text, _columns(kinds))
    if tree is None:
        raise InvalidInput(
            "the segment says nothing", expected="an expression such as distance > 500", hint="leave it out"
        )
    columns = tuple(dict.fromkeys(one.key.name for one in comparisons(tree)))
    return Segment(text, columns, _test(tree))


@dataclass(frozen=True, slots=True)
class _Columns(Subject):
    """Columns by name, of known kinds or of any."""

    is_open: bool = False

    def key(self, text: str, error: Callable[[str, str | None], InvalidInput]) -> Key:
        name = text if text in self.attributes else split(text)[1] if split(text)[2] else text
        if self.is_open:
            return Key("column", name, "any", "", name)
        if name not in self.attributes:
            close = nearest(name, [*self.attributes])
            known = f"there are {', '.join(self.attributes)}"
            raise error(f"there is no column {name!r}", f"did you mean {close}?" if close else known)
        return Key("column", name, self.attributes[name][0], "", name)


def _columns(kinds: Mapping[str, str] | None) -> _Columns:
    attributes = {name: (kind, "") for name, kind in (kinds or {}).items()}
    examples = next(iter(attributes), "distance")
    return _Columns("rows", "", "", attributes, {}, {}, {}, examples, is_open=kinds is None)


def _test(node: Node) -> Test:
    if isinstance(node, Comparison):
        return _compared(node)
    parts = tuple(_test(part) for part in node.parts)
    if isinstance(node, And):
        return lambda row: all(part(row) for part in parts)
    assert isinstance(node, Or)
    return lambda row: any(part(row) for part in parts)


def _compared(comparison: Comparison) -> Test:
    name, said, values = comparison.key.name, comparison.operator, comparison.values
    if said == "NULL":
        return lambda row: _is_missing(row.get(name))
    if said == "NOT NULL":
        return lambda row: not _is_missing(row.get(name))
    inverted = said.startswith("NOT ")
    word = said.removeprefix("NOT ")
    if word == "IN":
        return _is_in(name, values, inverted)
    is_text = isinstance(values[0], str)
    if word == "BETWEEN":
        low, high = values
        return _of_kind(name, is_text, lambda found: (low <= found <= high) != inverted)
    compare, value = _COMPARE[word], values[0]
    return _of_kind(name, is_text, lambda found: compare(found, value))


def _is_in(name: str, values: tuple[Value, ...], inverted: bool) -> Test:
    wanted = frozenset(values)
    kinds = {isinstance(value, str) for value in values}

    def test(row: Mapping[str, object]) -> bool:
        value = row.get(name)
        return not _is_missing(value) and isinstance(value, str) in kinds and (value in wanted) != inverted

    return test


def _of_kind(name: str, is_text: bool, test: Callable[[Any], bool]) -> Test:
    """The test on the value of a column, false where it is missing or of the other kind."""

    def checked(row: Mapping[str, object]) -> bool:
        value = row.get(name)
        return not _is_missing(value) and isinstance(value, str) == is_text and test(value)

    return checked


def _is_missing(value: object) -> bool:
    return value is None or value != value or not isinstance(value, str | int | float)  # noqa: PLR0124 - NaN
