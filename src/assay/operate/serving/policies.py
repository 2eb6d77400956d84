"""One value of a request against what training had in its column, and what becomes of it."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.models.inputs import Column
from assay.build.models.learned import LearnedColumn
from assay.errors import InvalidInput, nearest
from assay.record.models.column_policy import HARMLESS, Action, ColumnPolicy, Kind

__all__ = ["ColumnCheck", "Count", "SignatureError", "Value", "in_words"]

Value = str | float | None
Count = Callable[[str, Kind, Action, int], None]  # column, kind, action, rows
_SHOWN = 100  # characters of somebody else's text in a message
_LARGEST = sys.float_info.max  # Python's whole numbers go further


class SignatureError(InvalidInput):
    """A value breaks the signature, and the policy of its column is to refuse: which `row`, `column` and `kind`."""

    def __init__(self, row: int, column: str, kind: Kind, text: str) -> None:
        super().__init__(f"row {row}: {text}")
        self.row = row
        self.column = column
        self.kind = kind


class Broken(NamedTuple):
    """How a value breaks the signature, in words."""

    kind: Kind
    text: str


class ColumnCheck:
    """What is expected of a column. A column of which nothing was learned is checked for its type only.

    Null breaks the signature only where training always had a value, or where somebody asked to refuse it. An
    `optional` column may be left out of a row, since it is looked up or only another variant takes it.
    """

    def __init__(self, column: Column, learned: LearnedColumn | None, policy: ColumnPolicy) -> None:
        self.name = column.name
        self.is_number = column.is_number
        self.optional = False
        self.actions: dict[Kind, Action] = {
            kind: getattr(policy, kind) or getattr(HARMLESS, kind)
            for kind in ("missing", "mistyped", "out_of_range", "unseen", "extra")
        }
        gaps = learned is None or learned.missing > 0
        self.nullable = gaps and policy.missing != "refuse"
        self.low = learned.low if learned else None
        self.high = learned.high if learned else None
        self.categories: Mapping[str, int] | None = learned.categories if learned else None
        self.fill: Value = learned.fill if learned else None

    @property
    def strict(self) -> Any:
        """The type that JSON is read as where nothing is broken: msgspec checks it while it reads."""
        kind: Any = float if self.is_number else str
        if self.low is not None and self.high is not None:
            kind = Annotated[float, msgspec.Meta(ge=self.low, le=self.high)]
        elif self.categories:
            kind = Literal[tuple(self.categories)]
        kind = kind | None if self.nullable else kind
        return kind | msgspec.UnsetType if self.optional else kind

    def broken(self, value: Any) -> Broken | None:
        """How a value breaks the signature, None where it does not. NaN is no value; UNSET is a column left out."""
        if value is None or value is msgspec.UNSET or (isinstance(value, float) and math.isnan(value)):
            return None if self._may_lack(value) else self._lacking(value)
        if self.is_number:
            if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
                return Broken("mistyped", f"is {in_words(value)}, expected a number{_not(value)}")
            if not -_LARGEST <= value <= _LARGEST:
                what = "infinite" if isinstance(value, float | np.floating) else "larger than numbers can be"
                return Broken("mistyped", f"is {what}, expected a number")
            if self.low is not None and not self.low <= value <= (self.high or 0.0):
                return Broken("out_of_range", f"is {value:g}, and training had {self.low:g} to {self.high:g}")
        elif not isinstance(value, str):
            return Broken("mistyped", f"is {in_words(value)}, expected text{_not(value)}")
        elif self.categories is not None and value not in self.categories:
            close = nearest(value[:_SHOWN], list(self.categories))
            hint = f"; did you mean {close!r}?" if close else ""
            return Broken("unseen", f"is {value[:_SHOWN]!r}, which training did not have{hint}")
        return None

    def broken_places(self, values: NDArray[np.float64]) -> NDArray[np.intp]:
        """Where an array of numbers breaks the signature; the same as `broken`, for many rows at once."""
        good = np.isfinite(values)
        if self.low is not None:
            good &= (values >= self.low) & (values <= (self.high or 0.0))
        if self.nullable or self.optional:
            good |= np.isnan(values)
        return np.flatnonzero(~good)

    def good(self, value: Any) -> Any:
        """A value that breaks nothing as the model takes it: a float, text or None; UNSET stays for who looks it up."""
        if value is msgspec.UNSET:
            return value if self.optional else None
        return _as_value(value)

    def settled(self, row: int, value: Any, broken: Broken) -> tuple[Value, str]:
        """The value that the model is given instead, and the flag of the row. SignatureError where it is refused."""
        action = self.actions[broken.kind]
        if action == "refuse":
            raise SignatureError(row, self.name, broken.kind, f"column {self.name!r} {broken.text}")
        if action == "impute":
            return self.fill, f"{broken.kind}:imputed"
        return None if broken.kind == "missing" else _as_value(value), broken.kind

    def _may_lack(self, value: Any) -> bool:
        if value is msgspec.UNSET:
            return self.optional or (self.nullable and self.actions["missing"] != "refuse")
        return self.nullable

    def _lacking(self, value: Any) -> Broken:
        if value is msgspec.UNSET:
            return Broken("missing", "is missing" + ("; null stands for a value that is not known" * self.nullable))
        return Broken("missing", "is null, and training always had a value")


def _as_value(value: Any) -> Value:
    if value is None or isinstance(value, str):
        return value
    number = float(value)
    return None if math.isnan(number) else number


def in_words(value: object) -> str:
    """What somebody sent, for people."""
    if value is None:
        return "null"
    if isinstance(value, bool | np.bool_):
        return "true or false"
    if isinstance(value, int | float | np.integer | np.floating):
        return "a number"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, Sequence) else "an object"


def _not(value: object) -> str:
    return f", not {value[:_SHOWN]!r}" if isinstance(value, str) else ""
