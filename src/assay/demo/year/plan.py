"""Which part of the year is replayed, what goes wrong in it, and what came of it."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import msgspec

__all__ = ["POLICIES", "Day", "Happening", "Plan", "Policy", "Year"]

Policy = Literal["never", "monthly", "loop"]
POLICIES: tuple[Policy, ...] = ("never", "monthly", "loop")


@dataclass(frozen=True, slots=True)
class Plan:
    """The first model learns from what landed before `live`; the replay ends before `last`.

    From the first day of `broken` on, and before the second, the timetable's feed says hours instead of minutes; on the
    second it is whole, and the rows that had come are corrected. On the day `regression` a colleague promotes a version
    that learned from wrong labels and was judged by them. `share` of all flights are taken.
    """

    live: date = date(2013, 3, 1)
    last: date = date(2014, 1, 1)
    share: float = 1.0
    seed: int = 0
    broken: tuple[date, date] | None = (date(2013, 8, 29), date(2013, 9, 4))
    regression: date | None = date(2013, 10, 10)


class Happening(msgspec.Struct, frozen=True):
    """What happened on a day: an accident, a training that began, ended or was kept back by broken data, an alert."""

    day: date
    kind: Literal["accident", "fired", "held", "ended", "alert"]
    words: str
    status: str = ""


class Day(msgspec.Struct, frozen=True):
    """A day: its flights with a label, and the sum of squared errors of what each policy said of them."""

    day: date
    flights: int
    lost: dict[Policy, float]


class Year(msgspec.Struct, kw_only=True):
    """What came of it. `trained` are the days on which a policy trained after the first model; money is in one unit.

    `bad_days` are those on which the colleague's version answered in the loop. `unwatched` is what the monthly policy
    would have lost more, had that version gone live there: until the first of the next month nobody takes it back.
    """

    share: float
    training_cost: float
    loss_cost: float
    days: list[Day] = []
    bad_days: list[date] = []
    unwatched: float = 0.0
    happened: list[Happening] = []
    trained: dict[Policy, list[date]] = msgspec.field(default_factory=lambda: {name: [] for name in POLICIES})

    def quality(self, policy: Policy, month: int | None = None) -> float:
        """The Brier score of a policy, over all days or those of a month."""
        chosen = [one for one in self.days if month in (None, one.day.month)]
        return sum(one.lost[policy] for one in chosen) / sum(one.flights for one in chosen)

    def money(self, policy: Policy, until: date | None = None) -> float:
        """What a policy is worth beside never training again, after its trainings are paid; up to and with a day."""
        last = until or self.days[-1].day
        saved = sum(one.lost["never"] - one.lost[policy] for one in self.days if one.day <= last)
        paid = sum(day <= last for day in self.trained[policy])
        return saved * self.loss_cost - paid * self.training_cost
