"""The best trials once more, on rows that nothing was chosen on.

Each is a run of kind `eval` below the search. It is done once: whoever looks again sees the same number, because a
hold-out that is asked again and again is no hold-out any more.
"""

from collections.abc import Callable, Sequence

import msgspec

from assay.build.executors.executor import Executor, Task
from assay.build.executors.mapping import map_tasks
from assay.build.searching.goals import Goals
from assay.build.searching.space import Params
from assay.build.searching.trial import Answer, Result, Trial, run_trial
from assay.build.searching.trials import NUMBER_TAG, TrialRecord, begin_trial, end_trial
from assay.progress import tell
from assay.record.store import Row, Store
from assay.record.tracking.metrics import latest

__all__ = ["HOLDOUT", "HeldOut", "Holdout", "hold_out", "read_holdout"]

HOLDOUT = "eval"

Holdout = Callable[[Params], Answer]


class HeldOut(msgspec.Struct, frozen=True):
    """A trial on the hold-out: its scores in the search beside those there, by objective; `reason` where it failed."""

    number: int
    run_id: str
    search: dict[str, float]
    holdout: dict[str, float]
    reason: str | None


def hold_out(
    store: Store, search: Row, holdout: Holdout, best: Sequence[TrialRecord], goals: Goals, executor: Executor
) -> None:
    """Evaluate those of the trials that have not been, and record each; what raises is a failed run."""
    done = {run.number for run in read_holdout(store, search["run_id"], best, goals)}
    todo = [trial for trial in best if trial.number not in done]
    asked = _Evaluated(holdout)
    tasks = [
        Task(f"hold-out {trial.number}", run_trial, (asked, trial.params, trial.number, None, goals.names))
        for trial in todo
    ]
    for ended, (position, outcome) in enumerate(map_tasks(executor, tasks), 1):
        trial = todo[position]
        result = outcome.value or Result("failed", reason=f"{type(outcome.error).__name__}: {outcome.error}"[:500])
        run = begin_trial(store, search, trial.number, trial.params, 1, {}, kind=HOLDOUT)
        end_trial(store, search, run, result, goals.first)
        tell("hold-out", ended / len(todo), goals.said(trial))


def read_holdout(store: Store, search_id: str, trials: Sequence[TrialRecord], goals: Goals) -> list[HeldOut]:
    """What is on record for these trials, in their order; an evaluation that failed stands too."""
    rows = store.query("run", {"parent_run_id": search_id, "kind": HOLDOUT, "deleted": None}, order_by=["started"])
    ids = [row["run_id"] for row in rows]
    numbers = {
        tag["run_id"]: int(tag["value"]) for tag in store.query("run_tag", {"run_id in": ids, "key": NUMBER_TAG})
    }
    by_number = {numbers[row["run_id"]]: row for row in rows if row["status"] in ("finished", "failed")}
    metrics = latest(store, ids)
    return [
        HeldOut(
            trial.number,
            row["run_id"],
            {name: trial.values[name] for name in goals.names},
            {name: metrics[row["run_id"]][name].value for name in goals.names if name in metrics[row["run_id"]]},
            row["reason"],
        )
        for trial in trials
        if (row := by_number.get(trial.number)) is not None
    ]


class _Evaluated:
    """The hold-out as an objective."""

    def __init__(self, holdout: Holdout) -> None:
        self._holdout = holdout

    def __call__(self, params: Params, trial: Trial) -> Answer:  # noqa: ARG002 - an objective's second argument
        return self._holdout(params)
