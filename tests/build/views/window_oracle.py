"""What aggregates over windows must give, by loops over rows as dictionaries. It knows the rules and no algorithm."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from assay.build.views.declared.aggregates import Aggregate

Row = dict[str, Any]


def aggregated(
    labels: Sequence[Row],
    rows: Sequence[Row],
    keys: Sequence[str],
    aggregates: dict[str, Aggregate],
    *,
    known: bool = False,
    strict: bool = False,
    delay: int = 0,
    event: Sequence[str] = ("ts",),
) -> list[Row]:
    """The values of each label row. Times are whole numbers at `t`, `ts` and `created`, as the windows are."""
    found = []
    for label in labels:
        if label["t"] is None or any(label[key] is None for key in keys):
            found.append(dict.fromkeys(aggregates))
            continue
        own = counted(label, rows, keys, known=known, strict=strict, delay=delay, event=event)
        found.append({name: _value(one, label["t"], own) for name, one in aggregates.items()})
    return found


def counted(
    label: Row, rows: Sequence[Row], keys: Sequence[str], *, known: bool, strict: bool, delay: int, event: Sequence[str]
) -> list[Row]:
    """The rows that the label row sees, of each event the greatest version."""
    best: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        if any(label[key] != row[key] for key in keys) or (known and row["created"] is None):
            continue
        visible = max(row["ts"] + delay, row["created"]) if known else row["ts"] + delay
        if not (visible < label["t"] if strict else visible <= label["t"]):
            continue
        name = tuple(row[one] for one in event)
        if None in name:
            name = ("alone", row["arrival"])
        if name not in best or _version(row) > _version(best[name]):
            best[name] = row
    return list(best.values())


def _value(one: Aggregate, t: int, own: list[Row]) -> Any:
    inside = [row for row in own if t - one.window_us < row["ts"]]
    if one.column is None:
        return len(inside)
    if one.kind == "last":
        newest = max(inside, key=lambda row: (row["ts"], *_version(row)), default=None)
        return newest and newest[one.column]
    values = [row[one.column] for row in inside if row[one.column] is not None]
    if one.kind == "count":
        return len(values)
    if one.kind == "distinct":
        return len(set(values))
    if not values:
        return None
    if one.kind in ("min", "max"):
        return min(values) if one.kind == "min" else max(values)
    if one.kind == "sum":
        return sum(values) if isinstance(values[0], int) else float_sum(values)
    total = float_sum(values)
    return None if total is None else total / len(values)


def float_sum(values: Sequence[float]) -> float | None:
    """The double nearest to the sum of fractions, by the rules of IEEE 754 where infinities take part; null for NaN."""
    infinite = {one for one in values if math.isinf(one)}
    if infinite:
        return infinite.pop() if len(infinite) == 1 else None
    total = sum(map(Fraction, values), Fraction(0))
    try:
        return float(total)
    except OverflowError:
        return math.inf if total > 0 else -math.inf


def _version(row: Row) -> tuple[bool, int, int]:
    return row["created"] is not None, row["created"] or 0, row["arrival"]
