from typing import Any

import numpy as np
import pytest
from tests.build.searching.shuffled import Shuffled

import assay
from assay.build import Float, Int, Scores, Trial
from assay.build.searching.scores import pack_scores, unpack_scores
from assay.build.searching.searched import searched
from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import show_run

Params = dict[str, Any]
SPACE = {"seed": Int(0, 10**6)}


def guess(params: Params, trial: Trial) -> Scores:
    """Right on 85 % of 400 rows, whatever the parameter: no trial is better than another."""
    return Scores(np.random.default_rng(params["seed"]).random(400) < 0.85)


def on_others(params: Params) -> float:
    return float((np.random.default_rng(params["seed"] + 1).random(20_000) < 0.85).mean())


def test_the_best_of_equal_trials_is_corrected_and_held_out(store: SqlStore) -> None:
    found = assay.search(
        guess, SPACE, store=store, seed=1, n_trials=40, direction="maximize", holdout=on_others, refit=2
    )
    honest = found.best_of
    assert honest is not None
    assert (honest.trials, honest.rows) == (40, 400)
    assert honest.search_score == found.best.values["value"] > 0.87
    assert honest.corrected_score == pytest.approx(0.85, abs=0.01)
    assert honest.disagreement == pytest.approx(0.255, abs=0.01)
    assert honest.search_score - honest.expected_optimism == pytest.approx(0.85, abs=0.01)
    assert [held.number for held in found.holdout] == [t.number for t in found.trials[:2]]
    for held in found.holdout:
        assert held.search["value"] > 0.87
        assert held.holdout["value"] == pytest.approx(0.85, abs=0.01)
    assert show_run(store, found.holdout[0].run_id).run.kind == "eval"


def test_the_hold_out_is_asked_once_for_each_trial(store: SqlStore) -> None:
    asked: list[int] = []

    def holdout(params: Params) -> float:
        asked.append(params["seed"])
        return 0.5

    options: dict[str, Any] = {"direction": "maximize", "holdout": holdout}
    found = assay.search(guess, SPACE, store=store, seed=1, n_trials=5, refit=2, **options)
    assert len(asked) == 2
    again = assay.search(guess, SPACE, store=store, resume=found.run_id, refit=3, **options)
    assert len(asked) == len(set(asked)) == 3
    assert again.holdout[:2] == found.holdout


def test_a_hold_out_that_raises_is_on_record_and_harms_nothing(store: SqlStore) -> None:
    def broken(params: Params) -> float:
        raise RuntimeError("no such file")

    executor = Shuffled(2, seed=1)
    found = assay.search(
        guess, SPACE, store=store, seed=1, n_trials=4, holdout=broken, refit=1, executor=executor, workers=1
    )
    (held,) = found.holdout
    assert (held.holdout, held.reason) == ({}, "RuntimeError: no such file")
    assert show_run(store, found.run_id).run.status == "finished"


def test_scores_come_back_as_they_were() -> None:
    rng = np.random.default_rng(2)
    bits, losses = rng.random(1001) < 0.3, rng.random(1001)
    for rows in (bits, losses, [1, 0, 1], [0.5]):
        scores = Scores(rows, unit=np.arange(len(rows)))
        files = pack_scores(scores)
        unpacked, units = unpack_scores(files["npz"], files["units"])
        assert unpacked.tolist() == np.asarray(rows, float).tolist()
        assert scores.units is not None
        assert units.tolist() == scores.units.tolist()
        assert len(set(unpack_scores(files["npz"], None)[1].tolist())) == len(rows)
        assert scores.mean == pytest.approx(np.mean(rows))
    right = pack_scores(Scores(rng.random(100_000) < 0.5))
    assert list(right) == ["npz"]
    assert len(right["npz"]) < 100_000 / 8 + 1000


def test_rows_of_one_unit_have_one_identity() -> None:
    for unit in (["a", "b", "a"], np.array([7, 8, 7])):
        units = Scores([1, 0, 1], unit).units
        assert units is not None
        assert units[0] == units[2] != units[1]


def test_units_that_belong_together_make_the_correction_larger(store: SqlStore) -> None:
    def grouped(params: Params, trial: Trial) -> Scores:
        right = np.random.default_rng(params["seed"]).random(50) < 0.85
        return Scores(np.repeat(right, 8), unit=np.repeat(np.arange(50), 8))

    found = assay.search(grouped, SPACE, store=store, seed=1, n_trials=30, direction="maximize")
    assert found.best_of is not None
    assert found.best_of.search_score > 0.92
    assert found.best_of.corrected_score == pytest.approx(0.85, abs=0.025)


def test_trials_that_were_scored_on_different_rows_are_not_compared(store: SqlStore) -> None:
    def uneven(params: Params, trial: Trial) -> Scores:
        return Scores(np.arange(trial.number + 2))

    with pytest.raises(InvalidInput, match="trials 0 and 1 were scored on different rows"):
        assay.search(uneven, SPACE, store=store, seed=1, n_trials=2)


def test_without_scores_by_row_nothing_is_corrected(store: SqlStore) -> None:
    found = assay.search(lambda p, t: p["x"], {"x": Float(0, 1)}, store=store, n_trials=3)
    assert found.best_of is None
    row = store.get("run", {"run_id": found.run_id})
    assert searched(store, row) == found


@pytest.mark.parametrize(
    ("rows", "unit", "said"),
    [
        ([[1, 2]], None, "one number a row"),
        ([], None, "at least one row"),
        (["a"], None, "one number a row"),
        ([float("nan")], None, "not finite"),
        ([1.0, 2.0], ["a"], "one unit a row"),
    ],
)
def test_scores_that_make_no_sense_are_refused(rows: Any, unit: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Scores(rows, unit)
