"""When a trial is not worth going on with: asynchronous successive halving, built in.

A pruner judges a trial by trials that had ended when it started, and by nothing else: so it does not matter where and
when the trial runs, and a worker needs no word from anybody to end it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from assay.build.searching.trial import Reports, View
from assay.build.searching.trials import TrialRecord
from assay.errors import InvalidInput

__all__ = ["Asha", "Pruner"]


class Pruner(Protocol):
    """Judges trials on their way."""

    def view(self, ended: Sequence[TrialRecord], number: int, *, minimize: bool) -> View | None:
        """What trial `number`, which starts now, takes along; None where it cannot be pruned yet."""
        ...

    def canonical(self) -> dict[str, Any]:
        """What it is, as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Asha:
    """Asynchronous successive halving (Li et al. 2020, the variant that stops and never pauses).

    Rungs are steps `first`, first · reduction, first · reduction², ...: a trial goes beyond a rung when its value there
    is among the best 1 in `reduction` of all values at that rung, its own among them; the best always goes on.
    InvalidInput for a first step below 1 or a reduction below 2.
    """

    first: int = 1
    reduction: int = 4

    def __post_init__(self) -> None:
        for name, value, least in (("first", self.first, 1), ("reduction", self.reduction, 2)):
            given: object = value
            if isinstance(given, bool) or not isinstance(given, int) or given < least:
                raise InvalidInput(f"Asha({name}={value!r})", expected=f"a whole number of at least {least}")

    def view(self, ended: Sequence[TrialRecord], number: int, *, minimize: bool) -> View | None:  # noqa: ARG002
        """The values of the trials at each rung."""
        sign = 1.0 if minimize else -1.0
        rungs: dict[int, list[float]] = {}
        for trial in ended:
            for rung, value in _at_rungs(trial.reports, self).items():
                rungs.setdefault(rung, []).append(sign * value)
        return _AshaView(self, sign, {rung: sorted(values) for rung, values in rungs.items()}) if rungs else None

    def canonical(self) -> dict[str, Any]:
        """Its name and its options."""
        return {"pruner": "asha", "first": self.first, "reduction": self.reduction}


@dataclass(frozen=True, slots=True)
class _AshaView:
    asha: Asha
    sign: float
    rungs: dict[int, list[float]]

    def stops(self, reports: Reports) -> bool:
        """Judged only where the last report is the first one at or beyond a rung."""
        before, now = _at_rungs(reports[:-1], self.asha), _at_rungs(reports, self.asha)
        for rung in now.keys() - before.keys():
            value, others = self.sign * now[rung], self.rungs.get(rung, [])
            better = sum(other < value for other in others) if value == value else len(others)  # noqa: PLR0124 - NaN
            if better >= max(1, (len(others) + 1) // self.asha.reduction):
                return True
        return False


def _at_rungs(reports: Reports, asha: Asha) -> dict[int, float]:
    """The value of a trial at each rung it has reached: the first report at or beyond it."""
    found: dict[int, float] = {}
    rung = asha.first
    for step, value in reports:
        while step >= rung:
            found[rung] = value
            rung *= asha.reduction
    return found
