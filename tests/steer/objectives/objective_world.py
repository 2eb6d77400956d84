"""A small world: a model of late orders that was evaluated, its decisions by day, and labels for some of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.build.models.packaging import load_model, package_model
from assay.operate.labels.recording import Label, record_labels
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.prove.evaluation import evaluate
from assay.record.clock import iso
from assay.record.datasets import snapshot
from assay.record.models.registry import ModelVersion, find_version
from assay.record.objective_terms import Baseline, Cost, Decision, Kpi, Terms, Value
from assay.record.store import Store
from assay.record.tracking.runs import start_run

MODEL = "late"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
VALUE = Value(
    version="1",
    unit="EUR",
    source="an example",
    owner="ann",
    valid_until=date(2026, 12, 31),
    outcomes={"late": 1.0, "on time": 0.0},
    matrix={"late": {"leave": 0.0, "warn": 4.0}, "on time": {"leave": 0.0, "warn": -1.0}},
)
TERMS = Terms(
    statement="fewer customers wait in vain",
    owner="ann",
    kpi=Kpi(name="net value", unit="EUR a month", target=300.0, floor=100.0, source="value"),
    decision=Decision(drives="who is warned", actions=["leave", "warn"], thresholds=[0.5]),
    baseline=Baseline(words="nobody is warned", action="leave"),
    value=VALUE,
    cost=Cost(per_month=10.0, source="the bill"),
    segments=["shop"],
)


def terms_with(**fields: object) -> Terms:
    """The terms of this world with other fields."""
    return msgspec.structs.replace(TERMS, **fields)


def value_with(**fields: object) -> Value:
    """The values of this world with other fields."""
    return msgspec.structs.replace(VALUE, **fields)


@dataclass
class Shop:
    """The world: a version of the model, and what it answered."""

    store: Store
    version: ModelVersion
    seed: int = 0
    _ids: int = 0
    outputs: list[NDArray[np.float64]] = field(default_factory=list)
    labels: list[NDArray[np.float64]] = field(default_factory=list)
    truths: list[NDArray[np.float64]] = field(default_factory=list)
    people: list[NDArray[np.float64]] = field(default_factory=list)

    @classmethod
    def of(cls, store: Store) -> "Shop":
        """The world of a store in which it was opened before."""
        store.clock.advance(BEGIN - timedelta(days=31))
        return cls(store, find_version(store, MODEL, 1))

    def serve(
        self,
        begin: datetime,
        days: int,
        rows: int = 40,
        *,
        labelled: float = 1.0,
        shops: Sequence[str] = ("A", "B"),
        late: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
        known_after: timedelta = timedelta(hours=1),
    ) -> None:
        """Answer `rows` a day, and learn the outcome of a share of them; `late` gives the chance of it by the score.
        Two rows after each other are of one unit.
        """
        chance = np.random.default_rng([self.seed, self._ids])
        model = load_model(self.store, self.version)
        answered: list[Prediction] = []
        learnt: list[Label] = []
        for day in range(days):
            x = chance.normal(size=rows)
            people = chance.integers(1, 5, rows).astype(float)
            shop = chance.choice(list(shops), rows)
            table = pa.table({"x": x, "people": people, "shop": shop})
            outputs = np.asarray(model.predict_table(table), dtype=float)
            odds = 1 / (1 + np.exp(-2 * x)) if late is None else late(outputs)
            labels = (chance.random(rows) < odds).astype(float)
            answered += self._answers(begin + timedelta(days=day), outputs, x, people, shop)
            known = chance.random(rows) < labelled
            moment = begin + timedelta(days=day) + known_after
            learnt += [
                Label(one.id, float(label), moment)
                for one, label, is_known in zip(answered[-rows:], labels, known, strict=True)
                if is_known
            ]
            self.outputs.append(outputs)
            self.people.append(people)
            self.truths.append(labels)
            self.labels.append(np.where(known, labels, np.nan))
        with LogWriter(log_folder(self.store, MODEL)) as writer:
            writer.append(answered)
        record_labels(self.store, learnt)

    def _answers(
        self,
        day: datetime,
        outputs: NDArray[np.float64],
        x: NDArray[np.float64],
        people: NDArray[np.float64],
        shop: NDArray[np.str_],
    ) -> list[Prediction]:
        answered = []
        for place, output in enumerate(outputs):
            moment = iso(day + timedelta(seconds=60 * place))
            answered.append(
                Prediction(
                    id=f"p{self._ids + place}",
                    ts=moment,
                    event_ts=moment,
                    request_id="r",
                    row=0,
                    endpoint=MODEL,
                    model=MODEL,
                    version=1,
                    mv_id=self.version.mv_id,
                    role="live",
                    unit=f"u{(self._ids + place) // 2}",
                    propensity=1.0,
                    features=(float(x[place]), float(people[place]), str(shop[place])),
                    output=float(output),
                    status="ok",
                    error=None,
                    latency_us=500,
                )
            )
        self._ids += len(outputs)
        return answered


def open_shop(store: Store) -> None:
    """Train, register and evaluate the model, a month before it answers."""
    store.clock.advance(BEGIN - timedelta(days=31))
    chance = np.random.default_rng(7)
    x, people, shop = (
        chance.normal(size=4000),
        chance.integers(1, 5, 4000).astype(float),
        chance.choice(["A", "B"], 4000),
    )
    late = chance.random(4000) < 1 / (1 + np.exp(-2 * x))
    table = pa.table({"x": x, "people": people, "shop": shop, "late": late})
    only_x = ColumnTransformer([("x", StandardScaler(), [0])])
    rows = np.column_stack([x.astype(object), people.astype(object), shop.astype(object)])
    fitted = make_pipeline(only_x, LogisticRegression()).fit(rows[:2000], late[:2000])
    with start_run(store, MODEL) as run:
        version = package_model(store, MODEL, fitted, table.slice(0, 2000), ["x", "people", "shop"], run=run)
    judged = table.slice(2000)
    kept = snapshot(store, "orders", judged)
    evaluate(load_model(store, version), judged, label="late", threshold=0.5, store=store, dataset=kept)
