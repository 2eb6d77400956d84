"""Repairs of a gap between groups, as ordinary candidates with honest before and after.

Units are split in two halves by a hash. What has to be chosen, such as a threshold, is chosen on one half; whatever is
reported is measured on the other one. Nothing is chosen for the user.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from assay.errors import InvalidInput
from assay.prove.evaluation import Evaluation
from assay.prove.policy import Policy, load_policy
from assay.prove.predictions import Model
from assay.prove.repair_options import collecting, group_thresholds, reweighed_training
from assay.prove.repair_report import OptionSummary, RepairSummary, report_lines
from assay.prove.repair_task import RepairOption, rate_named, task_of
from assay.record import tables

__all__ = ["Repair", "RepairOption", "repair"]


@dataclass(frozen=True, slots=True)
class Repair:
    """The options, in the order of least effort; `held_out` are the rows all of them were measured on."""

    group: str
    rate: str
    reference: str
    bound: str
    options: list[RepairOption]
    notes: list[str]
    chosen_on: int
    held_out: pa.Table

    def summary(self) -> RepairSummary:
        """All of it as values that can be printed and sent."""
        return RepairSummary(
            group=self.group,
            rate=self.rate,
            reference=self.reference,
            bound=self.bound,
            chosen_on=self.chosen_on,
            measured_on=self.held_out.num_rows,
            options=[
                OptionSummary(
                    number=number,
                    kind=one.kind,
                    title=one.title,
                    description=one.description,
                    changes=one.changes,
                    costs=one.costs,
                    collect=one.collect,
                    verdict=one.verdict.verdict if one.verdict else None,
                    reasons=one.verdict.reasons if one.verdict else [],
                )
                for number, one in enumerate(self.options, start=1)
            ],
            notes=self.notes,
        )

    def __str__(self) -> str:
        return "\n".join(report_lines(self.summary()))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


def repair(
    evaluation: Evaluation,
    group: str,
    rate: str = "recall",
    *,
    data: object,
    model: Model,
    baseline: Model | None = None,
    train: object = None,
    estimator: object = None,
    policy: Policy | str | Path | None = None,
    reference: str | None = None,
    gap: float | None = None,
    ratio: float | None = None,
) -> Repair:
    """Offer ways to bring a rate of each group to the reference's, each measured on rows it was not chosen on.

    * thresholds by group, chosen on half of the units;
    * with `train`, a table of labelled rows, training with weights that make group and label independent (Kamiran and
      Calders 2012): of a clone of `estimator`, by default of the model's own;
    * where it is open whether a group is within the bound, how many more rows would decide.

    `evaluation` was made of `model` on rows like `data`, which a profile does not keep; the group is one of its segment
    columns or a cross. `rate` is selection_rate, recall ("tpr"), fpr, fnr or specificity. `model` is a registered
    version, a scikit-learn classifier fitted on named columns, or the name of a column of scores. The bound is that of
    the `policy` for this group and rate, or `gap` or `ratio`; without any the question is whether there is a
    difference. With a `policy` each option has the gate's verdict, against `baseline` (the champion) where it is given.

    Thresholds by group use the group when deciding, which the law may forbid: ask before using them.

    Raises InvalidInput for a column, rate, reference or bound that is not there, training rows that are the data, an
    estimator without weights, a model whose scores are all the same, and where no option can be made.
    """
    policy = load_policy(policy) if isinstance(policy, str | Path) else policy
    rate = rate_named(rate)
    task = task_of(evaluation, group, rate, data, model, baseline, policy, reference, gap, ratio)
    problems: list[str] = []
    options = group_thresholds(task, problems)
    if train is not None:
        options.append(reweighed_training(task, tables.as_table(train), estimator))
    elif estimator is not None:
        raise InvalidInput("an estimator needs rows to learn from", expected="train= with labelled rows")
    notes = list(problems)
    options += collecting(task, notes)
    if not options and problems:
        raise InvalidInput("no repair can be made", where=" ".join(problems), hint="collect more rows of these groups")
    return Repair(group, rate, task.reference, task.bound, options, notes, task.chosen.num_rows, task.held_out)
