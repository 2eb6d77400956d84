"""Signs of leakage that need no history: what the rows of a training set, and those it is judged on, say themselves."""

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from assay.build.data import leakage_rows
from assay.build.data.columns import column
from assay.build.data.finding import Finding, Findings, share_text
from assay.build.data.leakage import check_leakage
from assay.build.data.split_times import is_time
from assay.build.views.matching.wanted import nulls

__all__ = ["signs"]


def signs(
    table: pa.Table,
    evaluation: pa.Table | None,
    features: Sequence[str],
    *,
    label: str | None,
    time: str,
    entity: Sequence[str],
) -> Findings:
    """What `check_leakage` finds, and more that is peculiar to features of entities.

    Columns of times after the time of their row, whatever they are; features that are missing exactly where the label
    is; an entity in training and in evaluation rows, which is a warning, as it is often meant.
    """
    parts = {"training": table} if evaluation is None else {"training": table, "evaluation": evaluation}
    found = check_leakage(parts, label=label, time=time, features=features)
    others = [field.name for field in table.schema if is_time(field.type) and field.name not in (time, *features)]
    found += leakage_rows.later_values(table, time, others)
    if evaluation is not None:
        shared = leakage_rows.shared(parts, "group", entity)
        found += [msgspec.structs.replace(one, severity="warn") for one in shared]
    if label is not None:
        found += _missing_with_label(table, label, features)
    found.sort(key=lambda one: one.severity)  # "stop" before "warn"
    return found


def _missing_with_label(table: pa.Table, label: str, features: Sequence[str]) -> list[Finding]:
    absent = nulls(column(table, label))
    rows = int(absent.sum())
    if not 0 < rows < table.num_rows:
        return []
    return [
        Finding(
            "missing",
            "stop",
            f"{name} is missing exactly where {label} is, in {share_text(rows, table.num_rows)}: is it of later?",
            rows,
            table.num_rows,
            [name],
        )
        for name in features
        if (nulls(column(table, name)) == absent).all()
    ]
