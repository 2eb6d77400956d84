"""Expectations from a table that is as it should be, with slack for chance: a fresh sample of the same passes.

The rules are few. Where k of the reference's n rows break a rule (mostly none), a share of (k + 3√(k + 1) + 3)/n is put
down to chance. Three times as many missing values as there were are allowed. A range is widened by its own width on
both sides, but stays at 0 or above, and between 0 and 1, where the reference did. Ranges, sets of values and missing
values only warn, because honest data moves; types, keys and labels stop.
"""

import math
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import is_number, is_text
from assay.build.data.expectations import (
    Columns,
    Expectation,
    Expectations,
    Fresh,
    Label,
    LabelRate,
    OneOf,
    Present,
    Range,
    Rows,
    Unique,
    Varies,
    type_word,
)
from assay.build.data.label_rates import rate_of
from assay.build.data.seen import Seen
from assay.errors import InvalidInput
from assay.record import tables as files

__all__ = ["default_expectations", "infer_expectations"]

_MOST_VALUES = 250  # more different values than this are no set that somebody keeps
_ROWS_OF_A_VALUE = 5  # with fewer rows for each value most of them are yet to come
_FEWEST_ROWS = 20
_MOST_CLASSES = 10
_DIGITS = 1
_MOST_WHOLE = 2**63
_MOVES = 3  # times as many missing values as the reference had are still usual: over months they vary as much


def infer_expectations(
    reference: object,
    *,
    label: str | None = None,
    time: str | None = None,
    key: str | Sequence[str] | None = None,
    fresh_hours: float | None = None,
) -> Expectations:
    """What a table like the reference must be like: columns and types, missing values, ranges, sets, key, label, rows.

    `label` is the column to be learned, `time` that of the rows' time: with both the label's rate is checked by time.
    `key` are the columns in which no two rows agree. `fresh_hours`: how old the newest time may be.

    InvalidInput for a reference of fewer than 20 rows, a column that is not there, and a key that repeats.
    """
    table = files.as_table(reference)
    if table.num_rows < _FEWEST_ROWS:
        raise InvalidInput(
            f"the reference has {table.num_rows} rows", expected=f"{_FEWEST_ROWS} or more, to tell what is usual"
        )
    keys = (key,) if isinstance(key, str) else tuple(key or ())
    seen = Seen(table)
    for name in [*keys, *([label] if label else []), *([time] if time else [])]:
        seen.column(name)
    if fresh_hours is not None and time is None:
        raise InvalidInput("fresh_hours is given without time", hint="say which column holds the rows' time")
    found: list[Expectation] = [
        Columns(types={field.name: type_word(field.type, wide=True) for field in table.schema}),
        Rows(max(1, table.num_rows // 10), severity="warn"),
    ]
    found += [_key_of(seen, keys)] if keys else []
    for name in table.column_names:
        found += _of_column(seen, name, is_key=keys == (name,), is_label=name == label, is_time=name == time)
    found += _about_label(seen, label, time, is_reference=True) if label else []
    found += [Fresh(time, fresh_hours)] if time and fresh_hours is not None else []
    return Expectations(tuple(found), f"inferred from {table.num_rows:,} rows and {table.num_columns} columns")


def default_expectations(
    table: object, *, label: str | None = None, time: str | None = None, key: str | Sequence[str] | None = None
) -> Expectations:
    """What any table must be like, without a reference: rows, no empty or constant columns, key, label and its rate.

    InvalidInput for a column that is not there.
    """
    arrow = files.as_table(table)
    keys = (key,) if isinstance(key, str) else tuple(key or ())
    seen = Seen(arrow)
    for name in [*keys, *([label] if label else []), *([time] if time else [])]:
        seen.column(name)
    found: list[Expectation] = [Rows(1)]
    found += [Unique(keys)] if keys else []
    found += [
        Varies(field.name, severity="warn")
        for field in arrow.schema
        if field.name not in (label, time) and not pa.types.is_nested(field.type)
    ]
    found += [Present(time, severity="warn")] if time else []
    found += _about_label(seen, label, time, is_reference=False) if label else []
    return Expectations(tuple(found), "what any table must be like")


def _key_of(seen: Seen, key: tuple[str, ...]) -> Unique:
    from assay.build.data.checks import check_results

    (result,) = check_results(seen.table, [Unique(key)])
    if result.failing_rows:
        raise InvalidInput(
            f"{' + '.join(key)} is no key of the reference: {result.failing_rows:,} rows repeat it",
            hint="name more columns, or remove what is there twice",
        )
    return Unique(key)


def _of_column(seen: Seen, name: str, *, is_key: bool, is_label: bool, is_time: bool) -> list[Expectation]:
    values = seen.column(name)
    rows, missing = len(values), values.null_count
    if missing == rows:
        return []  # nothing is known about it
    found: list[Expectation] = []
    allowed = _by_chance(_MOVES * missing, rows)
    if allowed < 1:
        found.append(Present(name, _rounded_down(1 - allowed), severity="warn"))
    if is_key or is_time:
        return found
    distinct = _distinct(seen, name)
    if distinct is not None and not is_label:
        once, known = distinct
        share = _rounded_down(1 - _by_chance(once, rows - missing))
        if share > 0:
            found.append(OneOf(name, known, share, severity="warn"))
    elif is_number(values.type) and not is_label:
        found += _range_of(seen, name)
    return found


def _distinct(seen: Seen, name: str) -> tuple[int, tuple[str | int | bool, ...]] | None:
    """How many values of a column occur once, and all of them, where they are a set that somebody keeps.

    The chance that the next row has a value that was never seen is about the share of rows whose value occurred once
    (Good 1953).
    """
    values = seen.column(name)
    if not (is_text(values.type) or pa.types.is_boolean(values.type)):
        return None
    counts = pc.value_counts(values.drop_null())
    if len(counts) > _MOST_VALUES or len(values) < _ROWS_OF_A_VALUE * len(counts):
        return None
    once = int(pc.sum(pc.equal(counts.field("counts"), 1)).as_py() or 0)
    return once, tuple(sorted(counts.field("values").to_pylist()))


def _range_of(seen: Seen, name: str) -> list[Expectation]:
    values = seen.column(name)
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    if pa.types.is_floating(values.type):
        values = values.filter(pc.fill_null(pc.is_finite(values), False))
    if len(values) == values.null_count:
        return []
    low, high = (end.as_py() for end in pc.min_max(values).values())
    width = high - low
    bottom = 0 if low >= 0 else -math.inf
    top = 1 if low >= 0 and high <= 1 and pa.types.is_floating(values.type) else math.inf
    widened_low, widened_high = max(low - width, bottom), min(high + width, top)
    if pa.types.is_floating(values.type):
        widened_low, widened_high = float(f"{widened_low:.6g}"), float(f"{widened_high:.6g}")
    elif max(-widened_low, widened_high) >= _MOST_WHOLE:
        return []  # files and Arrow hold whole numbers up to there
    wrong = len(seen.column(name)) - seen.column(name).null_count - (len(values) - values.null_count)
    share = _rounded_down(1 - _by_chance(wrong, len(values)))
    return [Range(name, widened_low, widened_high, share, severity="warn")] if share > 0 else []


def _about_label(seen: Seen, label: str, time: str | None, *, is_reference: bool) -> list[Expectation]:
    values = seen.column(label)
    found: list[Expectation] = [Label(label)]
    if time is None or len(values) == values.null_count:
        return found
    classes = sorted(pc.unique(values).drop_null().to_pylist())
    if len(classes) > _MOST_CLASSES or (len(classes) > 2 and pa.types.is_floating(values.type)):
        return found  # a number to be predicted has no rate
    chosen = classes if len(classes) > 2 else classes[-1:]
    for one in chosen:
        rate = LabelRate(label, time, one)
        if is_reference:
            rate = LabelRate(label, time, one, rate=float(f"{rate_of(values, one):.4g}"))
        found.append(rate)
    return found


def _by_chance(k: int, n: int) -> float:
    """The share that is put down to chance where k of n were seen."""
    return (k + 3 * math.sqrt(k + 1) + 3) / n if n else 1.0


def _rounded_down(share: float) -> float:
    """A share that a person can read: below the given one by less than a tenth of what is missing to 1."""
    missing = 1 - share
    if missing <= 0:
        return 1.0
    digits = _DIGITS - 1 - math.floor(math.log10(missing))
    scale = 10.0**digits
    return max(0.0, round(1 - math.ceil(missing * scale - 1e-9) / scale, digits))
