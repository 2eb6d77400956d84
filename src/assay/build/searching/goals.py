"""What a search is after: objectives by name, each with its direction, and which trials are best by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from assay.build.searching.trials import TrialRecord
from assay.errors import InvalidInput, nearest
from assay.record.names import check_key

__all__ = ["Direction", "Goals", "checked_goals"]

Direction = Literal["minimize", "maximize"]
_DIRECTIONS = ("minimize", "maximize")


@dataclass(frozen=True, slots=True)
class Goals:
    """Objectives in order; the first one is what reports are about."""

    directions: Mapping[str, Direction]

    @property
    def names(self) -> list[str]:
        """The objectives' names."""
        return list(self.directions)

    @property
    def first(self) -> str:
        """The first objective."""
        return self.names[0]

    def is_minimized(self, name: str) -> bool:
        """Whether less is better."""
        return self.directions[name] == "minimize"

    def costs(self, trial: TrialRecord) -> tuple[float, ...]:
        """What a finished trial comes to, one number an objective, less is better."""
        return tuple(trial.values[name] * (1 if self.is_minimized(name) else -1) for name in self.names)

    def betters(self, trial: TrialRecord, others: Sequence[TrialRecord]) -> bool:
        """Whether a trial is better than every other; with several objectives, whether no other one is as good."""
        if trial.state != "finished":
            return False
        mine = self.costs(trial)
        return not any(_as_good(self.costs(other), mine) for other in others if other.state == "finished")

    def ranked(self, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
        """Finished trials, best first: those on the front, then those on the front of the rest, and so on."""
        finished = [trial for trial in trials if trial.state == "finished"]
        if len(self.directions) == 1:
            return sorted(finished, key=lambda trial: (self.costs(trial), trial.number))
        order: list[TrialRecord] = []
        while finished:
            front = self.front(finished)
            order += front
            on_front = {trial.number for trial in front}
            finished = [trial for trial in finished if trial.number not in on_front]
        return order

    def front(self, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
        """Finished trials that no other one beats: is as good in every objective and better in one."""
        finished = sorted((t for t in trials if t.state == "finished"), key=lambda t: (self.costs(t), t.number))
        front: list[TrialRecord] = []
        for trial in finished:  # in order of the first objective: only those before can beat it
            mine = self.costs(trial)
            if not any(_as_good(self.costs(other), mine) and self.costs(other) != mine for other in front):
                front.append(trial)
        return front

    def said(self, trial: TrialRecord) -> str:
        """The objectives of a finished trial in words."""
        return ", ".join(f"{name} {trial.values[name]:.6g}" for name in self.names)


def checked_goals(given: "str | Mapping[str, str]") -> Goals:
    """A direction for the one objective `value`, or directions by name; InvalidInput with the nearest spelling."""
    listed: object = {"value": given} if isinstance(given, str) else given
    if not isinstance(listed, Mapping) or not listed:
        raise InvalidInput(
            f"the objectives are {given!r}", expected='minimize, maximize, or directions by name: {"loss": "minimize"}'
        )
    for name, direction in listed.items():
        check_key("metric", name)
        if direction not in _DIRECTIONS:
            close = nearest(str(direction), list(_DIRECTIONS))
            raise InvalidInput(
                f"the direction of {name} is {direction!r}",
                expected="minimize | maximize",
                hint=f"did you mean {close!r}?" if close else None,
            )
    return Goals(cast(Mapping[str, Direction], dict(listed)))


def _as_good(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))
