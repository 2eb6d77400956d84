"""Which rows break an expectation, or how the whole table does."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data import expectations as kinds
from assay.build.data.columns import is_number, is_text
from assay.build.data.label_rates import odd_periods
from assay.build.data.seen import Seen, key_codes
from assay.errors import InvalidInput, nearest

__all__ = ["Failure", "Surroundings", "failure"]


class Surroundings(NamedTuple):
    """What an expectation may need beside the table: the time, and other tables by name."""

    now: datetime
    tables: Mapping[str, pa.Table]


class Failure(NamedTuple):
    """What was found. `failing` rows are wrong, 0 where it passes; `rows` says which, where it is about rows."""

    failing: int
    detail: str
    rows: Callable[[], pa.ChunkedArray] | None = None


def failure(expectation: kinds.Expectation, seen: Seen, around: Surroundings, promised: Mapping[str, str]) -> Failure:
    """What breaks an expectation. `promised`: columns whose presence and type another one states.

    A column that is promised and absent is a failure of the data. InvalidInput for one that nobody promised, and for a
    type that the expectation cannot read: then the expectation is wrong.
    """
    table = seen.table
    for name in expectation.columns:
        there = table.column_names.count(name)
        if name in promised and there != 1:
            said = f"more than one column is called {name}" if there else f"there is no column {name!r}"
            return Failure(max(table.num_rows, 1), said)
        if name in promised and not kinds.fits(table.schema.field(name).type, promised[name]):
            said = f"column {name!r} is of type {table.schema.field(name).type}, expected {promised[name]}"
            return Failure(max(table.num_rows, 1), said)
    return _FINDERS[type(expectation)](expectation, seen, around)


def _columns(expected: kinds.Columns, seen: Seen, _: Surroundings) -> Failure:
    table = seen.table
    found = {field.name: field.type for field in table.schema}
    wanted = expected.types
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        return Failure(max(table.num_rows, 1), f"more than one column is called {', '.join(twice)}")
    wrong = []
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found:
            close = nearest(name, [other for other in found if other not in wanted])
            wrong.append(f"{name}: absent, expected {wanted[name]}" + (f" (is it {close!r}?)" if close else ""))
        elif name in wanted and not kinds.fits(found[name], wanted[name]):
            wrong.append(f"{name}: {found[name]}, expected {wanted[name]}")
        elif name not in wanted and not expected.others:
            wrong.append(f"{name}: {found[name]}, expected no such column")
    return Failure(max(table.num_rows, 1) if wrong else 0, ", ".join(wrong))


def _rows(expected: kinds.Rows, seen: Seen, _: Surroundings) -> Failure:
    rows = seen.table.num_rows
    is_right = expected.at_least <= rows and (expected.at_most is None or rows <= expected.at_most)
    return Failure(0 if is_right else max(rows, 1), f"there are {rows:,} rows")


def _present(expected: kinds.Present, seen: Seen, _: Surroundings) -> Failure:
    values, rows = seen.column(expected.column), seen.table.num_rows
    missing = values.null_count
    # As a quotient: both sides are then the same nearest float where the share is met exactly.
    too_many = rows > 0 and (rows - missing) / rows < expected.share
    detail = f"{missing} of {rows} values are missing"
    return Failure(missing, detail, lambda: pc.is_null(values)) if too_many else Failure(0, detail)


def _range(expected: kinds.Range, seen: Seen, _: Surroundings) -> Failure:
    name, kind = expected.column, seen.column(expected.column).type
    is_time = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    ends = (expected.low, expected.high)
    if (
        (is_time and any(isinstance(end, int | float) for end in ends))
        or (is_number(kind) and any(isinstance(end, str) for end in ends))
        or not (is_time or is_number(kind) or pa.types.is_null(kind))
    ):
        raise _unread(name, kind, expected, "times as text" if is_time else "a column of numbers or times")
    if pa.types.is_null(kind):
        return Failure(0, "")
    low, high = _end(expected.low, kind, is_low=True), _end(expected.high, kind, is_low=False)

    if low is None and high is None:
        return Failure(0, "")

    def outside() -> pa.ChunkedArray:
        values = seen.column(name)
        parts = ([pc.greater_equal(values, low)] if low is not None else []) + (
            [pc.less_equal(values, high)] if high is not None else []
        )
        return pc.invert(parts[0] if len(parts) == 1 else pc.and_kleene(*parts))

    if not pa.types.is_floating(kind):  # their extremes pass over NaN, which is in no range
        smallest, largest = seen.extremes(name)
        if not smallest.is_valid or (
            (low is None or pc.greater_equal(smallest, low).as_py())
            and (high is None or pc.less_equal(largest, high).as_py())
        ):
            return Failure(0, "")
    return _counted(expected, seen, outside)


def _one_of(expected: kinds.OneOf, seen: Seen, _: Surroundings) -> Failure:
    kind = seen.column(expected.column).type
    try:
        known = pa.array(expected.values, kind)
    except (pa.ArrowException, TypeError) as error:
        raise _unread(expected.column, kind, expected) from error
    return _by_value(expected, seen, lambda distinct: pc.invert(pc.is_in(distinct, value_set=known)))


def _pattern(expected: kinds.Pattern, seen: Seen, _: Surroundings) -> Failure:
    kind = seen.column(expected.column).type
    if not (is_text(kind) or pa.types.is_null(kind)):
        raise _unread(expected.column, kind, expected, "a column of text")
    whole = f"^(?:{expected.pattern})$"
    return _by_value(expected, seen, lambda distinct: pc.invert(pc.match_substring_regex(distinct, whole)))


def _exists(expected: kinds.Exists, seen: Seen, around: Surroundings) -> Failure:
    kind = seen.column(expected.column).type
    try:
        known = pc.unique(Seen(around.tables[expected.table]).column(expected.key)).cast(kind).drop_null()
    except pa.ArrowException as error:
        raise _unread(expected.column, kind, expected, f"the type of {expected.table}.{expected.key}") from error
    return _by_value(expected, seen, lambda distinct: pc.invert(pc.is_in(distinct, value_set=known)))


def _unique(expected: kinds.Unique, seen: Seen, _: Surroundings) -> Failure:
    for name in expected.key:
        seen.column(name)
    if seen.table.num_rows == 0:
        return Failure(0, "0 rows repeat the key of another")
    codes = key_codes(seen, expected.key)
    ordered = np.sort(codes)
    repeats = int(np.count_nonzero(ordered[1:] == ordered[:-1]))

    def again() -> pa.ChunkedArray:
        rows = np.ones(len(codes), bool)
        rows[np.unique(codes, return_index=True)[1]] = False  # the first of each is the one that stays
        return pa.chunked_array([pa.array(rows)])

    return Failure(repeats, f"{repeats} rows repeat the key of another", again if repeats else None)


def _fresh(expected: kinds.Fresh, seen: Seen, around: Surroundings) -> Failure:
    kind, rows = seen.column(expected.column).type, max(seen.table.num_rows, 1)
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise _unread(expected.column, kind, expected, "a column of times")
    newest = pc.cast(seen.extremes(expected.column)[1], pa.timestamp("us", "UTC"), safe=False).as_py()
    if newest is None:
        return Failure(rows, "there is no time at all")
    hours = (around.now - newest).total_seconds() / 3600
    return Failure(
        rows if hours > expected.hours else 0, f"the newest is {hours:,.1f} hours old ({newest:%Y-%m-%d %H:%M})"
    )


def _varies(expected: kinds.Varies, seen: Seen, _: Surroundings) -> Failure:
    values = seen.column(expected.column)
    if pa.types.is_nested(values.type):
        raise _unread(expected.column, values.type, expected, "a column of single values")
    only = values.drop_null()
    only = only.filter(pc.invert(pc.is_nan(only))) if pa.types.is_floating(only.type) else only
    if seen.table.num_rows == 0 or _has_two(only):
        return Failure(0, "")
    return Failure(seen.table.num_rows, f"every value is {_say(only[0])}" if len(only) else "every value is missing")


def _label(expected: kinds.Label, seen: Seen, _: Surroundings) -> Failure:
    rows = max(seen.table.num_rows, 1)
    if expected.column not in seen.table.column_names:
        close = nearest(expected.column, seen.table.column_names)
        return Failure(rows, f"there is no column {expected.column!r}" + (f" (is it {close!r}?)" if close else ""))
    values = seen.column(expected.column)
    known = len(values) - values.null_count
    if not known:
        return Failure(rows, "no row has a label")
    if not _has_two(values.drop_null()):
        return Failure(rows, f"every label is {_say(values.drop_null()[0])}")
    if known / rows < expected.share:
        return Failure(rows - known, f"{rows - known} of {rows} labels are missing", lambda: pc.is_null(values))
    return Failure(0, "")


def _label_rate(expected: kinds.LabelRate, seen: Seen, _: Surroundings) -> Failure:
    found = odd_periods(seen.column(expected.column), seen.column(expected.time), expected)
    return Failure(found.labelled, found.detail, found.rows if found.labelled else None)


def _custom(expected: kinds.Custom, seen: Seen, _: Surroundings) -> Failure:
    table = seen.table
    answer = expected.function(table)
    if isinstance(answer, bool | np.bool_):
        return Failure(0 if answer else max(table.num_rows, 1), "" if answer else "the function says no")
    try:
        right = answer if isinstance(answer, pa.ChunkedArray) else pa.chunked_array([pa.array(answer, pa.bool_())])
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _no_answer(expected, f"a {type(answer).__name__}") from error
    if len(right) != table.num_rows or not pa.types.is_boolean(right.type):
        raise _no_answer(expected, f"{len(right)} values of type {right.type} for {table.num_rows} rows")
    wrong = pc.invert(pc.fill_null(right, False))
    count = int(pc.sum(wrong).as_py() or 0)
    return Failure(count, f"the first is row {pc.index(wrong, True).as_py()}" if count else "", lambda: wrong)


_FINDERS: dict[type[kinds.Expectation], Callable[[Any, Seen, Surroundings], Failure]] = {
    kinds.Columns: _columns,
    kinds.Rows: _rows,
    kinds.Present: _present,
    kinds.Range: _range,
    kinds.OneOf: _one_of,
    kinds.Pattern: _pattern,
    kinds.Exists: _exists,
    kinds.Unique: _unique,
    kinds.Fresh: _fresh,
    kinds.Varies: _varies,
    kinds.Label: _label,
    kinds.LabelRate: _label_rate,
    kinds.Custom: _custom,
}

_Shared = kinds.Range | kinds.OneOf | kinds.Pattern | kinds.Exists


def _by_value(expected: _Shared, seen: Seen, is_bad: Callable[[pa.Array], pa.Array]) -> Failure:
    """Look at each different value once, and at rows only where one of them is wrong."""
    distinct, codes = seen.encoded(expected.column)
    try:
        bad = is_bad(distinct)
    except (pa.ArrowException, TypeError) as error:
        raise _unread(expected.column, distinct.type, expected) from error
    if not pc.any(bad).as_py():
        return Failure(0, "")
    return _counted(expected, seen, lambda: pc.take(bad, codes))


def _counted(expected: _Shared, seen: Seen, outside: Callable[[], pa.ChunkedArray]) -> Failure:
    values = seen.column(expected.column)
    try:
        mask = pc.fill_null(outside(), False)
    except (pa.ArrowException, TypeError) as error:
        raise _unread(expected.column, values.type, expected) from error
    failing = int(pc.sum(mask).as_py() or 0)
    if not failing:
        return Failure(0, "")
    example = f"for example {_say(values[pc.index(mask, True).as_py()])}"
    present = len(values) - values.null_count
    if (present - failing) / present >= expected.share:
        return Failure(0, f"{failing:,} of {present:,} are wrong, which is allowed; {example}")
    return Failure(failing, example, lambda: mask)


def _has_two(known: pa.ChunkedArray) -> bool:
    return bool(len(known)) and bool(pc.any(pc.not_equal(known, known[0])).as_py())


def _say(value: pa.Scalar) -> str:
    if pa.types.is_temporal(value.type):  # Python has no nanoseconds
        return str(pc.cast(value, pa.string()).as_py())
    return repr(value.as_py())


def _end(end: float | str | None, kind: pa.DataType, *, is_low: bool) -> pa.Scalar | float | None:
    """An end of a range as something that Arrow compares with values of the type; None where no value is beyond it."""
    if isinstance(end, str):
        return _moment(end, kind)
    if not isinstance(end, int) or not pa.types.is_integer(kind):
        return end
    least, most = (0, 2**64 - 1) if kind == pa.uint64() else (-(2**63), 2**63 - 1)
    if end <= least if is_low else end >= most:
        return None
    return pa.scalar(end, pa.uint64() if kind == pa.uint64() else pa.int64()) if least <= end <= most else float(end)


def _moment(text: str, kind: pa.DataType) -> pa.Scalar:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        expected = "such as 2026-01-31 or 2026-01-31T12:00:00+00:00"
        raise InvalidInput(f"{text!r} is no time", expected=expected) from error
    return _of_type(moment, kind)


def _of_type(moment: datetime, kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_date(kind):
        return pa.scalar(moment.date(), kind)
    zone = kind.tz
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return pa.scalar(moment if zone else moment.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us", zone))


def _unread(name: str, kind: pa.DataType, expected: kinds.Expectation, wanted: str | None = None) -> InvalidInput:
    return InvalidInput(
        f"column {name!r} is of type {kind}, which this check does not read", where=expected.name, expected=wanted
    )


def _no_answer(expected: kinds.Custom, answer: str) -> InvalidInput:
    return InvalidInput(
        f"the function gave {answer}", where=expected.name, expected="true, false or a boolean for each row"
    )
