"""From a project's data to a candidate that was judged: the way that `assay run` goes."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pyarrow as pa

from assay.build.data.checks import CheckResult, check_table
from assay.build.data.columns import column
from assay.build.data.expectation_files import load_expectations
from assay.build.data.leakage import check_leakage
from assay.build.data.sources import source
from assay.build.data.split_times import Moments, is_time
from assay.build.data.splits import Split, split
from assay.build.models.packaging import load_model, package_model
from assay.build.models.table_model import TableModel
from assay.build.steps.handles import taken
from assay.build.steps.values import value_hash
from assay.errors import Conflict, InvalidInput, Refused
from assay.operate.project.code import called_with, calling, function_of, load_code
from assay.operate.project.estimators import train_by_name
from assay.operate.project.settings import ProjectFile
from assay.operate.project.sql import run_sql_steps
from assay.operate.project.tables import Prepared, feature_columns, labelled
from assay.progress import tell
from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.gate import gate
from assay.prove.judgement import Judgement, judgement_of, recorded_verdict
from assay.prove.segments import Segments
from assay.record import tables
from assay.record.canonical import digest
from assay.record.datasets import DatasetVersion, dataset, dataset_version, snapshot
from assay.record.lengths import checked_length
from assay.record.models.registry import CHAMPION, ModelVersion, alias, version_by_id
from assay.record.models.versions import set_version_tags
from assay.record.store import Store
from assay.record.tracking.runs import Run

__all__ = [
    "check_data",
    "judge_candidate",
    "prepare",
    "read_data",
    "register_once",
    "taught_name",
    "train_model",
    "trained",
]

_SHOWN = 3  # broken expectations in a message
_CONTENT_TAG = "assay.content"  # what was learned, whichever run wrote it


def prepare(store: Store, project: ProjectFile, run: Run, data: str | None = None) -> Prepared:
    """Read, keep, check, transform and split the data of a project, within a run of its store.

    `data` is the hash of rows that were read and kept before; without it they are read now. What teaches and what
    judges is kept, as datasets. Refused where the data breaks an expectation that stops.
    """
    tell("data", 0.0, project.data.source)
    if data is None:
        raw, table = read_data(store, project)
    else:
        raw, table = dataset_version(store, data, project.name), dataset(store, data)
    run.uses(raw.artifact_id, raw.name)
    tell("data", 0.3, f"{table.num_rows:,} rows")
    checks = check_data(store, project, raw, table)
    table = run_sql_steps(project, table)
    module = load_code(project)
    own = function_of(project, module, "prepare", needed=False) if module else None
    if own is not None:
        with calling(project, "prepare"):
            made = taken(own(table))
        table = _table_of(project, made)
    table = labelled(project, table)
    features = feature_columns(project, table)
    parts = _split(project, table)
    hold_out = snapshot(store, f"{project.name}-test", parts.test)
    for kept in (snapshot(store, taught_name(project), parts.train), hold_out):
        run.makes(kept.artifact_id, kept.name)
    tell("data", 0.8, "looking for leaks")
    findings = check_leakage(parts, label=project.data.label, features=features)
    tell("data", 1.0, f"{parts.train.num_rows:,} rows teach, {parts.test.num_rows:,} judge")
    return Prepared(parts, features, raw, hold_out, checks, list(findings))


def train_model(project: ProjectFile, table: pa.Table, features: list[str], params: Mapping[str, object]) -> object:
    """What the project's `train`, or its estimator, makes of rows that teach, with these params.

    Inside a pipeline this may be a handle: `trained` takes its value.
    """
    module = load_code(project)
    if module is None:
        with calling(project, str(project.model.estimator)):
            return train_by_name(project, table, features, params)
    train = function_of(project, module, "train", needed=True)
    assert train is not None
    given = {
        "table": table,
        "features": features,
        "label": project.data.label,
        "task": project.model.task,
        "seed": project.split.seed,
    }
    arguments = called_with(project, train, given, params)
    with calling(project, "train"):
        return train(**arguments)


def trained(project: ProjectFile, model: object) -> object:
    """The value of what was trained; InvalidInput for what cannot predict."""
    with calling(project, "train" if project.model.code else str(project.model.estimator)):
        model = taken(model)
    if not hasattr(model, "predict"):
        raise InvalidInput(
            f"train returned a {type(model).__name__}, which cannot predict",
            where=project.where("model", "code"),
            expected="a fitted estimator",
            hint="return assay.train(estimator, table, label=label, features=features)",
        )
    return model


def register_once(
    store: Store, project: ProjectFile, model: object, ready: Prepared, *, run: Run, description: str
) -> tuple[ModelVersion, bool]:
    """The version that holds the model, and whether it is new: what was learned before is registered already."""
    name = project.model_name
    fitted = getattr(model, "estimator", model)  # and not how long it took
    content = digest([ready.features, project.data.label, value_hash(fitted, "the model")])
    for row in store.query("model_version_tag", {"key": _CONTENT_TAG, "value": content}):
        known = version_by_id(store, row["mv_id"])
        if known.model == name:
            return known, False
    takes = [one.name for one in model.columns] if isinstance(model, TableModel) else ready.features
    table = ready.parts.train
    by = [one for one in project.split.by if project.split.how == "time" and is_time(column(table, one).type)]
    time = by[0] if by else None
    version = package_model(store, name, model, table, takes, run=run, description=description, time=time)
    set_version_tags(store, name, version.version, {_CONTENT_TAG: content})
    return version, True


def judge_candidate(
    store: Store, project: ProjectFile, ready: Prepared, candidate: ModelVersion, baseline: ModelVersion
) -> Judgement:
    """The verdict on a candidate: beside the champion where there is one, else beside the baseline, by segment.

    The same candidate on the same rows by the same policy was judged before: then that verdict, which uses no rows up.
    """
    beside = alias(store, project.model_name, CHAMPION) or baseline
    if beside.mv_id == candidate.mv_id:
        raise Conflict(
            f"version {candidate.version} is the champion already: nothing has changed since it was trained",
            where=project.model_name,
            hint="change data, code or params; `assay why train` says what was looked at",
        )
    known = recorded_verdict(
        store,
        candidate,
        beside,
        dataset_hash=ready.hold_out.hash,
        policy=project.policy,
        unit=project.data.unit,
        segments=project.policy.segments,
    )
    if known is not None:
        return known
    tell("gate", 0.0, f"version {candidate.version} beside version {beside.version}")
    found: Evaluation = evaluate(
        load_model(store, candidate),
        ready.parts.test,
        baseline=load_model(store, beside),
        label=project.data.label,
        task=project.model.task,
        unit=project.data.unit,
        segments=Segments(by=project.policy.segments, cross=project.policy.cross),
        store=store,
        dataset=ready.hold_out,
        seed=project.split.seed,
    )
    result = gate(found, project.policy, store=store)
    tell("gate", 1.0, result.verdict)
    return judgement_of(result)


def taught_name(project: ProjectFile) -> str:
    """What the dataset of rows that taught a version is called."""
    return f"{project.name}-train"


def read_data(store: Store, project: ProjectFile) -> tuple[DatasetVersion, pa.Table]:
    """The rows of a project as its source has them now, kept under their content."""
    where = project.data.source
    place = where if "://" in where else str(project.folder / where)
    try:
        table = source(place, **project.data.options).read()
    except InvalidInput as error:
        raise error.at(project.where("data", "source")) from error
    return snapshot(store, project.name, table), table


def check_data(store: Store, project: ProjectFile, raw: DatasetVersion, table: pa.Table) -> list[CheckResult]:
    """What the project's expectations find in its rows, on record; Refused where one that stops is not met."""
    if project.expectations is None:
        return []
    results = check_table(store, raw.hash, table, load_expectations(project.folder / project.expectations))
    failed = [one for one in results if one.result == "fail"]
    if failed:
        more = f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
        raise Refused(
            f"the data does not meet {len(failed)} expectation{'s' if len(failed) > 1 else ''}",
            where=f"{project.data.source}: " + "; ".join(f"{one.name}: {one.detail}" for one in failed[:_SHOWN]) + more,
            hint=f"correct the source, or {project.expectations}",
        )
    return results


def _table_of(project: ProjectFile, made: object) -> pa.Table:
    try:
        table = tables.as_table(made)
    except InvalidInput as error:
        raise InvalidInput(
            f"prepare returned a {type(made).__name__}", where=project.where("model", "code"), expected="a table"
        ) from error
    if not table.num_rows:
        raise InvalidInput(
            "prepare leaves no rows", where=project.where("model", "code"), hint="look at the condition that filters"
        )
    return table


def _split(project: ProjectFile, table: pa.Table) -> Split:
    how = project.split.how
    by: dict[str, object] = {}
    if how == "stratified":
        by = {"label": project.data.label, "by": project.split.by}
    elif how == "group":
        by = {"group": project.split.by}
    test = project.split.test
    try:
        if how == "time":
            by = {"time": project.split.by[0]}
            if isinstance(test, str):
                by["cuts"] = [_last(table, project.split.by[0], checked_length(test, "test"))]
        share = {} if isinstance(test, str) else {"test": test}
        return split(table, how, seed=project.split.seed, **share, **by)  # type: ignore[arg-type] # each takes what it was given
    except InvalidInput as error:
        raise error.at(project.where("split")) from error


def _last(table: pa.Table, time: str, length: timedelta) -> datetime:
    """When the last rows of so long begin."""
    moments = Moments(table, time)
    if not moments.is_time:
        raise InvalidInput(f"{time!r} holds numbers, and test is a length of time", expected="a share between 0 and 1")
    newest = pa.scalar(int(moments.values[moments.known].max()), pa.timestamp("us", "UTC")).as_py()
    begin: datetime = newest - length
    return begin
