"""When a search is over: how many trials, how long, for how much money, and when nothing gets better any more."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.build.searching.trials import TrialRecord
from assay.errors import InvalidInput
from assay.record.clock import moment

__all__ = ["Budget", "busy_seconds"]


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many trials; no trial begins after so many `seconds` in which trials ran, or so much `money` spent.

    Money is what `cost_per_hour` of a worker comes to, over all trials. `patience` ends the search when so many trials
    in a row have not bettered the best before them. InvalidInput for limits that make no sense.
    """

    trials: int | None = None
    seconds: float | None = None
    money: float | None = None
    cost_per_hour: float | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "patience"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InvalidInput(f"{name} is {value!r}", expected="a whole number of at least 1")
        for name in ("seconds", "money", "cost_per_hour"):
            value = getattr(self, name)
            if value is None:
                continue
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not (value > 0 and math.isfinite(value)):
                raise InvalidInput(f"{name} is {value!r}", expected="a number above 0")
        if self.money is not None and self.cost_per_hour is None:
            raise InvalidInput("money is limited and it is not said what an hour costs", hint="cost_per_hour=...")

    @property
    def ends(self) -> bool:
        """Whether it ever ends by itself."""
        return any(value is not None for value in (self.trials, self.seconds, self.money, self.patience))

    def canonical(self) -> dict[str, Any]:
        """The limits that are set, as JSON."""
        names = ("trials", "seconds", "money", "cost_per_hour", "patience")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def spent(self, trials: Sequence[TrialRecord], seconds: float) -> str | None:
        """Which of time and money is spent, in words, after `seconds` of search; None while neither is."""
        if self.seconds is not None and seconds >= self.seconds:
            return f"{self.seconds:g} s are over"
        if self.money is not None and self.cost(trials) >= self.money:
            return f"{self.money:g} is spent"
        return None

    def cost(self, trials: Sequence[TrialRecord]) -> float:
        """The money that these trials cost; 0 where an hour has no price."""
        return sum(trial.seconds for trial in trials) / 3600 * (self.cost_per_hour or 0.0)


def busy_seconds(trials: Sequence[TrialRecord]) -> float:
    """Seconds in which at least one of these trials was running: a search that was interrupted did not search then."""
    total, until = 0.0, None
    for trial in sorted((one for one in trials if one.ended and one.has_ended), key=lambda one: one.started):
        begin, end = moment(trial.started), moment(trial.ended or "")
        if until is not None:
            begin = max(begin, until)
        total += max((end - begin).total_seconds(), 0.0)
        until = end if until is None else max(until, end)
    return total
