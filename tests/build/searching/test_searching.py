import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.build.searching.shuffled import Shuffled

import assay
from assay.build import Budget, Choice, Float, Int, Searched, Trial
from assay.build.searching.searched import searched
from assay.errors import Conflict, InvalidInput
from assay.progress import listening
from assay.record import open_store
from assay.record.search.run_listing import list_runs
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import show_run

SPACE = {"x": Float(-5, 5), "kind": Choice(["a", "b"]), "depth": Int(1, 3, when={"kind": "a"})}
Params = dict[str, Any]


def bowl(params: Params, trial: Trial) -> float:
    return float((params["x"] - 1) ** 2 + params.get("depth", 0))


def told(found: Searched) -> list[tuple[int, Params, str, dict[str, float]]]:
    return sorted((t.number, t.params, t.state, t.values) for t in found.trials)


def test_a_search_is_a_run_and_each_trial_a_child_run(store: SqlStore) -> None:
    found = assay.search(bowl, SPACE, store=store, experiment="bowls", n_trials=8, seed=3)
    detail = show_run(store, found.run_id)
    assert (detail.run.kind, detail.run.status, detail.run.experiment) == ("search", "finished", "bowls")
    assert detail.params["space/x"] == "float -5.0 5.0"
    assert detail.reason == found.ended == "8 trials were run"
    assert detail.run.metrics["value"] == found.best.values["value"] == min(t.values["value"] for t in found.trials)
    assert [child.kind for child in detail.children] == ["trial"] * 8
    trial = show_run(store, found.best.run_id)
    assert trial.tags["trial.number"] == str(found.best.number)
    assert trial.params == {name: str(value) for name, value in found.best.params.items()}
    query = f"metrics.value <= {found.best.values['value']} and attributes.kind = 'trial'"
    assert [run.run_id for run in list_runs(store, query)] == [found.best.run_id]


@pytest.mark.parametrize("sampler", ["random", "sobol"])
def test_the_same_seed_gives_the_same_trials_and_another_one_others(store: SqlStore, sampler: str) -> None:
    first, again, other = (
        assay.search(bowl, SPACE, store=store, n_trials=9, seed=seed, sampler=sampler) for seed in (1, 1, 2)
    )
    assert told(first) == told(again) != told(other)


def test_a_seed_that_was_drawn_is_kept_and_repeats_the_search(store: SqlStore) -> None:
    first = assay.search(bowl, SPACE, store=store, n_trials=5)
    assert told(assay.search(bowl, SPACE, store=store, n_trials=5, seed=first.seed)) == told(first)


def test_a_sobol_sequence_fills_each_axis_evenly(store: SqlStore) -> None:
    found = assay.search(lambda p, t: p["x"], {"x": Float(0, 1)}, store=store, n_trials=64, seed=5, sampler="sobol")
    assert sorted(int(t.params["x"] * 64) for t in found.trials) == list(range(64))


def test_a_grid_ends_by_itself(store: SqlStore) -> None:
    space = {"x": Float(-1, 1, step=1), "depth": Int(1, 2)}
    found = assay.search(bowl, space, store=store, sampler="grid")
    assert [t.params for t in sorted(found.trials, key=lambda t: t.number)] == [
        {"x": x, "depth": depth} for x in (-1.0, 0.0, 1.0) for depth in (1, 2)
    ]
    assert found.ended == "the grid has 6 points, and all were tried"
    assert found.best.params == {"x": 1.0, "depth": 1}


def test_more_is_better_where_that_is_said(store: SqlStore) -> None:
    found = assay.search(bowl, SPACE, store=store, n_trials=6, seed=1, direction="maximize")
    assert found.best.values["value"] == max(t.values["value"] for t in found.trials)


def test_a_trial_that_raises_is_failed_with_the_reason_and_the_search_goes_on(store: SqlStore) -> None:
    def fragile(params: Params, trial: Trial) -> float | None:
        if trial.number == 2:
            raise RuntimeError("no convergence")
        return None if trial.number == 3 else float("nan") if trial.number == 4 else 1.0

    found = assay.search(fragile, SPACE, store=store, n_trials=6, seed=1)  # type: ignore[arg-type] # None is the point
    states = {t.number: (t.state, t.reason) for t in found.trials}
    assert states[2] == ("failed", "RuntimeError: no convergence")
    assert "is None: expected a number" in str(states[3][1])
    assert "not a number (NaN)" in str(states[4][1])
    assert [number for number, (state, _) in states.items() if state == "finished"] == [0, 1, 5]


def test_where_the_first_trials_all_fail_the_search_ends(store: SqlStore) -> None:
    def broken(params: Params, trial: Trial) -> float:
        return float(params["typo"])

    with pytest.raises(InvalidInput, match=r"(?s)the first 3 trials all failed.*KeyError: 'typo'"):
        assay.search(broken, SPACE, store=store, n_trials=50)
    (run,) = store.query("run", {"kind": "search"})
    assert run["status"] == "failed"
    assert len(store.query("run", {"kind": "trial"})) == 3


def test_trials_are_the_same_for_any_number_of_workers_and_any_order_in_which_they_end(store: SqlStore) -> None:
    alone = assay.search(bowl, SPACE, store=store, n_trials=20, seed=4, in_flight=4)
    for workers in (2, 4):
        several = assay.search(
            bowl,
            SPACE,
            store=store,
            n_trials=20,
            seed=4,
            in_flight=4,
            workers=workers,
            executor=Shuffled(workers, seed=workers),
        )
        assert told(several) == told(alone)


def test_patience_ends_at_the_same_trial_whatever_the_number_of_workers(store: SqlStore) -> None:
    budget = Budget(trials=200, patience=12)
    alone = assay.search(bowl, SPACE, store=store, budget=budget, seed=8, in_flight=4)
    several = assay.search(
        bowl, SPACE, store=store, budget=budget, seed=8, in_flight=4, workers=4, executor=Shuffled(4, seed=1)
    )
    assert told(several) == told(alone)
    assert len(alone.trials) < 200
    assert alone.ended == "12 trials in a row were no better than the best before them"


def test_a_trial_whose_worker_died_is_run_again_with_the_same_parameters(store: SqlStore) -> None:
    executor = Shuffled(3, seed=2, lose=0.2)
    found = assay.search(bowl, SPACE, store=store, n_trials=20, seed=4, in_flight=4, workers=3, executor=executor)
    assert executor.lost > 0
    assert told(found) == told(assay.search(bowl, SPACE, store=store, n_trials=20, seed=4, in_flight=4))
    killed = store.query("run", {"parent_run_id": found.run_id, "status": "killed"})
    assert len(killed) == executor.lost
    assert {run["reason"] for run in killed} == {"killed by signal 9"}


def test_a_trial_that_takes_every_worker_down_fails_in_the_end(store: SqlStore) -> None:
    executor = Shuffled(1, lose=1.0)
    with pytest.raises(InvalidInput, match=r"its worker died 3 times: killed by signal 9"):
        assay.search(bowl, SPACE, store=store, n_trials=20, executor=executor)
    assert executor.names == [f"trial {number}" for number in (0, 0, 0, 1, 1, 1, 2, 2, 2)]


def test_time_and_money_end_a_search(store: SqlStore) -> None:
    def slow(params: Params, trial: Trial) -> float:
        time.sleep(0.02)
        return 1.0

    found = assay.search(slow, SPACE, store=store, budget=Budget(seconds=0.1), seed=1)
    assert found.ended == "0.1 s are over"
    assert 1 <= len(found.trials) <= 5
    paid = assay.search(slow, SPACE, store=store, budget=Budget(money=0.5, cost_per_hour=36_000), seed=1)
    assert paid.ended == "0.5 is spent"
    assert 1 <= len(paid.trials) <= 3
    assert sum(t.seconds for t in paid.trials) * 10 >= 0.5


def test_progress_is_told_with_the_best_so_far(store: SqlStore) -> None:
    heard: list[tuple[str, float, str]] = []
    with listening(lambda stage, share, detail: heard.append((stage, share, detail))):
        found = assay.search(bowl, SPACE, store=store, n_trials=4, seed=1)
    assert [(stage, share) for stage, share, _ in heard] == [("search", n / 4) for n in (1, 2, 3, 4)] + [
        ("search", 1.0)
    ]
    assert heard[3][2] == f"trial 4 of 4, best value {found.best.values['value']:.6g} (trial {found.best.number})"


def test_of_two_that_take_a_search_up_one_is_told_of_the_other(store: SqlStore) -> None:
    found = assay.search(bowl, SPACE, store=store, n_trials=2, seed=1)

    def second(params: Params, trial: Trial) -> float:
        other = {"status": "running", "pid": os.getppid()}  # as if the first had been another process
        store.amend("run", {"run_id": found.run_id}, other)
        with pytest.raises(Conflict, match="still goes on"):
            assay.search(bowl, SPACE, store=store, n_trials=5, resume=found.run_id)
        return bowl(params, trial)

    assert len(assay.search(second, SPACE, store=store, n_trials=3, resume=found.run_id).trials) == 3


def test_several_objectives_have_a_front(store: SqlStore) -> None:
    def both(params: Params, trial: Trial) -> dict[str, float]:
        return {"error": params["x"] ** 2, "speed": params["x"], "extra": 1.0}

    goals = {"error": "minimize", "speed": "maximize"}
    found = assay.search(both, {"x": Float(-1, 1)}, store=store, n_trials=20, seed=1, objectives=goals)
    trials = {t.number: t for t in found.trials}
    for number, trial in trials.items():
        beaten = any(
            other.values["error"] <= trial.values["error"] and other.values["speed"] >= trial.values["speed"]
            for other in found.trials
            if other.number != number
        )
        assert (number in found.front) == (not beaten)
    assert [t.number for t in found.trials[: len(found.front)]] == found.front
    assert trials[0].values["extra"] == 1.0


def test_steps_inside_a_trial_belong_to_its_run(store: SqlStore) -> None:
    @assay.step
    def fitted(depth: int) -> int:
        return depth * 2

    found = assay.search(lambda p, t: fitted(p["d"]), {"d": Int(1, 2)}, store=store, sampler="grid")
    steps = store.query("step")
    assert {step["run_id"] for step in steps} == {trial.run_id for trial in found.trials}


def test_a_search_that_was_interrupted_goes_on_as_if_it_had_not_been(store: SqlStore) -> None:
    whole = assay.search(bowl, SPACE, store=store, n_trials=12, seed=6)

    def interrupted(params: Params, trial: Trial) -> float:
        if trial.number == 7:
            raise KeyboardInterrupt
        return bowl(params, trial)

    with pytest.raises(KeyboardInterrupt):
        assay.search(interrupted, SPACE, store=store, n_trials=12, seed=6)
    (broken,) = store.query("run", {"kind": "search", "status": "killed"})
    assert searched(store, broken).trials[-1].state == "lost"
    resumed = assay.search(bowl, SPACE, store=store, resume=broken["run_id"][:8])
    assert told(resumed) == told(whole)
    assert resumed.run_id == broken["run_id"]
    more = assay.search(bowl, SPACE, store=store, resume=broken["run_id"], n_trials=15)
    assert told(more)[:12] == told(whole)
    assert len(more.trials) == 15


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"space": {"x": Float(-5, 4)}}, "has another space"),
        ({"seed": 7}, "has another seed"),
        ({"sampler": "sobol"}, "has another sampler"),
        ({"direction": "maximize"}, "has another objective"),
    ],
)
def test_another_search_is_not_taken_up(store: SqlStore, changed: dict[str, Any], said: str) -> None:
    found = assay.search(bowl, {"x": Float(-5, 5)}, store=store, n_trials=3, seed=6)
    space = changed.pop("space", {"x": Float(-5, 5)})
    with pytest.raises(InvalidInput, match=said):
        assay.search(bowl, space, store=store, n_trials=5, resume=found.run_id, **changed)
    assert store.get("run", {"run_id": found.run_id})["status"] == "finished"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "would never end"),
        ({"n_trials": 0}, "trials is 0"),
        ({"n_trials": 3, "sampler": "randm"}, "did you mean 'random'"),
        ({"n_trials": 3, "sampler": "asha"}, 'pruner="asha"'),
        ({"n_trials": 3, "sampler": "grid"}, "a grid over x has no end"),
        ({"n_trials": 3, "pruner": "ahsa"}, "did you mean 'asha'"),
        ({"n_trials": 3, "direction": "minimise"}, "did you mean 'minimize'"),
        ({"n_trials": 3, "direction": "minimize", "objectives": {"a": "minimize"}}, "one of them"),
        ({"n_trials": 3, "objectives": {}}, "directions by name"),
        ({"n_trials": 3, "workers": 0}, "at least 1"),
        ({"n_trials": 3, "budget": Budget(trials=4)}, "one of them"),
        ({"budget": Budget(cost_per_hour=1)}, "would never end"),
    ],
)
def test_a_refused_search_leaves_nothing(store: SqlStore, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        assay.search(bowl, SPACE, store=store, **options)
    assert store.query("run") == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Budget(money=3), "cost_per_hour"),
        (lambda: Budget(seconds=-1), "above 0"),
        (lambda: Budget(patience=True), "whole number"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(make: Callable[[], Budget], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        make()


SCRIPT = """
import sys, time
import assay
from assay.build import Float

def objective(params, trial):
    time.sleep(0.03)
    return params["x"] ** 2

resume = sys.argv[2] if len(sys.argv) > 2 else None
assay.search(objective, {"x": Float(-5, 5)}, store=sys.argv[1], n_trials=25, seed=11, resume=resume)
"""


def test_a_search_that_was_killed_without_a_word_is_taken_up_and_suggests_the_same(tmp_path: Path) -> None:
    def objective(params: Params, trial: Trial) -> float:
        return float(params["x"] ** 2)

    store = open_store(tmp_path / "store")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "store")]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while len(store.query("run", {"kind": "trial", "status": "finished"})) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    (run,) = store.query("run", {"kind": "search"})
    with pytest.raises(Conflict, match="still goes on"):
        assay.search(objective, {"x": Float(-5, 5)}, store=store, resume=run["run_id"])
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = {t["run_id"] for t in store.query("run", {"kind": "trial", "status": "finished"})}
    assert 4 <= len(finished) < 25
    subprocess.run([*command, run["run_id"]], check=True, timeout=60)
    found = searched(store, store.get("run", {"run_id": run["run_id"]}))
    assert finished <= {t.run_id for t in found.trials}
    whole = assay.search(objective, {"x": Float(-5, 5)}, store=store, n_trials=25, seed=11)
    assert told(found) == told(whole)
    store.close()
