"""Tables and models whose truth is known: each model's probability stands in a column of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.models.packaging import LoadedModel, load_model, package_model
from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.gate import GateResult, gate
from assay.prove.policy import Guard, Policy
from assay.record.datasets import DatasetVersion, snapshot
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.record.tracking.runs import start_run

ACCURACY = Policy(name="accuracy", metrics={"accuracy": Guard(margin=0.02)}, segments=["segment"])


class Reader:
    """Its only input column is its answer."""

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        positive = X[:, 0].astype(np.float64)
        return np.column_stack([1 - positive, positive])


@dataclass(frozen=True)
class Part:
    """A segment: rows, the share in which the models disagree, and how much the candidate is better."""

    rows: int
    difference: float = 0.0
    disagreement: float = 0.08
    right: float = 0.85


def world(parts: Mapping[str, Part], seed: int = 0, *, rows_per_unit: int = 1) -> pa.Table:
    """Labelled rows with columns `old` and `new` of probabilities; which of both is right is drawn row by row."""
    generator = np.random.default_rng(seed)
    names = np.repeat(list(parts), [part.rows for part in parts.values()])
    label, old, new = (np.empty(len(names)) for _ in range(3))
    start = 0
    for part in parts.values():
        rows = slice(start, start := start + part.rows)
        only_new, only_old = ((part.disagreement + sign * part.difference) / 2 for sign in (1, -1))
        both = part.right - only_old
        kind = generator.choice(4, part.rows, p=[both, only_old, only_new, 1 - both - only_old - only_new])
        label[rows] = generator.integers(0, 2, part.rows)
        for scores, right in ((old, np.isin(kind, (0, 1))), (new, np.isin(kind, (0, 2)))):
            scores[rows] = np.where(right == (label[rows] == 1), 0.9, 0.1)
    units = np.arange(len(names)) // rows_per_unit
    return pa.table(
        {
            "late": label.astype(np.int8),
            "segment": names,
            "unit": [f"unit {unit}" for unit in units],
            "old": old,
            "new": new,
        }
    )


def add_version(store: Store, column: str = "new", model: str = "late") -> ModelVersion:
    """The next version of a model, which reads its answer from that column."""
    table = pa.table({column: [0.1, 0.9]})
    with start_run(store, "worlds") as run:
        return package_model(store, model, Reader(), table, [column], run=run)


def pair(store: Store) -> tuple[LoadedModel, LoadedModel]:
    """A candidate that reads `new` and a baseline that reads `old`."""
    baseline = load_model(store, add_version(store, "old"))
    return load_model(store, add_version(store, "new")), baseline


def evaluated(
    store: Store,
    table: pa.Table,
    models: tuple[LoadedModel, LoadedModel] | None = None,
    segments: Sequence[str] = ("segment",),
) -> Evaluation:
    """The evaluation of a candidate beside a baseline on a table, by default of `pair`."""
    candidate, baseline = models or pair(store)
    return evaluate(
        candidate,
        table,
        baseline=baseline,
        store=store,
        dataset=keep(store, table),
        label="late",
        unit=["unit"],
        segments=segments,
    )


def keep(store: Store, table: pa.Table) -> DatasetVersion:
    """The table as a dataset."""
    return snapshot(store, "hold-out", table)


def judged(
    store: Store, candidate: ModelVersion, baseline: ModelVersion, difference: float = 0.0, rows: int = 3000
) -> GateResult:
    """The gate's verdict on a candidate that is that much better: pass for 0, fail for -0.2, neither on 200 rows."""
    table = world({"a": Part(rows, difference, disagreement=max(0.02, abs(difference)))}, seed=candidate.version)
    models = (load_model(store, candidate), load_model(store, baseline))
    table = table.rename_columns({"new": models[0].columns[0].name, "old": models[1].columns[0].name})
    return gate(evaluated(store, table, models), ACCURACY, store=store)
