"""What earlier runs say: a search learns from them, or takes their answer where the question is the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from assay.build.searching.goals import Goals
from assay.build.searching.space import Misfit, Params, Space, parse_space
from assay.build.searching.trials import CODE_TAG, SEARCH, TrialRecord, definition_of, read_trials
from assay.build.steps.values import value_hash
from assay.errors import InvalidInput
from assay.record.store import Row, Store
from assay.record.tracking.metrics import latest
from assay.record.tracking.runs import find_run

__all__ = ["WarmStart", "code_of_objective", "evaluated_before", "warm_start"]


_SAME_SPACE = "warm_start takes runs of the same space"


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Trials to learn from, numbered -1, -2, ..., of `runs`; and how many were outside the bounds of today."""

    runs: list[str]
    trials: list[TrialRecord]
    outside: int

    def canonical(self) -> dict[str, list[str]]:
        """What was taken then, so that a search that is taken up again learns from the same."""
        return {"runs": self.runs, "trials": [trial.run_id for trial in self.trials]}


def warm_start(
    store: Store, runs: Sequence[str], space: Space, goals: Goals, only: Sequence[str] | None = None
) -> WarmStart:
    """The trials of those searches, and those other runs, that are inside the space; the first characters name a run.

    Of searches trials count that have finished or were pruned; with `only`, those runs alone, in that order.
    InvalidInput, with the reason, for a search of another space and for a run that has not all params, or lacks an
    objective.
    """
    ids = []
    found: list[TrialRecord] = []
    outside = 0
    for run in dict.fromkeys(runs):
        row = find_run(store, run)
        ids.append(row["run_id"])
        records = _of_search(store, row, space, goals) if row["kind"] == SEARCH else [_of_run(store, row, space, goals)]
        outside += records.count(None)
        found += [record for record in records if record is not None]
    if only is not None:
        by_id = {trial.run_id: trial for trial in found}
        gone = [run_id for run_id in only if run_id not in by_id]
        if gone:
            raise InvalidInput(f"run {gone[0][:8]}, which the search learned from, is gone", hint="restore it")
        found = [by_id[run_id] for run_id in only]
    for position, trial in enumerate(found):
        trial.number = -1 - position
    return WarmStart(ids, found, outside)


def code_of_objective(objective: Callable[..., Any]) -> str:
    """A hash of the objective's code: what it reaches in the project, its globals by content, versions of libraries.

    InvalidInput for what has no such hash: a lambda, or a function inside another.
    """
    return value_hash(objective, "the objective")


def evaluated_before(store: Store, code: str, goals: Goals) -> Callable[[Params], TrialRecord | None]:
    """Looks a trial up by its parameters, among those that have finished in searches with the same objective."""
    known: dict[tuple[Any, ...], TrialRecord] = {}
    for tag in store.query("run_tag", {"key": CODE_TAG, "value": code}):
        kept = definition_of(store, tag["run_id"])
        other = parse_space(kept["space"], "search")
        for trial in read_trials(store, tag["run_id"], other, goals.first):
            if trial.state == "finished" and all(name in trial.values for name in goals.names):
                known.setdefault(_key(trial.params), trial)

    def look_up(params: Params) -> TrialRecord | None:
        return known.get(_key(params))

    return look_up


def _key(params: Params) -> tuple[Any, ...]:
    return tuple(sorted((name, type(value).__name__, value) for name, value in params.items()))


def _of_search(store: Store, row: Row, space: Space, goals: Goals) -> list[TrialRecord | None]:
    kept = definition_of(store, row["run_id"])
    other = parse_space(kept["space"], "search")
    where = f"search {row['run_id'][:8]}"
    reason = space.differs_from(other)
    if reason is not None:
        raise InvalidInput(f"{where} is of another space: {reason}", hint=_SAME_SPACE)
    for name, direction in goals.directions.items():
        if kept["objectives"].get(name) != direction:
            there = ", ".join(f"{direction} {name}" for name, direction in kept["objectives"].items())
            raise InvalidInput(f"{where} has another objective", where=f"{direction} {name} here, {there} there")
    trials = read_trials(store, row["run_id"], other, goals.first)
    useful = [trial for trial in trials if trial.state in ("finished", "pruned")]
    return [trial if _fits(space, trial.params) else None for trial in useful]


def _of_run(store: Store, row: Row, space: Space, goals: Goals) -> TrialRecord | None:
    run_id, where = row["run_id"], f"run {row['run_id'][:8]}"
    texts = {param["key"]: param["value"] for param in store.query("run_param", {"run_id": run_id})}
    params = space.read(texts)
    if isinstance(params, Misfit):
        if params.is_outside:
            return None
        raise InvalidInput(f"{where} is of another space: {params.reason}", hint=_SAME_SPACE)
    values = {name: point.value for name, point in latest(store, [run_id])[run_id].items()}
    missing = [name for name in goals.names if name not in values or values[name] != values[name]]
    if missing:
        raise InvalidInput(f"{where} has no metric {missing[0]}", expected="runs that measured the objective")
    return TrialRecord(0, run_id, params, state="finished", values=values)


def _fits(space: Space, params: Params) -> bool:
    return not isinstance(space.read({name: str(value) for name, value in params.items()}), Misfit)
