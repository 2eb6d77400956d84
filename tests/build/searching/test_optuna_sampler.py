import sys
from typing import Any

import pytest
from optuna.samplers import TPESampler
from tests.build.searching.shuffled import Shuffled

import assay
from assay.build import Choice, Float, Int, Searched, Trial
from assay.build.searching.searched import searched
from assay.errors import InvalidInput, MissingExtra
from assay.record.sqlstore import SqlStore

SPACE = {
    "x": Float(-5, 5),
    "y": Float(-5, 5),
    "share": Float(0, 0.7, step=0.1),
    "kind": Choice(["a", "b", None, True]),
    "depth": Int(1, 30, log=True, when={"kind": "a"}),
}
Params = dict[str, Any]


def bowl(params: Params, trial: Trial) -> float:
    return float((params["x"] - 1) ** 2 + params["y"] ** 2 + params["share"] + params.get("depth", 0))


def told(found: Searched) -> list[tuple[int, Params, str, dict[str, float]]]:
    return sorted((t.number, t.params, t.state, t.values) for t in found.trials)


def interrupted(store: SqlStore, at: int, **options: Any) -> Searched:
    """A search that is interrupted at a trial and taken up again."""

    def objective(params: Params, trial: Trial) -> float:
        if trial.number == at:
            raise KeyboardInterrupt
        return bowl(params, trial)

    with pytest.raises(KeyboardInterrupt):
        assay.search(objective, SPACE, store=store, **options)
    (row,) = store.query("run", {"kind": "search", "status": "killed"})
    return assay.search(bowl, SPACE, store=store, resume=row["run_id"], sampler=options["sampler"])


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "cmaes"])
def test_a_search_that_is_taken_up_again_suggests_the_same(store: SqlStore, sampler: str) -> None:
    options: dict[str, Any] = {"sampler": sampler, "seed": 3, "n_trials": 30}
    whole = assay.search(bowl, SPACE, store=store, **options)
    assert told(interrupted(store, 17, **options)) == told(whole)


def test_tpe_learns(store: SqlStore) -> None:
    learning, not_learning = (
        assay.search(bowl, SPACE, store=store, sampler=sampler, seed=3, n_trials=40) for sampler in ("tpe", "random")
    )
    means = [sum(t.values["value"] for t in found.trials[:20]) / 20 for found in (learning, not_learning)]
    assert means[0] < means[1] / 2


def test_cmaes_goes_on_from_what_it_learned(store: SqlStore) -> None:
    space = {"x": Float(-5, 5), "y": Float(-5, 5)}

    def smooth(params: Params, trial: Trial) -> float:
        return float((params["x"] - 1) ** 2 + (params["y"] + 2) ** 2)

    found = assay.search(smooth, space, store=store, sampler="cmaes", seed=1, n_trials=80)
    last = [t.values["value"] for t in sorted(found.trials, key=lambda t: t.number)[-10:]]
    assert max(last) < 2.0


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_what_is_suggested_does_not_depend_on_the_order_in_which_trials_end(store: SqlStore, sampler: str) -> None:
    alone = assay.search(bowl, SPACE, store=store, sampler=sampler, seed=4, n_trials=24, in_flight=4)
    executor = Shuffled(3, seed=5, lose=0.1)
    several = assay.search(
        bowl, SPACE, store=store, sampler=sampler, seed=4, n_trials=24, in_flight=4, workers=3, executor=executor
    )
    assert executor.lost
    assert told(several) == told(alone)


def test_running_trials_are_taken_into_account(store: SqlStore) -> None:
    """Eight trials that are open at once are eight different ones: TPE knows of those that run."""
    space = {"n": Choice([str(number) for number in range(12)])}
    found = assay.search(
        lambda p, t: float(p["n"]), space, store=store, sampler="tpe", seed=1, n_trials=40, in_flight=8
    )
    last = [t.params["n"] for t in sorted(found.trials, key=lambda t: t.number)[-8:]]
    assert len(set(last)) > 2


def test_several_objectives(store: SqlStore) -> None:
    def both(params: Params, trial: Trial) -> dict[str, float]:
        return {"error": params["x"] ** 2, "speed": params["x"]}

    goals = {"error": "minimize", "speed": "maximize"}
    options: dict[str, Any] = {"objectives": goals, "seed": 1, "n_trials": 15}
    found = assay.search(both, {"x": Float(-1, 1)}, store=store, sampler="nsga2", **options)
    assert len(found.front) > 1
    with pytest.raises(InvalidInput, match="takes one objective"):
        assay.search(both, {"x": Float(-1, 1)}, store=store, sampler="cmaes", **options)


def test_a_sampler_of_ones_own_is_made_anew_for_every_trial(store: SqlStore) -> None:
    seeds: list[int] = []

    def few_at_random(seed: int) -> TPESampler:
        seeds.append(seed)
        return TPESampler(seed=seed, n_startup_trials=3)

    found = assay.search(bowl, SPACE, store=store, sampler=few_at_random, seed=3, n_trials=6)
    assert len(seeds) == len(set(seeds)) == 6
    assert store.get("run_param", {"run_id": found.run_id, "key": "sampler"})["value"].endswith("few_at_random")


def test_what_would_be_suggested_otherwise_is_not_taken_up(store: SqlStore) -> None:
    found = assay.search(bowl, SPACE, store=store, sampler="nsga2", seed=3, n_trials=5)
    store.put_many("run_param", [{"run_id": found.best.run_id, "key": "x", "value": "4.5", "layer": 0}])
    with pytest.raises(InvalidInput, match="would have other parameters now"):
        assay.search(bowl, SPACE, store=store, sampler="nsga2", n_trials=9, resume=found.run_id)
    row = store.get("run", {"run_id": found.run_id})
    assert (row["status"], len(searched(store, row).trials)) == ("failed", 5)


def test_a_failed_trial_teaches_nothing_and_harms_nothing(store: SqlStore) -> None:
    def fragile(params: Params, trial: Trial) -> float:
        if trial.number % 3 == 1:
            raise RuntimeError("no convergence")
        return bowl(params, trial)

    found = assay.search(fragile, SPACE, store=store, sampler="tpe", seed=3, n_trials=20)
    assert [t.state for t in found.trials].count("failed") == 7


def test_what_is_not_installed_is_said_before_anything_is_recorded(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r"needs torch.*\n.*pip install torch"):
        assay.search(bowl, SPACE, store=store, sampler="gp", n_trials=3)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"assay-mlops\[search\]"):
        assay.search(bowl, SPACE, store=store, sampler="tpe", n_trials=3)
    assert store.query("run") == []
