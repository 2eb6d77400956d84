import math

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_absolute_error, roc_auc_score
from tests.operate.monitors.labelled_helpers import finding, look, monitor_for, scored, window_of

from assay.errors import InvalidInput
from assay.operate.monitors.definition import Definition
from assay.operate.monitors.kind import Outcome
from assay.operate.monitors.kinds import performance
from assay.operate.monitors.kinds.harm import Observed, harm_after, harm_of
from assay.operate.monitors.kinds.promised import Reference, keep_reference, of_windows
from assay.record.sqlstore import SqlStore
from assay.stats import BettingTest, metric_named, rise_evidence

PROMISED = {"all rows": Reference(0.76, 0.75, 60)}


def _days(
    store: SqlStore, definition: Definition, shifts: list[float], *, seed: int = 0, rows: int = 400
) -> list[Outcome]:
    generator = np.random.default_rng(seed)
    monitor = monitor_for(store, definition)
    keep_reference(store, monitor.monitor_id, PROMISED)
    return [
        look(store, performance.Performance(), monitor, window_of(day, *scored(generator, rows, shift)))
        for day, shift in enumerate(shifts)
    ]


# --- the metric of a window -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["auc", "log_loss", "brier", "accuracy"])
def test_the_value_is_the_metric_of_the_rows_that_have_a_label(store: SqlStore, name: str) -> None:
    scores, labels = scored(np.random.default_rng(1), 900, 1.0)
    known = labels.copy()
    known[::3] = np.nan
    monitor = monitor_for(store, Definition(kind="performance", metric=name))
    outcome = look(store, performance.Performance(), monitor, window_of(0, scores, known))
    y, p = labels[~np.isnan(known)], scores[~np.isnan(known)]
    expected = {
        "auc": roc_auc_score(y, p),
        "log_loss": log_loss(y, p),
        "brier": np.mean((y - p) ** 2),
        "accuracy": np.mean((p >= 0.5) == y),
    }
    assert outcome.value == pytest.approx(expected[name], abs=2e-3)
    assert outcome.status == "uncalibrated", "there is nothing to hold it against"
    covered = finding(outcome, "labels")
    assert covered.value == pytest.approx(600 / 900)
    assert covered.words == "600 of 900 answers have a label, 300 never got one so far"


@pytest.mark.parametrize("name", ["mae", "rmse"])
def test_numbers_have_their_own_metrics(store: SqlStore, name: str) -> None:
    generator = np.random.default_rng(2)
    truth = generator.normal(50, 20, 500)
    said = truth + generator.normal(0, 4, 500)
    monitor = monitor_for(store, Definition(kind="performance", metric=name))
    outcome = look(store, performance.Performance(), monitor, window_of(0, said, truth))
    expected = {"mae": mean_absolute_error(truth, said), "rmse": math.sqrt(np.mean((truth - said) ** 2))}
    assert outcome.value == pytest.approx(expected[name], rel=1e-4)


def test_a_window_with_few_labels_is_told_and_changes_nothing(store: SqlStore) -> None:
    monitor = monitor_for(store, Definition(kind="performance"))
    keep_reference(store, monitor.monitor_id, PROMISED)
    scores, labels = scored(np.random.default_rng(3), 200, 1.0)
    few = np.where(np.arange(200) < 8, labels, np.nan)
    outcome = look(store, performance.Performance(), monitor, window_of(0, scores, few))
    assert outcome.status == "no_data"
    assert "8 of 200 answers have a label" in outcome.words
    after = look(store, performance.Performance(), monitor, window_of(1, scores, labels))
    assert finding(after, "auc").p == pytest.approx(harm_p([after]))


def harm_p(outcomes: list[Outcome]) -> float:
    harm = harm_of(PROMISED["all rows"], metric_named("auc"), 0.02)
    assert harm is not None
    found = [finding(outcome, "auc") for outcome in outcomes]
    return harm_after(harm, [Observed(one.value, one.low, one.high) for one in found if one.value is not None]).p


def test_a_metric_without_better_and_worse_is_refused(store: SqlStore) -> None:
    monitor = monitor_for(store, Definition(kind="performance", metric="prevalence"))
    with pytest.raises(InvalidInput, match="prevalence has no best value"):
        look(store, performance.Performance(), monitor, window_of(0, *scored(np.random.default_rng(0), 100, 1.0)))


# --- the test over windows --------------------------------------------------------------------------------------------


def test_losses_are_told_from_the_best_value_and_errors_from_the_interval() -> None:
    harm = harm_of(Reference(0.76, 0.74, 60), metric_named("auc"), 0.02)
    assert harm is not None
    assert harm.limit == pytest.approx(0.72)
    windows = [Observed(value, value - 0.0196, value + 0.0196) for value in (0.7, 0.76, 0.71, 0.66, 0.74, 0.6, 0.61)]
    late = rise_evidence([1 - one.value for one in windows], [0.01] * len(windows), 0.28)
    test, early = BettingTest(0.25), []
    for one in windows:
        test.update((1 - one.value) / (4 * 0.28))
        early.append(test.log_e)
    whole = (np.exp(early) + np.exp(late)) / 2  # half of the capital each
    assert harm_after(harm, windows).e_value == pytest.approx(whole.max(), rel=1e-3)
    assert [Observed(0.7).error, Observed(0.7, 0.6, math.nan).error] == [0.0, 0.0]


def test_a_fall_is_proven_once_the_evidence_is_in(store: SqlStore) -> None:
    outcomes = _days(store, Definition(kind="performance"), [1.0] * 3 + [0.2] * 25)
    states = [outcome.status for outcome in outcomes]
    assert states[:3] == ["ok"] * 3
    assert states[3] == "watch", "one bad window is no proof"
    first = states.index("alarm")
    assert 5 < first < 25
    assert set(states[first:]) == {"alarm"}
    assert harm_p(outcomes[: first + 1]) <= 0.025 < harm_p(outcomes[:first])
    assert outcomes[first].words.startswith(
        f"auc of all rows is proven below 0.730 (promised 0.760 by the hold-out), after {first + 1} windows"
    )


def test_a_segment_that_falls_is_found_while_the_whole_stands(store: SqlStore) -> None:
    generator = np.random.default_rng(5)
    monitor = monitor_for(store, Definition(kind="performance", segments=["origin"]))
    references = {name: Reference(0.76, 0.75, 60) for name in ("all rows", "origin=JFK", "origin=EWR")}
    keep_reference(store, monitor.monitor_id, references)
    for day in range(25):
        fine, bad = scored(generator, 2500, 1.0), scored(generator, 100, -0.4)
        scores, labels = (np.concatenate(pair) for pair in zip(fine, bad, strict=True))
        origin = ["EWR"] * 2500 + ["JFK"] * 100
        outcome = look(store, performance.Performance(), monitor, window_of(day, scores, labels, origin=origin))
    assert outcome.status == "alarm"
    assert finding(outcome, "auc", "origin=JFK").state == "drift"
    assert finding(outcome, "auc", "origin=EWR").state == "ok"
    assert finding(outcome, "auc").state == "ok"
    jfk, ewr = (finding(outcome, "auc", f"origin={name}").harm or 0.0 for name in ("JFK", "EWR"))
    assert jfk > 0.1 > ewr


def test_without_a_hold_out_the_first_ten_windows_are_the_reference(store: SqlStore) -> None:
    generator = np.random.default_rng(6)
    monitor = monitor_for(store, Definition(kind="performance"))
    outcomes = [
        look(
            store,
            performance.Performance(),
            monitor,
            window_of(day, *scored(generator, 400, 1.0 if day < 14 else -0.3)),
        )
        for day in range(35)
    ]
    assert [outcome.status for outcome in outcomes[:10]] == ["uncalibrated"] * 10
    reference = of_windows([outcome.value or 0 for outcome in outcomes[:10]], True, alpha=0.025, origin="x")
    assert finding(outcomes[10], "auc").expected == pytest.approx(reference.mean)
    assert finding(outcomes[10], "auc").bound == pytest.approx(reference.worst - 0.02)
    assert outcomes[-1].status == "alarm"
    assert "by the first 10 windows" in outcomes[-1].words


def test_a_loss_without_bounds_is_watched_too(store: SqlStore) -> None:
    generator = np.random.default_rng(7)
    monitor = monitor_for(store, Definition(kind="performance", metric="rmse"))
    keep_reference(store, monitor.monitor_id, {"all rows": Reference(4.0, 4.1, 30)})
    states = []
    for day in range(20):
        truth = generator.normal(50, 20, 300)
        off = 4.0 if day < 5 else 8.0
        window = window_of(day, truth + generator.normal(0, off, 300), truth)
        outcome = look(store, performance.Performance(), monitor, window)
        states.append(outcome.status)
    assert states[:5] == ["ok"] * 5
    assert states[-1] == "alarm"
    assert finding(outcome, "rmse").bound == pytest.approx(4.1 + 0.05 * 4.0), "a twentieth of the reference"


def test_windows_at_the_limit_alarm_no_more_often_than_alpha() -> None:
    """The reference estimated from as few windows as are allowed, and no tolerance."""
    generator = np.random.default_rng(8)
    metric, alpha, sequences = metric_named("auc"), 0.2, 400
    alarms = 0
    for _ in range(sequences):
        held, watched = np.clip(generator.normal(0.72, 0.05, 10), 0, 1), np.clip(generator.normal(0.72, 0.05, 60), 0, 1)
        harm = harm_of(of_windows(held.tolist(), True, alpha=alpha / 2, origin="x"), metric, 0.0)
        assert harm is not None
        alarms += harm_after(harm, [Observed(value) for value in watched.tolist()]).p <= alpha / 2
    assert alarms / sequences <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / sequences)


def test_a_short_reference_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"the hold-out has 9 windows with labels\n  expected: 10 or more"):
        of_windows([0.7] * 9, True, alpha=0.025, origin="the hold-out")
    with pytest.raises(InvalidInput, match="alpha is 0"):
        of_windows([0.7] * 10, True, alpha=0, origin="the hold-out")


def test_the_reference_is_the_mean_and_its_t_bound() -> None:
    found = of_windows([0.7, 0.8] * 8 + [math.nan], True, alpha=0.025, origin="the hold-out")
    spread = math.sqrt(16 * 0.05**2 / 15)
    assert found.windows == 16
    assert found.mean == pytest.approx(0.75)
    assert found.worst == pytest.approx(0.75 - 2.13145 * spread / 4, abs=1e-5)  # t table: .975 with 15 degrees
    assert of_windows([0.7, 0.8] * 8, False, alpha=0.025, origin="x").worst == pytest.approx(1.5 - found.worst)
