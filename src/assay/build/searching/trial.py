"""A trial as the objective sees it, and running one: in this process or in another.

A trial touches no store. It is given all that it needs before it starts, and what came of it goes back as a value.
"""

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from assay.build.searching.scores import Scores
from assay.build.searching.space import Params
from assay.record.tracking.runs import Run, leave, printable, stand_in

__all__ = ["Objective", "Pruned", "Result", "Trial", "View", "run_trial"]

Reports = list[tuple[int, float]]
Answer = float | Scores | Mapping[str, "float | Scores"]


class View(Protocol):
    """What a pruner knows when a trial starts. Where the trial runs elsewhere, pickle can write it."""

    def stops(self, reports: Reports) -> bool:
        """Whether a trial that has reported these (step, value) is to end, judged at the last of them."""
        ...


class Pruned(Exception):
    """Ends a trial that is not worth going on with: `Trial.report` raises it, and the objective lets it through."""


class Trial:
    """What an objective is given beside the parameters: its number, and where it tells how far it is."""

    def __init__(self, number: int, view: View | None = None) -> None:
        self.number = number
        self._view = view
        self._reports: Reports = []
        self._tags: dict[str, str] = {}
        self._stopping = False

    def report(self, value: float, step: int) -> None:
        """Tell an intermediate value of the objective; the search's pruner may end the trial here, by Pruned.

        Steps are whole numbers that grow. ValueError for another one, TypeError for what is no number.
        """
        if self.should_stop(value, step):
            raise Pruned

    def should_stop(self, value: float, step: int) -> bool:
        """The same as `report` for an objective that ends by itself: a trial that was told to stop is pruned."""
        if isinstance(step, bool) or int(step) != step or (self._reports and step <= self._reports[-1][0]):
            after = f" after {self._reports[-1][0]}" if self._reports else ""
            raise ValueError(f"a trial reported step {step!r}{after}: steps are whole numbers that grow")
        self._reports.append((int(step), _number(value, "a reported value")))
        if self._view is not None and not self._stopping:
            self._stopping = self._view.stops(self._reports)
        return self._stopping

    def tag(self, name: str, value: object) -> None:
        """Keep a label with the trial."""
        self._tags[name] = str(value)


Objective = Callable[[Params, Trial], Answer]


@dataclass(slots=True)
class Result:
    """What came of a trial. `state` is finished, pruned or failed; `values` hold the objectives and further metrics.

    `log` is what it printed, where an executor caught that.
    """

    state: str
    values: dict[str, float] = field(default_factory=dict)
    reports: Reports = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)
    reason: str | None = None
    trace: str | None = None
    log: str = ""


def run_trial(
    objective: Objective, params: Params, number: int, view: View | None, names: Sequence[str], run: Run | None = None
) -> Result:
    """Run the objective once. What it raises is a failed trial; only what ends the process comes through.

    `names` are those of the objectives that it has to answer. With `run` steps inside are remembered as that run's.
    """
    trial = Trial(number, view)
    token = stand_in(run) if run is not None else None
    try:
        answer = objective(dict(params), trial)
        values, scores = _read(answer, names)
    except Pruned:
        return Result("pruned", reports=trial._reports, tags=trial._tags)
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises is the trial's failure, and is told
        reason = printable(f"{type(error).__name__}: {error}"[:500])
        trace = traceback.format_exc()
        return Result("failed", reports=trial._reports, tags=trial._tags, reason=reason, trace=trace)
    finally:
        if token is not None:
            leave(token)
    if trial._stopping:
        return Result("pruned", reports=trial._reports, tags=trial._tags)
    return Result("finished", values, trial._reports, trial._tags, scores)


def _read(answer: object, names: Sequence[str]) -> tuple[dict[str, float], dict[str, Scores]]:
    """The numbers and the scores by row in what an objective returned. ValueError, TypeError where it is neither."""
    given: Mapping[str, Any]
    if isinstance(answer, Mapping):
        given = answer
    elif len(names) == 1:
        given = {names[0]: answer}
    else:
        raise TypeError(f"the objective returned {answer!r}: expected a dictionary with {', '.join(names)}")
    missing = [name for name in names if name not in given]
    if missing:
        raise ValueError(f"the objective returned {', '.join(map(str, given)) or 'nothing'}, and no {missing[0]}")
    scores = {str(name): value for name, value in given.items() if isinstance(value, Scores)}
    values = {
        str(name): value.mean if isinstance(value, Scores) else _number(value, f"{name}, which the objective returned,")
        for name, value in given.items()
    }
    for name in names:
        if math.isnan(values[name]):
            raise ValueError(f"{name}, which the objective returned, is not a number (NaN)")
    return values, scores


def _number(value: Any, what: str) -> float:
    if value is None or isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise TypeError(f"{what} is {value!r}: expected a number")
    return float(value)
