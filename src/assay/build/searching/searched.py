"""What a search came to, from the record: its trials, best first, and why it is over."""

import msgspec

from assay.build.searching.goals import checked_goals
from assay.build.searching.holdout import HeldOut, read_holdout
from assay.build.searching.honest import BestOfTrials, best_of_trials
from assay.build.searching.space import Params, parse_space
from assay.build.searching.trials import TrialRecord, definition_of, read_trials
from assay.errors import InvalidInput
from assay.record.store import Row, Store

__all__ = ["Searched", "TrialResult", "searched"]


class TrialResult(msgspec.Struct, frozen=True):
    """One trial. `state` is finished, pruned, failed, running or lost; `values` are its final metrics.

    `same_as` names the run it was not run again for: the parameters had been evaluated there.
    """

    number: int
    run_id: str
    state: str
    params: Params
    values: dict[str, float]
    seconds: float
    same_as: str | None
    reason: str | None


class Searched(msgspec.Struct, frozen=True):
    """What a search came to. `trials` stand best first, those without a result last; `ended` says why it is over.

    `front` are the numbers of the trials that no other one beats; with one objective, of the best alone. `best_of` is
    there where the objective gave `Scores`, `holdout` where the best trials were evaluated on one, best first.
    """

    run_id: str
    experiment: str
    objectives: dict[str, str]
    ended: str
    seed: int
    trials: list[TrialResult]
    front: list[int]
    best_of: BestOfTrials | None = None
    holdout: list[HeldOut] = []

    @property
    def best(self) -> TrialResult:
        """The best trial; with several objectives one of the front. InvalidInput where none has finished."""
        if not self.front:
            raise InvalidInput("no trial has finished", where=f"search {self.run_id[:8]}")
        return next(trial for trial in self.trials if trial.number == self.front[0])


def searched(store: Store, row: Row) -> Searched:
    """What a search came to, from the record."""
    kept = definition_of(store, row["run_id"])
    goals = checked_goals(kept["objectives"])
    trials = read_trials(store, row["run_id"], parse_space(kept["space"], "search"), goals.first, reports=False)
    ranked = goals.ranked(trials)
    rest = [trial for trial in trials if trial.state != "finished"]
    front = goals.front(trials) if len(goals.names) > 1 else ranked[:1]
    return Searched(
        run_id=row["run_id"],
        experiment=store.get("experiment", {"experiment_id": row["experiment_id"]})["name"],
        objectives=dict(goals.directions),
        ended=row["reason"] or row["status"],
        seed=kept["seed"],
        trials=[_result(trial) for trial in [*ranked, *rest]],
        front=[trial.number for trial in front],
        best_of=best_of_trials(store, trials, goals),
        holdout=read_holdout(store, row["run_id"], ranked, goals),
    )


def _result(trial: TrialRecord) -> TrialResult:
    return TrialResult(
        trial.number, trial.run_id, trial.state, trial.params, trial.values, trial.seconds, trial.same_as, trial.reason
    )
