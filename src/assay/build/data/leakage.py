"""Leakage: what a model could learn from that it will not have, or is judged on although it saw it.

Every check gives findings with a sentence, the rows it concerns, and how sure it is: "stop" where the evaluation would
be wrong, "warn" where somebody who knows the data has to look.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from assay.build.data import leakage_columns, leakage_rows, leakage_sums
from assay.build.data.columns import column
from assay.build.data.finding import Findings
from assay.build.data.split_hashes import names_of
from assay.build.data.split_slices import slice_of
from assay.build.data.splits import Split
from assay.errors import InvalidInput
from assay.record import tables

__all__ = ["check_leakage"]

_MOST_ROWS = 200_000  # for what columns say about the label: more rows would only narrow intervals that decide already


def check_leakage(
    data: object,
    *,
    label: str | None = None,
    key: str | Sequence[str] = (),
    group: str | Sequence[str] = (),
    time: str | None = None,
    features: Sequence[str] | None = None,
) -> Findings:
    """What leaks between the parts of a split, and from the label into the features; an empty list where nothing does.

    `data` is a `Split`, tables by the names of their parts (the one that is learned from first, in order of time), or
    one table. `features` are the columns a model reads, by default all but `label`, `key`, `group` and `time`.

    * rows: the same row, or the same features, in two parts; one `key` or one `group` in two parts; with `time`, rows
      of an earlier part that are later than the first row of a later part;
    * columns: the label in another spelling; a column that tells it nearly perfectly by itself; one that is missing
      where the label has one value; a sum of columns that is the label; with `time`, dates after it.

    A column tells the label nearly perfectly where the area under its ROC curve, on rows it was not fitted on, is above
    .99 (warn) or .999 (stop) with a confidence of 99.9 %: an honest feature of up to .99 raises no alarm. Of several
    classes, where less than 1 % (.1 %) of the errors are left that the most frequent class makes; of numbers, where
    less than 1 % (.1 %) of the variance is. Of more than 200,000 rows that many, drawn by hash, are looked at for it.

    InvalidInput for columns that are missing, and parts that differ in columns.
    """
    parts = _parts(data)
    first = next(iter(parts.values()))
    told_apart = [*names_of(key), *names_of(group), *names_of(time), *names_of(label)]
    for name in told_apart:
        column(first, name)
    read = [name for name in first.column_names if name not in told_apart] if features is None else list(features)
    for name in read:
        column(first, name)
    if label is not None and label in read:
        raise InvalidInput(f"the label {label!r} is among the features", expected="features without it")
    found = Findings()
    if len(parts) > 1:
        found += leakage_rows.repeated(parts, read)
        found += leakage_rows.shared(parts, "key", names_of(key))
        found += leakage_rows.shared(parts, "group", names_of(group))
        if time is not None:
            found += leakage_rows.later_rows(parts, time)
    together = pa.concat_tables(parts.values(), promote_options="permissive")
    if time is not None:
        found += leakage_rows.later_values(together, time, read)
    if label is not None:
        if together.num_rows > _MOST_ROWS:
            together = slice_of(together, rows=_MOST_ROWS)
        found += (alone := leakage_columns.telling(together, label, read))
        known = {name for finding in alone for name in finding.columns}
        found += leakage_sums.summing(together, label, [name for name in read if name not in known])
    found.sort(key=lambda finding: finding.severity)  # "stop" before "warn"
    return found


def _parts(data: object) -> dict[str, pa.Table]:
    if isinstance(data, Split):
        parts = {name: data[name] for name in data.names}
    elif isinstance(data, Mapping):
        parts = {str(name): tables.as_table(part) for name, part in data.items()}
    else:
        parts = {"data": tables.as_table(data)}
    for name, part in parts.items():
        if not part.num_rows:
            raise InvalidInput(f"the part {name!r} has no rows")
        others = set(next(iter(parts.values())).column_names)
        if different := others ^ set(part.column_names):
            raise InvalidInput(
                f"the parts differ in columns: {', '.join(sorted(different))}", where=f"the part {name!r}"
            )
    if not parts:
        raise InvalidInput("there are no parts", expected="a split, or tables by name")
    return parts
