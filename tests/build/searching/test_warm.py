from typing import Any

import pytest
from tests.build.searching import objectives

import assay
from assay.build import Choice, Float, Int, Searched, Trial
from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import show_run, start_run

Params = dict[str, Any]
SPACE = {"x": Float(-5, 5), "kind": Choice(["a", "b"]), "depth": Int(1, 3, when={"kind": "a"})}


def bowl(params: Params, trial: Trial) -> float:
    trial.tag("computed", trial.number)
    return float((params["x"] - 1) ** 2 + params.get("depth", 0))


def told(found: Searched) -> list[tuple[int, Params, str, dict[str, float]]]:
    return sorted((t.number, t.params, t.state, t.values) for t in found.trials)


def computed(store: SqlStore, found: Searched) -> list[int]:
    """The trials of a search that were run."""
    tags = store.query("run_tag", {"key": "computed", "run_id in": [t.run_id for t in found.trials]})
    return sorted(int(tag["value"]) for tag in tags)


def test_a_search_learns_from_an_earlier_one(store: SqlStore) -> None:
    first = assay.search(bowl, SPACE, store=store, sampler="random", seed=1, n_trials=60)
    options: dict[str, Any] = {"sampler": "tpe", "seed": 2, "n_trials": 10}
    cold = assay.search(bowl, SPACE, store=store, **options)
    warm = assay.search(bowl, SPACE, store=store, warm_start=[first.run_id[:10]], **options)
    means = [sum(t.values["value"] for t in found.trials) / 10 for found in (cold, warm)]
    assert means[1] < means[0] / 2
    assert show_run(store, warm.run_id).params["warm_start"] == "60 runs"


def test_runs_outside_the_bounds_of_today_are_skipped_and_counted(store: SqlStore) -> None:
    first = assay.search(bowl, SPACE, store=store, seed=1, n_trials=30)
    narrow = {**SPACE, "x": Float(0, 5), "kind": Choice(["a", "c"])}
    inside = sum(t.params["x"] >= 0 and t.params["kind"] == "a" for t in first.trials)
    found = assay.search(bowl, narrow, store=store, sampler="tpe", seed=1, n_trials=3, warm_start=[first.run_id])
    expected = f"{inside} runs, {30 - inside} others outside the bounds"
    assert show_run(store, found.run_id).params["warm_start"] == expected


def test_a_search_that_learned_is_taken_up_with_what_it_had_learned(store: SqlStore) -> None:
    first = assay.search(
        objectives.bowl, {"x": Float(-5, 5)}, store=store, pruner="asha", seed=1, n_trials=15
    )  # some are pruned
    options: dict[str, Any] = {"sampler": "tpe", "seed": 2}
    space = {"x": Float(-4, 5)}
    whole = assay.search(objectives.bowl, space, store=store, warm_start=[first.run_id], n_trials=12, **options)
    part = assay.search(objectives.bowl, space, store=store, warm_start=[first.run_id], n_trials=7, **options)
    more = assay.search(  # the first search has grown meanwhile
        objectives.bowl, {"x": Float(-5, 5)}, store=store, pruner="asha", n_trials=20, resume=first.run_id
    )
    assert len(more.trials) == 20
    resumed = assay.search(objectives.bowl, space, store=store, resume=part.run_id, n_trials=12, **options)
    assert told(resumed) == told(whole)
    with pytest.raises(InvalidInput, match="leave it out"):
        assay.search(objectives.bowl, space, store=store, resume=part.run_id, warm_start=[first.run_id], **options)


def test_any_run_with_the_params_and_the_metric_teaches(store: SqlStore) -> None:
    with start_run(store, "by hand") as run:
        run.params({"x": 1.01, "kind": "b", "note": "no parameter"})
        run.metrics({"value": 0.01})
    found = assay.search(bowl, SPACE, store=store, sampler="tpe", seed=1, n_trials=2, warm_start=[run.run_id])
    assert show_run(store, found.run_id).params["warm_start"] == "1 runs"


def test_another_space_is_refused_with_the_reason_and_nothing_is_recorded(store: SqlStore) -> None:
    first = assay.search(bowl, SPACE, store=store, seed=1, n_trials=3)
    with start_run(store, "by hand") as run:
        run.params({"x": 1.0})
    with start_run(store, "by hand") as unmeasured:
        unmeasured.params({"x": 1.0, "kind": "b"})
    before = len(store.query("run"))
    cases: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
        (first.run_id, {"x": Int(0, 1), "kind": SPACE["kind"], "depth": SPACE["depth"]}, {}, "x is int here and float"),
        (first.run_id, {"x": Float(0, 1)}, {}, "is a parameter there"),
        (first.run_id, SPACE, {"direction": "maximize"}, "has another objective"),
        (first.run_id, SPACE, {"objectives": {"loss": "minimize"}}, "minimize loss here, minimize value there"),
        (first.run_id, SPACE, {"sampler": "random"}, "does not learn"),
        (run.run_id, SPACE, {}, "of another space: kind is missing"),
        (unmeasured.run_id, SPACE, {}, "has no metric value"),
    ]
    for earlier, space, options, said in cases:
        with pytest.raises(InvalidInput, match=said):
            assay.search(bowl, space, store=store, n_trials=2, warm_start=[earlier], **{"sampler": "tpe", **options})
    assert len(store.query("run")) == before


def test_what_was_evaluated_is_not_run_again_and_it_is_said_where(store: SqlStore) -> None:
    space = {"x": Float(-1, 1, step=1), "kind": Choice(["b"])}
    first = assay.search(bowl, space, store=store, sampler="grid")
    again = assay.search(bowl, {**space, "x": Float(-1, 2, step=1)}, store=store, sampler="grid", reuse=True)
    assert computed(store, again) == [3]
    runs = {t.params["x"]: t.run_id for t in first.trials}
    assert {t.params["x"]: t.same_as for t in again.trials} == {**runs, 2.0: None}
    assert {t.params["x"]: t.values["value"] for t in again.trials} == {-1.0: 4.0, 0.0: 1.0, 1.0: 0.0, 2.0: 1.0}
    once_more = assay.search(bowl, space, store=store, sampler="grid")
    assert computed(store, once_more) == [0, 1, 2]  # unless that is asked for, everything is run


def test_within_a_search_the_same_parameters_are_run_once(store: SqlStore) -> None:
    found = assay.search(bowl, {"x": Int(0, 2)}, store=store, n_trials=12, seed=1, reuse=True)
    assert len(computed(store, found)) == 3
    assert sum(t.same_as is not None for t in found.trials) == 9


def test_another_objective_is_no_answer(store: SqlStore) -> None:
    space = {"x": Int(0, 2)}
    assay.search(bowl, space, store=store, sampler="grid")
    found = assay.search(objectives.bowl, space, store=store, sampler="grid", reuse=True)
    assert [t.same_as for t in found.trials] == [None] * 3
    with pytest.raises(InvalidInput, match="none that can be named"):
        assay.search(lambda p, t: 1.0, space, store=store, sampler="grid", reuse=True)
