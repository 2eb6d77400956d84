"""What every option of a repair needs to know, and how an option is measured on rows it was not chosen on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.models.matrix_models import FrameModel, MatrixModel, ScoreColumn
from assay.build.models.packaging import Classifier
from assay.build.models.table_model import TableModel
from assay.errors import InvalidInput, nearest
from assay.prove.evaluation import BASELINE, CANDIDATE, Evaluation, evaluate
from assay.prove.gate import GateResult, gate
from assay.prove.group_table import FairnessTable, fairness
from assay.prove.policy import Policy
from assay.prove.predictions import Estimator, Model, check_column, describe, fitted_to, said_of
from assay.prove.repair_report import Cost, RateChange
from assay.prove.segments import Segments
from assay.record import tables
from assay.stats import (
    BINARY,
    GroupGap,
    bucket_of,
    columns_of,
    compare_all,
    group_gaps,
    metrics_of,
    row_identities,
    text_hashes,
)
from assay.stats.arrays import finite

__all__ = ["RATE_LABELS", "RepairOption", "RepairTask", "rate_named", "task_of"]

RATE_LABELS = {"selection_rate": None, "recall": 1, "fnr": 1, "fpr": 0, "specificity": 0}  # whose scores make the rate
_OTHER_NAMES = {"tpr": "recall", "tnr": "specificity"}
_COSTS = ("accuracy", "auc", "brier")
_BUCKETS = 50
_CHECKED = 1000  # rows on which a model has to give the same answer from plain columns


@dataclass(frozen=True, slots=True)
class RepairOption:
    """One way to bring a group's rate nearer to the reference's, or to find out whether it has to be.

    `evaluation` is an ordinary one on the held-out half, of the repaired model beside the champion where there is one,
    else beside the model as it was; `verdict` the gate's on it where a policy was given. `before` and `after` are the
    fairness reports of the model as it was and as it would be. `model` can be packaged like any other. "collect" has
    no model: `collect` says how many more rows each group needs.
    """

    kind: Literal["thresholds", "reweighed", "collect"]
    title: str
    description: str
    changes: list[RateChange] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    collect: dict[str, int] = field(default_factory=dict)
    before: FairnessTable | None = None
    after: FairnessTable | None = None
    evaluation: Evaluation | None = None
    verdict: GateResult | None = None
    model: MatrixModel | None = None


@dataclass(frozen=True, slots=True)
class RepairTask:
    """What every option needs to know."""

    evaluation: Evaluation
    group: str
    columns: list[str]
    rate: str
    reference: str
    reference_name: str
    limits: dict[str, float | None]
    threshold: float
    model: MatrixModel
    given: Model
    baseline: Model | None
    policy: Policy | None
    chosen: pa.Table
    held_out: pa.Table
    data_hash: str
    segments: Segments

    @property
    def bound(self) -> str:
        """The bound in words."""
        named = [f"a {name} of {value:g}" for name, value in self.limits.items() if value]
        return f"within {named[0]}" if named else "is there a difference"

    def gaps(self, evaluation: Evaluation, model: str) -> list[GroupGap]:
        """The groups against the reference."""
        return group_gaps(
            evaluation.profile,
            model,
            self.rate,
            self.group,
            gap=self.limits["gap"],
            ratio=self.limits["ratio"],
            reference=self.reference,
            alpha=self.policy.alpha if self.policy else 0.05,
            power=self.policy.power if self.policy else 0.8,
            clustered=bool(evaluation.unit),
        )

    def evaluated(self, model: Model, baseline: Model) -> Evaluation:
        """An evaluation on the held-out half, as the given one was made."""
        given = self.evaluation
        return evaluate(
            model,
            self.held_out,
            label=given.label,
            unit=given.unit,
            segments=self.segments,
            metrics=list(dict.fromkeys([*(name for name in given.metrics if name in metrics_of(BINARY)), *_COSTS])),
            baseline=baseline,
            threshold=self.threshold,
            name=f"held-out half of {given.dataset_name}",
        )

    def option(
        self, kind: Literal["thresholds", "reweighed"], title: str, description: str, model: MatrixModel
    ) -> RepairOption:
        """The option of a repaired model, measured."""
        beside = self.evaluated(model, self.model)
        evaluation = beside if self.baseline is None else self.evaluated(model, self.baseline)
        befores, afters = self.gaps(beside, BASELINE), self.gaps(beside, CANDIDATE)
        return RepairOption(
            kind=kind,
            title=title,
            description=description,
            changes=[_change(*pair) for pair in zip(befores, afters, strict=True)],
            costs=[_cost(beside, metric) for metric in _COSTS],
            before=fairness(beside, self.group, reference=self.reference, model=BASELINE),
            after=fairness(beside, self.group, reference=self.reference),
            evaluation=evaluation,
            verdict=gate(evaluation, self.policy) if self.policy else None,
            model=model,
        )


def rate_named(rate: str) -> str:
    """The rate of that name, in the words of Assay; InvalidInput for one that no threshold moves to a wanted value."""
    name = _OTHER_NAMES.get(rate, rate)
    if name not in RATE_LABELS:
        known = [*RATE_LABELS, *_OTHER_NAMES]
        raise InvalidInput(
            f"{rate!r} cannot be brought to another group's by a threshold",
            expected=", ".join(known),
            hint=nearest(rate, known),
        )
    return name


def task_of(
    evaluation: Evaluation,
    group: str,
    rate: str,
    data: object,
    model: Model,
    baseline: Model | None,
    policy: Policy | None,
    reference: str | None,
    gap: float | None,
    ratio: float | None,
) -> RepairTask:
    """The arguments of a repair, checked; InvalidInput as there."""
    profile = evaluation.profile
    if profile.task.name != "binary" or profile.task.weighted:
        kind = "of rows with sample weights" if profile.task.weighted else f"of the task {profile.task.name}"
        raise InvalidInput(f"an evaluation {kind} cannot be repaired", expected="the task binary, without weights")
    named = columns_of(profile, group)
    bound = policy.fairness.get(group, {}).get(rate) if policy else None
    if bound is not None and gap is None and ratio is None:
        gap, ratio, reference = bound.gap, bound.ratio, reference or bound.reference
    if gap is None and ratio is None:
        gap = 0.0
    found = group_gaps(profile, CANDIDATE, rate, group, gap=gap, ratio=ratio, reference=reference)
    if not found:
        raise InvalidInput(f"there is only one group by {group}", expected="two or more")
    threshold = profile.thresholds[profile.models.index(CANDIDATE)]
    if not 0.0 < threshold < 1.0:
        raise InvalidInput(f"the threshold of the evaluation is {threshold!r}", expected="inside (0, 1)")
    table = tables.as_table(data)
    for name in (evaluation.label, *evaluation.unit, *named):
        check_column(table.schema, name)
    first = _halves(table, evaluation.unit)
    return RepairTask(
        evaluation=evaluation,
        group=group,
        columns=[name for name in profile.columns if name in named],
        rate=rate,
        reference=" & ".join(dict(found[0].reference.conditions)[name] for name in named),
        reference_name=found[0].reference.name,
        limits={"gap": gap, "ratio": ratio},
        threshold=threshold,
        model=_as_matrix_model(model, table),
        given=model,
        baseline=baseline,
        policy=policy,
        chosen=table.filter(first),
        held_out=table.filter(pc.invert(first)),
        data_hash=tables.content_hash(table),
        segments=Segments(by=[name for name in evaluation.segments if name in table.column_names], cross=profile.cross),
    )


def _halves(table: pa.Table, unit: Sequence[str]) -> pa.Array:
    """Which rows belong to the half on which something is chosen: those of units in even buckets.

    Another seed than that of evaluations, whose jackknife then finds all its buckets occupied in either half.
    """
    texts = [tables.category_column(table, name).cast(pa.string()) for name in unit or table.column_names]
    units = row_identities([text_hashes(text) for text in texts])
    return pa.array(bucket_of(units, _BUCKETS, 1) % 2 == 0)


def _as_matrix_model(model: Model, table: pa.Table) -> MatrixModel:
    if isinstance(model, MatrixModel):
        return model
    if isinstance(model, TableModel):
        if not hasattr(model.estimator, "predict_proba"):
            raise InvalidInput(f"{describe(model)} gives no probabilities", expected="a classifier")
        columns = [column.name for column in model.columns]
        return MatrixModel(cast(Classifier, model.answering), columns, describe(model))
    if isinstance(model, str):
        check_column(table.schema, model)
        return MatrixModel(ScoreColumn(), [model], model)
    if not (isinstance(model, Estimator) and hasattr(model, "predict_proba")):
        raise InvalidInput(
            f"{describe(model)} cannot be repaired",
            expected="a registered version, a scikit-learn classifier fitted on named columns, or a column of scores",
            hint="put the scores into a column of the data and name it",
        )
    names = [str(name) for name in model.feature_names_in_]
    for name in names:
        check_column(table.schema, name)
    found = MatrixModel(FrameModel(cast(Classifier, model), names), names, describe(model))
    some = table.slice(0, _CHECKED)
    if not np.allclose(found(some), fitted_to(said_of(model, some, "model"), BINARY, "model").astype(np.float64)):
        raise InvalidInput(
            f"{describe(model)} gives other scores from plain columns than from a frame",
            hint="register it with `package_model` and repair the version",
        )
    return found


def _change(before: GroupGap, after: GroupGap) -> RateChange:
    return RateChange(
        group=before.group.name,
        n=before.n,
        before=finite(before.value),
        after=finite(after.value),
        gap_before=finite(before.gap),
        low_before=finite(before.low),
        high_before=finite(before.high),
        verdict_before=before.verdict,
        gap_after=finite(after.gap),
        low_after=finite(after.low),
        high_after=finite(after.high),
        verdict_after=after.verdict,
    )


def _cost(evaluation: Evaluation, metric: str) -> Cost:
    found = compare_all(evaluation.profile, CANDIDATE, BASELINE, metric, 0.0, clustered=bool(evaluation.unit)).at(0)
    return Cost(
        metric=metric,
        before=finite(found.baseline_value),
        after=finite(found.value),
        improvement=finite(found.delta),
        low=finite(found.low),
        high=finite(found.high),
    )
