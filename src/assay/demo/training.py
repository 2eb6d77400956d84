"""What both trainings of the demo share: a run that fits, measures and registers a model, and its day in court."""

from contextlib import AbstractContextManager
from datetime import date

import pyarrow as pa

from assay.build.models.packaging import Classifier, load_model, matrix, package_model
from assay.demo.pipeline import CONFIGURATIONS, FEATURES, LABEL, SEGMENTS, UNIT, train
from assay.demo.turn import Turn
from assay.prove.evaluation import evaluate
from assay.prove.gate import GateResult, gate
from assay.prove.profiles import profile
from assay.prove.segments import Segments
from assay.record.datasets import DatasetVersion
from assay.record.models.registry import ModelVersion
from assay.record.tracking.runs import Run, start_run
from assay.stats import OVERALL, estimate

__all__ = ["PIPELINE", "fit", "fit_and_register", "judge_on", "measure", "training_run"]

PIPELINE = "flights"
_METRICS = ("auc", "log_loss", "brier", "accuracy")


def training_run(turn: Turn, name: str, *, trigger_type: str = "manual") -> AbstractContextManager[Run]:
    """A run of the demo's pipeline that trains something."""
    return start_run(
        turn.store,
        turn.experiment,
        name,
        trigger_type=trigger_type,
        stage="prod" if trigger_type != "manual" else "dev",
        model=turn.model,
        pipeline=PIPELINE,
        seed=turn.seed,
    )


def fit(turn: Turn, run: Run, table: pa.Table, configuration: str, until: date) -> Classifier:
    """Train a configuration on a table and record what with."""
    features = turn.datasets[-1]
    run.uses(features.artifact_id, features.name)
    settings = CONFIGURATIONS[configuration]
    run.params({**settings, "configuration": configuration, "rows": table.num_rows, "until": until})
    return train(
        table,
        max_iter=int(settings["max_iter"]),
        learning_rate=settings["learning_rate"],
        max_leaf_nodes=int(settings["max_leaf_nodes"]),
        seed=turn.seed,
    )


def fit_and_register(
    turn: Turn, run: Run, table: pa.Table, configuration: str, until: date, hold_out: pa.Table
) -> ModelVersion:
    """Train, measure on the hold-out, and register as the next version of the model."""
    fitted = fit(turn, run, table, configuration, until)
    measure(run, fitted, hold_out)
    description = f"{configuration}, trained on flights before {until}"
    return package_model(turn.store, turn.model, fitted, table, FEATURES, run=run, description=description)


def measure(run: Run, fitted: Classifier, table: pa.Table) -> dict[str, float]:
    """Log AUC, log loss, Brier score and accuracy of a model on a table, and return them."""
    scores = fitted.predict_proba(matrix(table, FEATURES))[:, 1]
    measured = profile({"model": scores}, table, label=LABEL, unit=UNIT)
    metrics = {name: estimate(measured, OVERALL, "model", name).value for name in _METRICS}
    run.metrics(metrics)
    return metrics


def judge_on(
    turn: Turn, candidate: ModelVersion, baseline: ModelVersion, hold_out: pa.Table, dataset: DatasetVersion
) -> GateResult:
    """Evaluate a candidate beside a baseline on held-out rows by segment, and let the gate decide."""
    store = turn.store
    with start_run(
        store,
        turn.experiment,
        f"evaluate version {candidate.version}",
        kind="eval",
        model=turn.model,
        pipeline=PIPELINE,
    ) as run:
        evaluation = evaluate(
            load_model(store, candidate),
            hold_out,
            baseline=load_model(store, baseline),
            store=store,
            dataset=dataset,
            label=LABEL,
            unit=UNIT,
            segments=Segments(by=SEGMENTS, cross=turn.policy.cross),
            seed=turn.seed,
        )
        run.tags({"evaluation": evaluation.evaluation_id})
        return gate(evaluation, turn.policy, store=store)
