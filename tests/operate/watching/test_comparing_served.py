"""Two versions on the same served rows: what is proven, of whom, and how often it is wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from tests.operate.serving_helpers import ENDPOINT, prediction

from assay.build.models.packaging import package_model
from assay.errors import InvalidInput
from assay.operate.labels.recording import Label, record_labels
from assay.operate.monitors.definition import Definition, Monitor
from assay.operate.monitors.records import declare_monitors
from assay.operate.monitors.spans import Span
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.watching import comparing
from assay.operate.watching.comparing import Compared, compare_served
from assay.record.clock import iso
from assay.record.models.registry import ModelVersion
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run
from assay.stats import holm

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
SPAN = Span(BEGIN, BEGIN + timedelta(days=2))
Floats = NDArray[np.float64]


class Rule:
    """Answers what a rule makes of x; a number, or the chance of yes."""

    def __init__(self, slope: float, *, chances: bool) -> None:
        self.slope = slope
        if chances:
            self.classes_ = [0, 1]
            self.predict_proba = self._chances

    def predict(self, X: NDArray[np.object_]) -> Floats:
        return self.slope * X[:, 0].astype(float)

    def _chances(self, X: NDArray[np.object_]) -> Floats:
        yes = 1 / (1 + np.exp(-self.slope * X[:, 0].astype(float)))
        return np.column_stack([1 - yes, yes])


def version_of(store: SqlStore, rule: object, columns: list[str]) -> ModelVersion:
    table = pa.table({"x": [0.1, 0.2], "who": ["a", "b"], "z": [1.0, 2.0], "y": [0, 1]})
    with start_run(store, "training") as run:
        return package_model(store, "delays", rule, table, columns, run=run)


def monitor_of(store: SqlStore) -> Monitor:
    rules = {"performance": Definition(kind="performance", segments=["who"], maturity="0d")}
    return declare_monitors(store, "delays", ENDPOINT, rules)[0]


def serve(
    store: SqlStore,
    version: ModelVersion,
    answers: Callable[[Floats], Floats],
    truth: Callable[[np.random.Generator, Floats, NDArray[np.str_]], Floats],
    rows: int = 600,
) -> None:
    chance = np.random.default_rng(3)
    x, who = chance.normal(size=rows), chance.choice(["a", "b"], rows, p=[0.8, 0.2])
    labels = truth(chance, x, who)
    logged, known = [], []
    for place, answer in enumerate(answers(x)):
        moment = BEGIN + timedelta(days=2) * (place / rows)
        features = (float(x[place]), str(who[place]))
        one = prediction(f"r{place}", ts=iso(moment), event_ts=iso(moment), mv_id=version.mv_id, features=features)
        logged.append(msgspec.structs.replace(one, output=float(answer)))
        known.append(Label(one.id, float(labels[place]), moment))
    with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
        writer.append(logged)
    store.clock.advance(SPAN.ended)
    record_labels(store, known)


def compared(store: SqlStore, new: ModelVersion, old: ModelVersion, **asked: object) -> Compared:
    return compare_served(store, monitor_of(store), new, old, SPAN, SPAN.ended, **asked)  # type: ignore[arg-type]


def test_numbers_are_held_against_each_other_by_their_absolute_error(store: SqlStore) -> None:
    old, new = (version_of(store, Rule(slope, chances=False), ["x", "who"]) for slope in (1.0, 0.2))
    serve(store, new, lambda x: 0.2 * x, lambda chance, x, _: x + 0.1 * chance.normal(size=len(x)))
    found = compared(store, new, old)
    assert found.verdict == "worse"
    gap, low, high = found.gaps["all rows"]
    assert low is not None
    assert high is not None
    assert low < gap < high
    assert gap == pytest.approx(0.8 * np.sqrt(2 / np.pi) - 0.1 * np.sqrt(2 / np.pi), abs=0.05)


def test_harm_of_a_segment_counts_where_all_rows_are_no_better(store: SqlStore) -> None:
    old, new = (version_of(store, Rule(slope, chances=True), ["x", "who"]) for slope in (0.01, 2.0))

    def truth(chance: np.random.Generator, x: Floats, who: NDArray[np.str_]) -> Floats:
        steep = np.where(who == "b", -4.0, 0.5)
        return (chance.random(len(x)) < 1 / (1 + np.exp(-steep * x))).astype(float)

    serve(store, new, lambda x: 1 / (1 + np.exp(-2 * x)), truth)
    found = compared(store, new, old, segments=["who=b"], alpha=0.01)
    assert found.verdict == "worse"
    assert found.gaps.keys() == {"all rows", "who=b"}
    assert found.p_values["who=b"] < 0.01
    assert "the same rows of who=b" in found.words or found.p_values["all rows"] <= 0.01


def test_what_cannot_be_compared_is_said(store: SqlStore) -> None:
    old = version_of(store, Rule(1.0, chances=False), ["x", "z"])
    new = version_of(store, Rule(0.2, chances=False), ["x", "who"])
    serve(store, new, lambda x: x, lambda _, x, __: x)
    with pytest.raises(InvalidInput, match="asks for z"):
        compared(store, new, old)


def test_few_labels_prove_nothing(store: SqlStore) -> None:
    old, new = (version_of(store, Rule(slope, chances=False), ["x", "who"]) for slope in (1.0, 0.2))
    serve(store, new, lambda x: 0.2 * x, lambda _, x, __: x, rows=20)
    assert compared(store, new, old).verdict == "not proven"


@pytest.mark.slow
@pytest.mark.no_cover
def test_versions_that_are_alike_are_hardly_ever_told_apart_though_days_differ() -> None:
    """Of 1,000 pairs over eight days, whose days differ more than their rows: at most alpha, and what chance adds."""
    chance, alpha, worlds = np.random.default_rng(5), 0.05, 1000
    wrong = 0
    for _ in range(worlds):
        places = np.repeat(np.arange(8), 100)
        gaps = chance.normal(0, 0.3, 8)[places] + chance.normal(0, 1, len(places))
        found = comparing._mean(gaps, places)
        wrong += holm([found.p_not_worse()])[0] <= alpha
    assert wrong / worlds <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / worlds), wrong
    assert wrong / worlds >= alpha / 3, "nor is it blind"


class Three:
    """Tells three classes apart by x, as sure as it is told to be."""

    def __init__(self, sure: float) -> None:
        self.sure = sure
        self.classes_ = ["high", "low", "middle"]

    def predict_proba(self, X: NDArray[np.object_]) -> Floats:
        x = X[:, 0].astype(float)
        scores = np.exp(self.sure * np.column_stack([x, -x, 0.5 - np.abs(x)]))
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def test_of_classes_all_probabilities_count(store: SqlStore) -> None:
    old, new = (version_of(store, Three(sure), ["x"]) for sure in (3.0, -3.0))
    x = np.random.default_rng(1).normal(size=400)
    rows = np.column_stack([x]).astype(object)
    truth = Three(3.0).predict_proba(rows).argmax(axis=1)
    logged, known = [], []
    for place, scores in enumerate(Three(-3.0).predict_proba(rows)):
        moment = BEGIN + timedelta(days=2) * (place / len(x))
        one = prediction(
            f"c{place}", ts=iso(moment), event_ts=iso(moment), mv_id=new.mv_id, features=(float(x[place]),)
        )
        logged.append(msgspec.structs.replace(one, output=float(scores.argmax()), scores=tuple(scores.tolist())))
        known.append(Label(one.id, float(truth[place]), moment))
    with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
        writer.append(logged)
    store.clock.advance(SPAN.ended)
    record_labels(store, known)
    rules = {"performance": Definition(kind="performance", maturity="0d")}
    (monitor,) = declare_monitors(store, "delays", ENDPOINT, rules)
    found = compare_served(store, monitor, new, old, SPAN, SPAN.ended)
    assert (found.verdict, found.rows) == ("worse", 400)
    likely = [Three(sure).predict_proba(rows) for sure in (-3.0, 3.0)]
    right = np.eye(3)[truth]
    brier = [float(np.square(one - right).sum(axis=1).mean() / 2) for one in likely]
    assert found.gaps["all rows"][0] == pytest.approx(brier[0] - brier[1])
