"""Expectations about a table, as data: they can be inferred, written to a file, edited, hashed and compared.

Each kind is a frozen struct with a `severity`: what breaks a `stop` fails the check, what breaks a `warn` is only said.
Where there is a `share`, at least that share of the values which are present must be right.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import is_number, is_text
from assay.build.data.words import check_word
from assay.errors import InvalidInput, nearest
from assay.record.canonical import canonical_json, digest

__all__ = [
    "KINDS",
    "PERIODS",
    "Columns",
    "Custom",
    "Exists",
    "Expectation",
    "Expectations",
    "Fresh",
    "Label",
    "LabelRate",
    "OneOf",
    "Pattern",
    "Period",
    "Present",
    "Range",
    "Rows",
    "Severity",
    "Unique",
    "Varies",
    "as_data",
    "fits",
    "type_word",
]

Severity = Literal["stop", "warn"]
Period = Literal["day", "week", "month", "quarter", "year"]
PERIODS: tuple[Period, ...] = ("day", "week", "month", "quarter", "year")


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="check"):
    """What all kinds have: a name for people, the columns it reads, and what breaking it means."""

    severity: Severity = "stop"

    @property
    def name(self) -> str:
        """What it says, in a few words."""
        raise NotImplementedError

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads."""
        return (self.column,) if hasattr(self, "column") else ()

    @property
    def kind(self) -> Literal["data_schema", "data_values"]:
        """Whether it is about the form of the table or about what stands in it."""
        return "data_values"


class Columns(Expectation, frozen=True, tag="columns"):
    """Exactly these columns with these types, in any order; `others`: further ones may be there.

    A type is Arrow's word, such as `int64`, or one of the wide ones: text, number, whole number, boolean, time, any.
    """

    types: dict[str, str]
    others: bool = False

    def __post_init__(self) -> None:
        for name, word in self.types.items():
            if word not in _WIDE and not set("[(<") & set(word):
                try:
                    pa.type_for_alias(word)
                except ValueError as error:
                    close = nearest(word, [*_WIDE, "int64", "double", "string", "bool"])
                    raise InvalidInput(
                        f"column {name!r} has the type {word!r}, which is none",
                        expected=f"{', '.join(_WIDE)}, or Arrow's word, such as int64",
                        hint=f"did you mean {close!r}?" if close else None,
                    ) from error

    @property
    def name(self) -> str:
        """Constant."""
        return "columns and types"

    @property
    def kind(self) -> Literal["data_schema", "data_values"]:
        """It is about the form."""
        return "data_schema"


class Present(Expectation, frozen=True, tag="present"):
    """At least `share` of the values are not null."""

    column: str
    share: float = 1.0

    def __post_init__(self) -> None:
        _check_share(self.share)

    @property
    def name(self) -> str:
        """With the share where not all have to be there."""
        return f"{self.column} is present" + (f" in {self.share:.4g} of rows" if self.share < 1 else "")


class Range(Expectation, frozen=True, tag="range"):
    """Values lie in [low, high]; either end may be open. NaN lies nowhere.

    Of numbers, or of times as ISO text such as "2026-01-31".
    """

    column: str
    low: int | float | str | None = None
    high: int | float | str | None = None
    share: float = 1.0

    def __post_init__(self) -> None:
        _check_share(self.share)
        if self.low is None and self.high is None:
            raise InvalidInput(f"the range of {self.column!r} has no end", expected="low, high or both")
        if self.low is not None and self.high is not None and isinstance(self.low, str) != isinstance(self.high, str):
            raise InvalidInput(f"the range is {self.low!r} to {self.high!r}", expected="two numbers or two times")
        for end in (self.low, self.high):
            if isinstance(end, float) and not math.isfinite(end):
                raise InvalidInput(f"an end of the range is {end}", expected="a number", hint="leave an open end out")
        if self.low is not None and self.high is not None and not self.low <= self.high:  # type: ignore[operator] # the same kind
            raise InvalidInput(f"the range is {_short(self.low)} to {_short(self.high)}", expected="low <= high")

    @property
    def name(self) -> str:
        """With both ends."""
        low = "-inf" if self.low is None else _short(self.low)
        high = "inf" if self.high is None else _short(self.high)
        return f"{self.column} in [{low}, {high}]"


class OneOf(Expectation, frozen=True, tag="one_of"):
    """Values are among `values`."""

    column: str
    values: tuple[str | int | float | bool, ...]
    share: float = 1.0

    def __post_init__(self) -> None:
        _check_share(self.share)

    @property
    def name(self) -> str:
        """Without the values: there may be hundreds."""
        return f"{self.column} is known"


class Pattern(Expectation, frozen=True, tag="pattern"):
    """The whole of each text matches a regular expression (RE2)."""

    column: str
    pattern: str
    share: float = 1.0

    def __post_init__(self) -> None:
        _check_share(self.share)
        try:
            pc.match_substring_regex(pa.array([""]), self.pattern)
        except pa.ArrowInvalid as error:
            raise InvalidInput(f"{self.pattern!r} is no regular expression: {error}", expected="RE2 syntax") from error

    @property
    def name(self) -> str:
        """With the pattern."""
        return f"{self.column} looks like {self.pattern}"


class Unique(Expectation, frozen=True, tag="unique"):
    """No two rows agree in all columns of `key`; null agrees with null."""

    key: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.key:
            raise InvalidInput("the key has no columns", expected="one or more names of columns")

    @property
    def name(self) -> str:
        """With the columns."""
        return f"{' + '.join(self.key)} is unique"

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of the key."""
        return self.key


class Exists(Expectation, frozen=True, tag="exists"):
    """Each value stands in column `key` of another table: a dataset by its name, or a file."""

    column: str
    table: str
    key: str
    share: float = 1.0

    def __post_init__(self) -> None:
        _check_share(self.share)

    @property
    def name(self) -> str:
        """With the other table."""
        return f"{self.column} is in {self.table}.{self.key}"


class Fresh(Expectation, frozen=True, tag="fresh"):
    """The newest time is not more than `hours` before now."""

    column: str
    hours: float

    def __post_init__(self) -> None:
        if not self.hours > 0:
            raise InvalidInput(f"hours is {self.hours}", expected="more than 0")

    @property
    def name(self) -> str:
        """With the age that is allowed."""
        return f"newest {self.column} within {self.hours:g} hours"


class Rows(Expectation, frozen=True, tag="rows"):
    """The table has `at_least` and `at_most` so many rows."""

    at_least: int = 0
    at_most: int | None = None

    def __post_init__(self) -> None:
        if self.at_least < 0 or (self.at_most is not None and self.at_most < self.at_least):
            raise InvalidInput(f"rows are {self.at_least} to {self.at_most}", expected="0 <= at_least <= at_most")

    @property
    def name(self) -> str:
        """With both ends."""
        return f"{self.at_least:,} rows or more" + (f", {self.at_most:,} at most" if self.at_most is not None else "")

    @property
    def kind(self) -> Literal["data_schema", "data_values"]:
        """It is about the form."""
        return "data_schema"


class Varies(Expectation, frozen=True, tag="varies"):
    """The column holds two different values or more; null and NaN are none. A table of no rows passes."""

    column: str

    @property
    def name(self) -> str:
        """With the column."""
        return f"{self.column} varies"


class Label(Expectation, frozen=True, tag="label"):
    """The label is there, and holds two different values or more: nothing can be learned otherwise.

    At least `share` of the rows have one.
    """

    column: str
    share: float = 0.0

    def __post_init__(self) -> None:
        _check_share(self.share)

    @property
    def name(self) -> str:
        """With the column."""
        return f"label {self.column} is there and varies"


class LabelRate(Expectation, frozen=True, tag="label_rate"):
    """The share of `positive` labels is nowhere in time far from what the other periods have.

    `time` is a column of times, or of whole numbers such as years, each of which is a period. `by` is day, week, month,
    quarter or year; null takes the finest that leaves enough rows. A period is told where its rate differs by
    `difference` or more and the difference is beyond what chance and the usual moves between periods make; `alpha` is
    the rate of false alarms of one check. `rate` is that of a reference, which counts as one more period.
    """

    column: str
    time: str
    positive: str | int | float | bool | None = None
    by: Period | None = None
    difference: float = 0.05
    alpha: float = 0.001
    rate: float | None = None

    def __post_init__(self) -> None:
        check_word("by", self.by or PERIODS[0], PERIODS)
        if not 0 < self.alpha < 0.5:
            raise InvalidInput(f"alpha is {self.alpha}", expected="more than 0, less than 0.5")
        if not 0 <= self.difference < 1:
            raise InvalidInput(f"difference is {self.difference}", expected="0 to 1, without 1")
        if self.rate is not None and not 0 <= self.rate <= 1:
            raise InvalidInput(f"rate is {self.rate}", expected="0 to 1")

    @property
    def name(self) -> str:
        """With both columns."""
        return f"rate of {self.column} by {self.time}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Label and time."""
        return (self.column, self.time)


class Custom(Expectation, frozen=True, tag="custom"):
    """A function of the team's own: of the table, to true or to a boolean for each row (true where it is right)."""

    called: str
    function: Callable[[pa.Table], Any]

    @property
    def name(self) -> str:
        """As it was called."""
        return self.called


KINDS: tuple[type[Expectation], ...] = (
    *(Columns, Rows, Present, Range, OneOf, Pattern, Unique, Exists, Fresh, Varies, Label, LabelRate),
)


class Expectations(msgspec.Struct, frozen=True):
    """Several expectations, in order; `hash` does not depend on it. `about` says where they come from, for people."""

    items: tuple[Expectation, ...]
    about: str = ""

    def __iter__(self) -> Iterator[Expectation]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: int) -> Expectation:
        return self.items[position]

    def __add__(self, other: "Sequence[Expectation] | Expectations") -> "Expectations":
        return Expectations((*self.items, *other), self.about)

    @property
    def hash(self) -> str:
        """SHA-256 of what they say. InvalidInput where one is a function: its code is no data."""
        return digest(sorted(canonical_json(as_data(item)) for item in self.items))


def as_data(expectation: Expectation) -> dict[str, Any]:
    """An expectation as plain values, without what is left at its default. InvalidInput for a function."""
    if isinstance(expectation, Custom):
        raise InvalidInput(
            f"{expectation.name!r} is a function, which cannot be written down", expected="expectations that are data"
        )
    defaults = dict(
        zip(reversed(expectation.__struct_fields__), reversed(expectation.__struct_defaults__), strict=False)
    )
    values = msgspec.to_builtins(expectation)
    return {key: value for key, value in values.items() if key not in defaults or value != defaults[key]}


_WIDE: dict[str, Callable[[pa.DataType], bool]] = {
    "text": is_text,
    "whole number": pa.types.is_integer,
    "number": is_number,
    "boolean": pa.types.is_boolean,
    "time": lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind),
    "any": lambda _: True,
}


def fits(kind: pa.DataType, word: str) -> bool:
    """Whether a type is what a word of `Columns` says, however Arrow encodes the values."""
    kind = _plain(kind)
    return _WIDE[word](kind) if word in _WIDE else str(kind) == word


def type_word(kind: pa.DataType, *, wide: bool) -> str:
    """The word for a type: Arrow's, or the first wide one that it fits; Arrow's where none does."""
    kind = _plain(kind)
    if wide:
        return next((word for word, holds in _WIDE.items() if word != "any" and holds(kind)), str(kind))
    return str(kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type without the ways in which Arrow may hold the same text or categories."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.string() if is_text(kind) else kind


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise InvalidInput(f"share is {share}", expected="0 to 1")


def _short(end: float | str) -> str:
    return end if isinstance(end, str) else f"{end:g}"
