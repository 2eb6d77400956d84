"""Repairing from the command line: the options for a recorded evaluation, and one of them as a new version."""

from typing import Annotated

from assay.build.models.packaging import load_model, package_model
from assay.errors import InvalidInput
from assay.operation import operation
from assay.prove.evaluation import Evaluation, evaluate, load_evaluation
from assay.prove.judgement import find_row
from assay.prove.repair import Repair, repair
from assay.prove.repair_report import RepairSummary
from assay.prove.segments import Segments
from assay.record import tables
from assay.record.datasets import dataset
from assay.record.store import Store
from assay.record.tracking.runs import start_run

__all__ = ["Remedy", "repair_evaluation"]


class Remedy(RepairSummary, frozen=True, kw_only=True):
    """The options for an evaluation. `registered` is the version that an option became, and `evaluation` that of it on
    the held-out half, which the gate judges.
    """

    registered: str | None = None
    evaluation: str | None = None


@operation("repair", local=True)
def repair_evaluation(
    store: Store,
    evaluation: str,
    *,
    group: Annotated[str | None, "The segment column, or a cross such as 'race & sex', whose groups differ"] = None,
    rate: Annotated[str, "selection_rate, recall, fpr, fnr or specificity"] = "recall",
    data: Annotated[str | None, "The Parquet file that was evaluated; by default the rows kept with it"] = None,
    train: Annotated[str | None, "A Parquet file of other labelled rows, to train the model's estimator again"] = None,
    policy: Annotated[str | None, "The TOML file by which the gate judges each option, with the bound"] = None,
    reference: Annotated[str | None, "The group the others are held against; by default the largest"] = None,
    register: Annotated[int | None, "Make the option with this number the model's next version"] = None,
) -> Remedy:
    """Offer ways to bring a rate of each group to the reference's, measured on rows they were not chosen on.

    The first characters of the evaluation's id are enough. Nothing is chosen for you; `--register NUMBER` makes an
    option a version and evaluates it on the held-out half, for `assay gate` to judge. Thresholds by group use the group
    when deciding, which the law may forbid.

    Raises InvalidInput as `assay.repair`, without a group, and for an option that is not there or has no model.
    """
    if group is None:
        raise InvalidInput("--group COLUMN is not given", hint=f"assay repair {evaluation} --group race")
    row = find_row(store, "evaluation", "evaluation_id", evaluation, {})
    given = load_evaluation(store, row["evaluation_id"])
    assert given.candidate is not None
    baseline = load_model(store, given.baseline) if given.baseline else None
    found = repair(
        given,
        group,
        rate,
        data=tables.as_table(data) if data else dataset(store, given.dataset_hash),
        model=load_model(store, given.candidate),
        baseline=baseline,
        train=tables.as_table(train) if train else None,
        policy=policy,
        reference=reference,
    )
    summary = found.summary()
    values = {name: getattr(summary, name) for name in RepairSummary.__struct_fields__}
    if register is None:
        return Remedy(**values)
    version, measured = _registered(store, given, found, register)
    return Remedy(**values, registered=version, evaluation=measured)


def _registered(store: Store, given: Evaluation, found: Repair, number: int) -> tuple[str, str]:
    """The option as a version, and the id of its evaluation on the held-out half."""
    assert given.candidate is not None
    if not 1 <= number <= len(found.options):
        raise InvalidInput(f"there is no option {number}", expected=f"1 to {len(found.options)}")
    option = found.options[number - 1]
    if option.model is None or option.evaluation is None:
        raise InvalidInput(f"option {number} is no model: {option.title}", expected="an option that is one")
    name = given.candidate.model
    description = f"{option.title}, repairs {found.rate} of {name}/{given.candidate.version}"
    with start_run(store, name, f"repair {found.rate}", model=name) as run:
        version = package_model(
            store,
            name,
            option.model.classifier,
            found.held_out,
            option.model.columns,
            run=run,
            description=description,
        )
        measured = evaluate(
            load_model(store, version),
            found.held_out,
            label=given.label,
            unit=given.unit,
            segments=Segments(by=option.evaluation.segments, cross=given.profile.cross),
            metrics=option.evaluation.metrics,
            baseline=load_model(store, given.baseline or given.candidate),
            threshold=option.evaluation.profile.thresholds[0],
            store=store,
            name=f"{given.dataset_name}-held-out",
        )
    return f"{name}/{version.version}", measured.evaluation_id
