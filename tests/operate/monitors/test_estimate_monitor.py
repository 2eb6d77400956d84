"""Estimates before labels are there: of probabilities, of classes and of numbers, held against the hold-out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, LogisticRegression
from tests.operate.monitors.labelled_helpers import finding, look, monitor_for, window_of
from tests.operate.serving_helpers import add_route, prediction

from assay.build.models.packaging import LoadedModel, load_model, package_model
from assay.errors import InvalidInput
from assay.operate.labels.recording import Label, record_labels
from assay.operate.monitors.checking import Checked, check_due
from assay.operate.monitors.definition import Definition
from assay.operate.monitors.kinds.answers import hold_out_of
from assay.operate.monitors.kinds.estimate import Estimate
from assay.operate.monitors.kinds.promised import of_hold_out
from assay.operate.monitors.records import declare_monitors
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.prove.evaluation import CANDIDATE, evaluate
from assay.record.clock import iso
from assay.record.models.registry import find_version
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run
from assay.stats import estimate, metric_named

Floats = NDArray[np.float64]
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def table_of(chance: np.random.Generator, rows: int, task: str, *, middle: float = 0.0, width: float = 1.0) -> pa.Table:
    """Rows whose label follows x; where x is large, numbers scatter more and classes are less sure."""
    x, noise = chance.normal(middle, width, rows), chance.normal(size=rows)
    if task == "regression":
        y: NDArray[np.generic] = 10 * x + noise * (1 + 3 / (1 + np.exp(-2 * x)))
    elif task == "multiclass":
        y = np.where(x + noise * (0.3 + (x > 0)) > 0.5, "b", np.where(x + noise < -0.5, "a", "c"))
    else:
        y = (chance.random(rows) < 1 / (1 + np.exp(-2 * x))).astype(np.int64)
    return pa.table({"x": x, "origin": chance.choice(["EWR", "JFK"], rows), "y": y})


def evaluated(store: SqlStore, task: str) -> LoadedModel:
    """A version that was trained, and judged on a hold-out."""
    chance = np.random.default_rng(0)
    table = table_of(chance, 4000, task)
    kind = LinearRegression if task == "regression" else LogisticRegression
    model = kind().fit(table["x"].to_numpy()[:, None], table["y"].to_numpy(zero_copy_only=False))
    with start_run(store, "training") as run:
        version = package_model(store, "m", model, table, ["x"], run=run, compile=False)
    loaded = load_model(store, version)
    evaluate(loaded, table_of(chance, 6000, task), label="y", task=task, segments=["origin"], store=store)
    return loaded


def serve(store: SqlStore, loaded: LoadedModel, days: Sequence[pa.Table], *, labelled: int, first: int = 0) -> None:
    """A table a day; labels of the first `labelled` of them arrive on the day after."""
    version = loaded.version
    assert version is not None
    for day, table in enumerate(days, first):
        x = table["x"].to_numpy()
        answers = loaded.answers(x[:, None].astype(object))
        scores = answers if answers.ndim == 2 and answers.shape[1] > 2 else None
        outputs = answers.argmax(axis=1).astype(float) if scores is not None else answers.reshape(len(x), -1)[:, -1]
        moments = [iso(BEGIN + DAY * (day + place / len(x))) for place in range(len(x))]
        logged = [
            prediction(
                f"{day}-{place}",
                endpoint="m",
                model="m",
                ts=at,
                event_ts=at,
                mv_id=version.mv_id,
                features=(float(x[place]),),
                output=float(outputs[place]),
                scores=None if scores is None else tuple(scores[place].tolist()),
            )
            for place, at in enumerate(moments)
        ]
        with LogWriter(log_folder(store, "m"), durability="process") as writer:
            writer.append(logged)
        store.clock.advance(BEGIN + (day + 1) * DAY)
        if day < first + labelled:
            labels = table["y"].to_numpy(zero_copy_only=False)
            known = np.searchsorted(["a", "b", "c"], labels) if labels.dtype == object else labels
            record_labels(store, [Label(f"{day}-{place}", float(one), at) for place, one in enumerate(known)
                                  for at in [BEGIN + (day + 1) * DAY]])  # fmt: skip


def estimates(
    store: SqlStore, task: str, days: Sequence[pa.Table], labelled: int, metric: str | None = None
) -> list[Checked]:
    """What a monitor found, a day at a time."""
    store.clock.advance(BEGIN)
    loaded = evaluated(store, task)
    assert loaded.version is not None
    add_route(store, loaded.version, endpoint="m")
    declare_monitors(store, "m", "m", {"estimate": Definition(kind="estimate", metric=metric)})
    serve(store, loaded, days, labelled=labelled)
    return check_due(store)


# --- against the hold-out ---------------------------------------------------------------------------------------------


def test_the_hold_out_promises_its_value_and_the_end_of_its_interval_by_segment(store: SqlStore) -> None:
    loaded = evaluated(store, "binary")
    assert loaded.version is not None
    monitor = monitor_for(store, Definition(kind="estimate"), mv_id=loaded.version.mv_id)
    hold_out = hold_out_of(store, monitor, window_of(0, np.full(3, 0.5)))
    assert hold_out is not None
    promised = of_hold_out(hold_out, metric_named("auc"), alpha=0.05)
    assert set(promised) == {"all rows", "origin=EWR", "origin=JFK"}
    for segment in hold_out.profile.segments:
        found = estimate(hold_out.profile, segment, CANDIDATE, "auc", 0.9)
        one = promised[segment.name if segment.conditions else "all rows"]
        assert [one.mean, one.worst, one.windows] == pytest.approx([found.value, found.low, 0])
    brier = of_hold_out(hold_out, metric_named("brier"), alpha=0.05)["all rows"]
    assert brier.worst > brier.mean, "less is better"


def test_an_estimate_far_below_the_hold_out_alarms_and_one_like_it_does_not(store: SqlStore) -> None:
    loaded = evaluated(store, "binary")
    assert loaded.version is not None
    mv_id = loaded.version.mv_id
    monitor = monitor_for(store, Definition(kind="estimate", segments=["origin"]), mv_id=mv_id)
    chance, states = np.random.default_rng(1), []
    for day in range(5):
        rows = table_of(chance, 1500, "binary", width=1.0 if day < 3 else 0.3)  # then all rows are hard to tell apart
        window = window_of(day, loaded.predict_table(rows), mv_id=mv_id, origin=rows["origin"].combine_chunks())
        outcome = look(store, Estimate(), monitor, window)
        states.append(outcome.status)
        if day == 0:
            calm = finding(outcome, "auc", "origin=JFK")
            assert calm.expected == pytest.approx(calm.value, abs=0.03)
            assert "by the hold-out; promised 0.8" in calm.words
    assert states == ["ok", "ok", "ok", "watch", "alarm"]
    found = finding(outcome, "auc")
    assert found.high is not None
    assert found.bound is not None
    assert found.high < found.bound
    assert (found.harm or 0) > 0.1
    with pytest.raises(InvalidInput, match="f1 of a binary model cannot be estimated"):
        look(store, Estimate(), monitor_for(store, Definition(kind="estimate", metric="f1"), mv_id=mv_id), window)


# --- from labelled answers before -------------------------------------------------------------------------------------


def test_losses_of_numbers_are_learned_from_labelled_answers_and_follow_the_rows(store: SqlStore) -> None:
    chance = np.random.default_rng(2)
    days = [table_of(chance, 1200, "regression") for _ in range(2)]
    days += [table_of(chance, 400, "regression", middle=1.0) for _ in range(2)]
    checked = estimates(store, "regression", days, 2)
    outcomes = [one.outcome for one in checked]
    assert outcomes[0].words == "mae is estimated once 500 earlier answers have labels"
    assert [one.status for one in outcomes] == ["no_data", "ok", "watch", "alarm"]
    loss = finding(outcomes[3], "mae")
    true = np.abs(days[3]["y"].to_numpy() - 10 * days[3]["x"].to_numpy()).mean()
    assert loss.low is not None
    assert loss.high is not None
    assert loss.value == pytest.approx(true, rel=0.15)
    assert loss.low < true < loss.high
    assert "by what 2,400 labelled answers before cost" in loss.words


def test_the_accuracy_of_classes_is_expected_from_their_probabilities(store: SqlStore) -> None:
    chance = np.random.default_rng(3)
    days = [table_of(chance, 700, "multiclass") for _ in range(3)]
    days.append(table_of(chance, 1000, "multiclass", middle=0.4, width=0.5))
    checked = estimates(store, "multiclass", days, 3)
    first, last = checked[0].outcome, checked[-1].outcome
    assert first.status == "uncalibrated"
    assert "by the model's own word" in first.words
    found = finding(last, "accuracy")
    x, labels = days[-1]["x"].to_numpy(), days[-1]["y"].to_numpy(zero_copy_only=False)
    answers = load_model(store, find_version(store, "m", 1)).answers(x[:, None].astype(object))
    true = float(np.mean(np.array(["a", "b", "c"])[answers.argmax(axis=1)] == labels))
    assert found.value == pytest.approx(true, abs=0.06)
    assert found.state == "watch"
    assert "labelled answers before, weighted by how such rows come now" in found.words


def test_labels_before_mend_what_probabilities_are_worth(store: SqlStore) -> None:
    """Since the hold-out, labels have become rarer: labelled answers know it, the hold-out cannot."""
    chance = np.random.default_rng(4)
    days = []
    for _ in range(3):
        table = table_of(chance, 800, "binary")
        rare = table["y"].to_numpy() * (chance.random(800) < 0.5)
        days.append(table.set_column(2, "y", pa.array(rare.astype(np.int64))))
    checked = estimates(store, "binary", days, 3, metric="prevalence")
    plain, mended = checked[0].outcome.value, checked[-1].outcome.value
    assert plain == pytest.approx(0.5, abs=0.05)
    assert mended == pytest.approx(0.25, abs=0.05)
