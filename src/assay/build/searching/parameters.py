"""What a setting may be: a number within bounds, a whole number, or one of several values.

A parameter knows its values in four ways: as a place between 0 and 1, where samplers draw; as text, as runs keep it;
as the points of a grid; and in words.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import InvalidInput

__all__ = ["Choice", "Float", "Int", "Parameter", "Value", "When"]

Value = str | int | float | bool | None
When = Mapping[str, Value | Sequence[Value]]

_NEARLY = 1e-9  # a step may miss the upper bound by rounding


class Parameter(ABC):
    """What a setting may be: `Float`, `Int` or `Choice`."""

    __slots__ = ()
    when: When | None

    @abstractmethod
    def at(self, place: float) -> Value:
        """The value at a place in [0, 1)."""

    @abstractmethod
    def place(self, value: Value) -> float:
        """Where a value stands, 0 to 1."""

    @abstractmethod
    def read(self, text: str) -> Value:
        """The value that a run keeps as text; ValueError where it is none."""

    @abstractmethod
    def holds(self, value: Value) -> bool:
        """Whether the value is one of those that it may have."""

    @abstractmethod
    def points(self) -> Sequence[Value] | None:
        """Every value, None where there are infinitely many."""

    @abstractmethod
    def canonical(self) -> dict[str, Any]:
        """What it is, as a table of assay.toml says it."""

    def conditions(self) -> dict[str, list[Value]]:
        """The values that others have to have for this one to count, by name."""
        return _conditions(self.when)


@dataclass(frozen=True, slots=True)
class Float(Parameter):
    """A number from `low` to `high`, both possible; with `log` drawn evenly over orders of magnitude.

    With `step` only low, low + step, ... `when` names what other parameters have to be for this one to count.
    InvalidInput for bounds that make no sense.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: When | None = None

    def __post_init__(self) -> None:
        _check_bounds("Float", self.low, self.high, self.log, self.step, (int, float))
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    def at(self, place: float) -> float:
        """The value at a place in [0, 1)."""
        if self.step is not None:
            return self._stepped(min(int(place * self._count()), self._count() - 1))
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return min(max(math.exp(low + place * (high - low)), self.low), self.high)
        return min(self.low + place * (self.high - self.low), self.high)

    def place(self, value: Value) -> float:
        """Where a value stands between the bounds, 0 to 1."""
        assert isinstance(value, int | float)
        if self.high == self.low:
            return 0.5
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)

    def read(self, text: str) -> float:
        """The value that a run keeps as text; ValueError where it is none."""
        return float(text)

    def holds(self, value: Value) -> bool:
        """Whether the value is inside the bounds, and on a step."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        count = (value - self.low) / self.step
        return abs(count - round(count)) < _NEARLY * max(1.0, abs(count))

    def points(self) -> "list[float] | None":
        """Every value, where a step makes them finitely many."""
        return None if self.step is None else [self._stepped(number) for number in range(self._count())]

    def canonical(self) -> dict[str, Any]:
        """What it is, as a table of assay.toml says it."""
        return _canonical("float", [self.low, self.high], self.log, self.step, self.when)

    def _count(self) -> int:
        assert self.step is not None
        return int((self.high - self.low) / self.step + _NEARLY) + 1

    def _stepped(self, number: int) -> float:
        assert self.step is not None
        return min(self.low + number * self.step, self.high)


@dataclass(frozen=True, slots=True)
class Int(Parameter):
    """A whole number from `low` to `high`, both possible; with `log` drawn evenly over orders of magnitude."""

    low: int
    high: int
    log: bool = False
    step: int = 1
    when: When | None = None

    def __post_init__(self) -> None:
        _check_bounds("Int", self.low, self.high, self.log, self.step, (int,))
        if self.log and self.step != 1:
            raise InvalidInput("an Int has a step and is logarithmic", expected="one of the two")

    def at(self, place: float) -> int:
        """The value at a place in [0, 1)."""
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + place * (high - low))), self.low), self.high)
        count = (self.high - self.low) // self.step + 1
        return self.low + self.step * min(int(place * count), count - 1)

    def place(self, value: Value) -> float:
        """Where a value stands between the bounds, 0 to 1."""
        assert isinstance(value, int)
        if self.high == self.low:
            return 0.5
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)

    def read(self, text: str) -> int:
        """The value that a run keeps as text; ValueError where it is none."""
        return int(text)

    def holds(self, value: Value) -> bool:
        """Whether the value is inside the bounds, and on a step."""
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and self.low <= value <= self.high and (value - self.low) % self.step == 0  # type: ignore[operator] # a whole number

    def points(self) -> list[int]:
        """Every value."""
        return list(range(self.low, self.high + 1, self.step))

    def canonical(self) -> dict[str, Any]:
        """What it is, as a table of assay.toml says it."""
        return _canonical("int", [self.low, self.high], self.log, None if self.step == 1 else self.step, self.when)


@dataclass(frozen=True, slots=True)
class Choice(Parameter):
    """One of several values without an order: texts, numbers, true or false, None."""

    options: Sequence[Value]
    when: When | None = None

    def __post_init__(self) -> None:
        given: object = self.options
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise InvalidInput(f"a Choice of {self.options!r}", expected="a list of at least one value")
        for option in self.options:
            if option is not None and not isinstance(option, str | int | float):
                raise InvalidInput(
                    f"a Choice has the option {option!r}",
                    expected="texts, numbers, true or false, None",
                    hint="give names, and look up what they stand for in the objective",
                )
        texts = [str(option) for option in self.options]
        if len(set(texts)) < len(texts):
            raise InvalidInput(f"a Choice has the same option twice: {', '.join(texts)}")
        object.__setattr__(self, "options", tuple(self.options))

    def at(self, place: float) -> Value:
        """The value at a place in [0, 1)."""
        return self.options[min(int(place * len(self.options)), len(self.options) - 1)]

    def place(self, value: Value) -> float:
        """The middle of its part, 0 to 1."""
        return ([str(option) for option in self.options].index(str(value)) + 0.5) / len(self.options)

    def read(self, text: str) -> Value:
        """The value that a run keeps as text; ValueError where it is none of the options."""
        for option in self.options:
            if str(option) == text:
                return option
        raise ValueError(text)

    def holds(self, value: Value) -> bool:
        """Whether the value is one of the options."""
        return any(type(option) is type(value) and option == value for option in self.options)

    def points(self) -> list[Value]:
        """Every value."""
        return list(self.options)

    def canonical(self) -> dict[str, Any]:
        """What it is, as a table of assay.toml says it."""
        return _canonical("choice", list(self.options), log=False, step=None, when=self.when)


def _check_bounds(kind: str, low: object, high: object, log: bool, step: object, numbers: tuple[type, ...]) -> None:
    what = f"{kind}({low!r}, {high!r})"
    for bound in (low, high):
        if isinstance(bound, bool) or not isinstance(bound, numbers) or not math.isfinite(bound):  # type: ignore[arg-type] # a number
            expected = "two whole numbers" if numbers == (int,) else "two finite numbers"
            raise InvalidInput(f"{what} has the bound {bound!r}", expected=expected)
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if low > high:
        raise InvalidInput(f"{what} is empty", expected="the lower bound first")
    if log and low <= 0:
        raise InvalidInput(f"{what} is logarithmic and begins at {low}", expected="a lower bound above 0")
    if step is None:
        return
    if log and kind == "Float":
        raise InvalidInput("a Float has a step and is logarithmic", expected="one of the two")
    if isinstance(step, bool) or not isinstance(step, numbers) or not step > 0:  # type: ignore[operator] # a number
        raise InvalidInput(f"{what} has the step {step!r}", expected="a number above 0")


def _canonical(kind: str, values: list[Any], log: bool, step: float | None, when: When | None) -> dict[str, Any]:
    found: dict[str, Any] = {kind: values}
    found |= {"log": True} if log else {}
    found |= {"step": step} if step is not None else {}
    if when:
        found["when"] = _conditions(when)
    return found


def _conditions(when: When | None) -> dict[str, list[Value]]:
    return {
        name: [wanted] if wanted is None or isinstance(wanted, str | int | float) else list(wanted)
        for name, wanted in (when or {}).items()
    }
