import pickle
from typing import Any

import pytest
from optuna.pruners import PercentilePruner
from tests.build.searching.shuffled import Shuffled

import assay
from assay.build import Asha, Float, Pruned, Searched, Trial
from assay.build.searching.choosing import new_pruner
from assay.build.searching.trial import Reports, run_trial
from assay.build.searching.trials import TrialRecord
from assay.errors import InvalidInput
from assay.record.search.run_listing import list_runs
from assay.record.sqlstore import SqlStore
from assay.record.tracking.metrics import history

Params = dict[str, Any]
SPACE = {"x": Float(0, 1)}


def curve(params: Params, trial: Trial) -> float:
    """It comes down to x², faster or slower."""
    value = 1.0
    for step in range(1, 17):
        value = params["x"] ** 2 + 1 / step
        trial.report(value, step)
    return float(value)


def told(found: Searched) -> list[tuple[int, Params, str, dict[str, float]]]:
    return sorted((t.number, t.params, t.state, t.values) for t in found.trials)


def ended(number: int, reports: Reports) -> TrialRecord:
    return TrialRecord(number, str(number), {}, state="finished", reports=reports)


@pytest.mark.parametrize("minimize", [True, False])
def test_at_a_rung_the_best_in_four_go_on(minimize: bool) -> None:
    sign = 1 if minimize else -1
    others = [ended(number, [(1, sign * number / 10), (4, sign * number / 10)]) for number in range(7)]
    view = Asha().view(others, 7, minimize=minimize)
    assert view is not None
    # Eight with its own: two go on.
    assert [view.stops([(1, sign * value)]) for value in (-1.0, 0.05, 0.15, 1.0, float("nan"))] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert not view.stops([(1, sign * -1.0), (2, sign * 9.0)])  # between rungs nothing is judged
    assert view.stops([(1, sign * -1.0), (3, sign * -1.0), (5, sign * 9.0)])  # the first report beyond the rung counts
    assert not view.stops([(1, sign * -1.0), (4, sign * -1.0), (16, sign * 9.0)])  # nobody was there before


def test_the_first_trial_and_the_best_one_always_go_on() -> None:
    assert Asha().view([], 0, minimize=True) is None
    view = Asha().view([ended(0, [(1, 0.5)])], 1, minimize=True)
    assert view is not None
    assert not view.stops([(1, 0.4)])
    assert not view.stops([(1, 0.5)])
    assert view.stops([(1, 0.6)])


def test_a_pruned_trial_is_a_state_of_its_own_everywhere(store: SqlStore) -> None:
    found = assay.search(curve, SPACE, store=store, pruner="asha", seed=2, n_trials=25)
    pruned = [t for t in found.trials if t.state == "pruned"]
    assert len(pruned) > 8
    assert all(t.values == {} for t in pruned)
    assert {run.run_id for run in list_runs(store, "attributes.status = 'pruned'")} == {t.run_id for t in pruned}
    points = history(store, pruned[0].run_id, "reported/value")
    assert points.step.tolist() == list(range(1, len(points) + 1))
    assert len(points) in (1, 4)
    best = history(store, found.best.run_id, "reported/value")
    assert len(best) == 16
    assert min(t.params["x"] for t in found.trials) == found.best.params["x"]


@pytest.mark.parametrize("pruner", ["asha", "median", "hyperband"])
def test_who_is_pruned_depends_neither_on_workers_nor_on_interruptions(store: SqlStore, pruner: str) -> None:
    options: dict[str, Any] = {"pruner": pruner, "seed": 2, "n_trials": 24, "in_flight": 3}
    alone = assay.search(curve, SPACE, store=store, **options)
    assert [t.state for t in alone.trials].count("pruned") > 3
    for lose in (0.0, 0.15):
        executor = Pickled(3, seed=1, lose=lose)
        several = assay.search(curve, SPACE, store=store, workers=3, executor=executor, **options)
        assert told(several) == told(alone)
        assert bool(executor.lost) == (lose > 0)

    def interrupted(params: Params, trial: Trial) -> float:
        if trial.number == 13:
            raise KeyboardInterrupt
        return curve(params, trial)

    with pytest.raises(KeyboardInterrupt):
        assay.search(interrupted, SPACE, store=store, **options)
    (row,) = store.query("run", {"kind": "search", "status": "killed"})
    assert told(assay.search(curve, SPACE, store=store, resume=row["run_id"], pruner=pruner)) == told(alone)


class Pickled(Shuffled):
    """What leaves this process is bytes."""

    def submit(self, task: Any) -> Any:
        return super().submit(pickle.loads(pickle.dumps(task)))


def test_a_pruner_of_ones_own_with_tpe(store: SqlStore) -> None:
    options: dict[str, Any] = {"sampler": "tpe", "seed": 2, "n_trials": 20}
    found = assay.search(curve, SPACE, store=store, pruner=PercentilePruner(25.0, n_startup_trials=2), **options)
    assert [t.state for t in found.trials].count("pruned") > 3
    with pytest.raises(InvalidInput, match="has another pruner"):
        assay.search(curve, SPACE, store=store, pruner=PercentilePruner(50.0), resume=found.run_id, **options)


def test_an_objective_may_end_by_itself_when_it_is_told_to_stop() -> None:
    class Always:
        def stops(self, reports: Reports) -> bool:
            return True

    cleaned: list[bool] = []

    def tidy(params: Params, trial: Trial) -> float:
        if trial.should_stop(3.0, 1):
            cleaned.append(True)
        return 3.0

    result = run_trial(tidy, {}, 0, Always(), ["value"])
    assert (result.state, cleaned, result.values) == ("pruned", [True], {})
    raised = run_trial(curve, {"x": 0.0}, 0, Always(), ["value"])
    assert (raised.state, raised.reports) == ("pruned", [(1, 1.0)])
    assert issubclass(Pruned, Exception)


@pytest.mark.parametrize(("step", "value"), [(1, 0.1), (0, 0.1), (2.5, 0.1), (3, "low"), (3, None)])
def test_a_report_that_makes_no_sense_fails_the_trial(step: Any, value: Any) -> None:
    def objective(params: Params, trial: Trial) -> float:
        trial.report(0.5, 1)
        trial.report(value, step)
        return 1.0

    result = run_trial(objective, {}, 0, None, ["value"])
    assert result.state == "failed"
    assert "whole numbers that grow" in str(result.reason) or "expected a number" in str(result.reason)


@pytest.mark.parametrize("options", [{"first": 0}, {"reduction": 1}, {"reduction": 2.5}, {"first": True}])
def test_a_halving_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="a whole number of at least"):
        Asha(**options)


def test_a_pruner_is_found_by_name() -> None:
    assert new_pruner("asha") == Asha()
    assert new_pruner(None) is None
    with pytest.raises(InvalidInput, match="did you mean 'median'"):
        new_pruner("medain")
