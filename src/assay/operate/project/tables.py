"""What stands between a project's table and a model: the label as numbers, and which columns are learned from."""

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.checks import CheckResult
from assay.build.data.columns import column, is_number, is_text
from assay.build.data.finding import Finding
from assay.build.data.splits import Split
from assay.errors import InvalidInput
from assay.operate.project.settings import ProjectFile
from assay.record.datasets import DatasetVersion

__all__ = ["Prepared", "feature_columns", "labelled"]

_FEW = 2  # rows that each class needs: one to learn from, one to be judged on


class Prepared(msgspec.Struct, frozen=True):
    """A project's rows, ready to teach and to judge. `features` are the columns a model learns from."""

    parts: Split
    features: list[str]
    raw: DatasetVersion
    hold_out: DatasetVersion
    checks: list[CheckResult]
    findings: list[Finding]


def labelled(project: ProjectFile, table: pa.Table) -> pa.Table:
    """The table with its label as the task wants it: 0 and 1, text, or numbers; null where it is not known.

    InvalidInput for a label that is absent, constant or of another kind, and for a positive value that never occurs.
    """
    where = project.where("data", "label")
    label = project.data.label
    try:
        values = column(table, label)
    except InvalidInput as error:
        raise InvalidInput(
            f"the label {label!r} is not there: {error.what}", where=where, expected=error.expected, hint=error.hint
        ) from None
    known = pc.drop_null(values)
    distinct = pc.count_distinct(known).as_py() if len(known) else 0
    if distinct < 2:
        found = f"always {known[0].as_py()!r}" if len(known) else "never known"
        raise InvalidInput(f"the label {label!r} is {found}", where=where, expected="two values or more")
    if project.model.task == "regression":
        if not is_number(values.type):
            raise _wrong_kind(project, values.type, "numbers")
        return _with(table, label, values.cast(pa.float64()))
    if project.model.task == "binary":
        return _with(table, label, _as_zero_and_one(project, values, distinct))
    if not is_text(values.type):
        if not (pa.types.is_integer(values.type) or pa.types.is_boolean(values.type)):
            raise _wrong_kind(project, values.type, "text or whole numbers")
        values = values.cast(pa.string())
    counts = {one["values"].as_py(): one["counts"].as_py() for one in pc.value_counts(known.cast(values.type))}
    rare = min(counts, key=lambda name: (counts[name], name))
    if counts[rare] < _FEW:
        raise InvalidInput(
            f"the class {rare!r} has {counts[rare]} row",
            where=where,
            expected=f"{_FEW} or more: some to learn from, some to be judged on",
            hint="leave such rows out, or put rare classes together",
        )
    return _with(table, label, values)


def feature_columns(project: ProjectFile, table: pa.Table) -> list[str]:
    """The columns a model learns from: numbers, booleans and text, without label, ignored ones and what splits rows."""
    named = (("data", "ignore"), project.data.ignore), (("data", "unit"), project.data.unit)
    for keys, names in (*named, (("policy", "segments"), project.policy.segments)):
        for name in names:
            _named(project, table, name, keys)
    left_out = {project.data.label, *project.data.ignore, *project.data.unit}
    if project.split.how in ("time", "group"):
        left_out |= set(project.split.by)
    found = [
        field.name
        for field in table.schema
        if field.name not in left_out and _is_learnable(column(table, field.name).type)
    ]
    if not found:
        raise InvalidInput(
            "no column is left to learn from",
            where=project.where("data", "ignore"),
            expected="at least one column of numbers or text beside the label",
        )
    return found


def _named(project: ProjectFile, table: pa.Table, name: str, keys: tuple[str, str]) -> None:
    """Look that a column is there which the project names; said with its line before anything is trained."""
    try:
        column(table, name)
    except InvalidInput as error:
        raise error.at(project.where(*keys)) from None


def _is_learnable(kind: pa.DataType) -> bool:
    return is_number(kind) or is_text(kind) or pa.types.is_boolean(kind)


def _as_zero_and_one(project: ProjectFile, values: pa.ChunkedArray, distinct: int) -> pa.ChunkedArray:
    positive = project.data.positive
    where = project.where("data", "positive")
    is_bool = pa.types.is_boolean(values.type)
    shown = sorted(str(one) for one in pc.unique(pc.drop_null(values)).to_pylist()[:8])
    if distinct != 2:
        raise InvalidInput(
            f"the label {project.data.label!r} has {distinct} values",
            where=project.where("model", "task"),
            expected='two, or task = "multiclass"',
        )
    if positive is None:
        if set(shown) <= {"0", "1", "0.0", "1.0", "True", "False"}:
            return values.cast(pa.int8())
        raise InvalidInput(
            f"which value of {project.data.label!r} is meant by 1?",
            where=project.where("data"),
            expected=f'positive = "{shown[0]}" or "{shown[1]}" in [data]',
        )
    try:
        same = pc.equal(values, pa.scalar(positive, values.type))
    except (pa.ArrowException, TypeError) as error:
        raise InvalidInput(
            f"positive is {positive!r}, and the label is of type {values.type}",
            where=where,
            expected="true or false, without quotation marks" if is_bool else ", ".join(shown),
        ) from error
    if not pc.any(same).as_py():
        raise InvalidInput(f"no label is {positive!r}", where=where, expected=" or ".join(repr(one) for one in shown))
    return same.cast(pa.int8())


def _with(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _wrong_kind(project: ProjectFile, kind: pa.DataType, expected: str) -> InvalidInput:
    return InvalidInput(
        f"the label {project.data.label!r} is of type {kind}",
        where=project.where("data", "label"),
        expected=f"{expected} for a {project.model.task} task",
    )
