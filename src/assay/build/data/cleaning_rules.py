"""Rules of cleaning, as data: what is done to a column, and why. See `cleaning` for what applies them."""

from typing import Literal, get_args

import msgspec

from assay.build.data.words import check_word
from assay.errors import InvalidInput

__all__ = ["AnyRule", "Categories", "DropMissing", "DropRepeated", "Fill", "Outliers", "Repair", "Rule"]

FillWith = Literal["median", "mean", "most frequent", "value"]
Kind = Literal["number", "time", "boolean", "text"]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="clean"):
    """What all rules have: a reason, for people and the report."""

    why: str = ""


class Fill(Rule, frozen=True, tag="fill"):
    """Missing values become the median, the mean or the most frequent value of the training rows, or `value`.

    `indicator` adds a column `COLUMN_missing` of 1 and 0. Numbers become floats.
    """

    column: str
    by: FillWith = "median"
    value: float | str | bool | None = None
    indicator: bool = False

    def __post_init__(self) -> None:
        check_word(f"what fills {self.column!r}", self.by, get_args(FillWith))
        if (self.by == "value") != (self.value is not None):
            raise InvalidInput(
                f"missing values of {self.column!r} become {self.by!r} with value {self.value!r}",
                expected='by="value" with a value, or another one without',
            )
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            msgspec.structs.force_setattr(self, "value", float(self.value))  # as it is read from JSON


class Outliers(Rule, frozen=True, tag="outliers"):
    """Numbers outside a range are clipped to its ends, or become missing.

    The ends are given, or `quantiles` of the training rows, such as (0.001, 0.999). Numbers become floats.
    """

    column: str
    low: float | None = None
    high: float | None = None
    quantiles: tuple[float, float] | None = None
    become: Literal["clipped", "missing"] = "clipped"

    def __post_init__(self) -> None:
        check_word(f"what outliers of {self.column!r} become", self.become, ("clipped", "missing"))
        for end in ("low", "high"):
            if isinstance(getattr(self, end), int):
                msgspec.structs.force_setattr(self, end, float(getattr(self, end)))  # as it is read from JSON
        given = self.low is not None or self.high is not None
        if given == (self.quantiles is not None):
            raise InvalidInput(
                f"the range of {self.column!r} is given in no way or in two", expected="low and high, or quantiles"
            )
        low, high = self.quantiles or (self.low, self.high)
        if low is not None and high is not None and not low <= high:
            raise InvalidInput(f"the range of {self.column!r} is {low:g} to {high:g}", expected="low <= high")
        if self.quantiles is not None and any(not 0 <= share <= 1 for share in self.quantiles):
            raise InvalidInput(f"the quantiles of {self.column!r} are {self.quantiles}", expected="from 0 to 1")


class Categories(Rule, frozen=True, tag="categories"):
    """Text that means the same becomes the same.

    In this order: white space at the ends and doubled goes (`strip`); case does not count, and the spelling that most
    training rows have is used (`casefold`); `map` says what becomes what; values of fewer than `fewest` training rows,
    or of none, become `other`. Empty text is missing.
    """

    column: str
    strip: bool = True
    casefold: bool = False
    map: dict[str, str] = {}
    fewest: int = 0
    other: str = "other"


class Repair(Rule, frozen=True, tag="repair"):
    """Text becomes numbers ("1,234", "$5", "12 %"), times ("2026-01-31 12:00") or booleans ("yes", "no"), or all text.

    What cannot be read becomes missing. `form` is a format of strptime for times in no ISO form; `decimal` is the mark
    before decimals. Times without a zone are read as UTC.
    """

    column: str
    to: Kind
    form: str | None = None
    decimal: Literal[".", ","] = "."

    def __post_init__(self) -> None:
        check_word(f"what {self.column!r} is read as", self.to, get_args(Kind))
        check_word(f"the mark before decimals of {self.column!r}", self.decimal, (".", ","))


class DropMissing(Rule, frozen=True, tag="drop_missing"):
    """Training rows with a missing value in one of the columns go.

    Served rows all get an answer: there it does nothing.
    """

    columns: tuple[str, ...]


class DropRepeated(Rule, frozen=True, tag="drop_repeated"):
    """Training rows that agree with an earlier one in all columns of `key`, by default in all there are, go.

    Served rows all get an answer: there it does nothing.
    """

    key: tuple[str, ...] = ()


AnyRule = Fill | Outliers | Categories | Repair | DropMissing | DropRepeated
