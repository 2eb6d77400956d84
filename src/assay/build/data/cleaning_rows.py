"""A few rows cleaned value by value, as serving does: Arrow takes a millisecond to begin, this takes microseconds.

It gives what `Cleaner.apply` gives, or says that it cannot: then Arrow does it. A test compares the two on drawn rows.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.build.data.cleaning_rules import AnyRule, Categories, DropMissing, DropRepeated, Fill, Outliers, Repair
from assay.build.data.cleaning_values import category, reader_of, write_text

if TYPE_CHECKING:
    from assay.build.data.cleaner import Cleaner, Learned

__all__ = ["RowCleaner"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KINDS: dict[str, tuple[type, ...]] = {"number": (float, int), "text": (str,), "boolean": (bool, float)}

Change = Callable[[Any], Any]


class _Column:
    """The values of a column go through `changes`; before change number `at` it is noted whether they are missing."""

    def __init__(self, kind: str) -> None:
        self.kind = self.first_kind = kind
        self.changes: list[Change] = []
        self.noted: list[tuple[int, int]] = []  # how many changes come before, and the place of the indicator


class RowCleaner:
    """A cleaner made ready for few rows. `ready` is False where it holds a rule that only Arrow applies."""

    def __init__(self, cleaner: "Cleaner") -> None:
        self.ready = True
        self._columns = {name: _Column(kind) for name, kind in cleaner.inputs.items()}
        self._width = len(cleaner.inputs)
        for learned in cleaner.rules:
            rule = learned.rule
            if isinstance(rule, DropMissing | DropRepeated):
                continue
            found = self._columns.get(rule.column)
            if found is None:
                self.ready = False
                return
            if isinstance(rule, Fill) and rule.indicator:
                found.noted.append((len(found.changes), self._width))
                self._width += 1
            change, kind = _change(learned, rule, found.kind)
            if change is None:
                self.ready = False
                return
            found.changes.append(change)
            found.kind = kind
        self.ready = not any(column.first_kind not in _KINDS for column in self._columns.values())

    def __call__(self, X: NDArray[np.object_]) -> NDArray[np.object_] | None:
        """The rows cleaned as `Cleaner.transform` does; None where a value is of another kind than in training."""
        cleaned = np.empty((len(X), self._width), dtype=object)
        for position, column in enumerate(self._columns.values()):
            kinds = _KINDS[column.first_kind]
            for row, given in enumerate(X[:, position]):
                value = given
                if isinstance(value, np.generic):
                    value = value.item()
                if value is None or value != value:  # noqa: PLR0124 - NaN
                    value = None
                elif not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                    return None
                elif column.first_kind == "boolean":
                    value = bool(value)
                at = 0
                for before, place in column.noted:
                    for change in column.changes[at:before]:
                        value = change(value)
                    at = before
                    cleaned[row, place] = float(value is None)
                for change in column.changes[at:]:
                    value = change(value)
                cleaned[row, position] = _out(value, column.kind)
        return cleaned


def _change(learned: "Learned", rule: AnyRule, kind: str) -> tuple[Change | None, str]:
    """The rule for one value, None standing for missing, and the kind it makes; no rule where only Arrow has it."""
    if isinstance(rule, Fill):
        filling: Any = float(learned.value) if kind == "number" and learned.value is not None else learned.value
        return (lambda value: filling if value is None else value), kind
    if isinstance(rule, Outliers):
        return _within(learned, rule), kind
    if isinstance(rule, Categories):
        write = category(rule, frozenset(learned.known) if learned.known is not None else None, learned.spellings)
        return (lambda value: None if value is None else write(value)), kind
    assert isinstance(rule, Repair)
    if rule.to == kind:
        return (lambda value: value), kind
    if kind == "text":
        read = reader_of(rule)
        return (lambda value: None if value is None else read(value)), rule.to
    if kind == "number" and rule.to == "text":
        return (lambda value: None if value is None else write_text(value)), rule.to
    return None, kind


def _within(learned: "Learned", rule: Outliers) -> Change:
    low = -math.inf if learned.low is None else learned.low
    high = math.inf if learned.high is None else learned.high
    below, above = (None, None) if rule.become == "missing" else (low, high)

    def change(value: float | None) -> float | None:
        if value is None:
            return None
        return below if value < low else above if value > high else value

    return change


def _out(value: Any, kind: str) -> Any:
    """A value as it stands in an array of objects."""
    if kind == "text":
        return value
    if value is None:
        return math.nan
    return (value - _EPOCH) // _MICROSECOND / 1e6 if kind == "time" else float(value)
