"""Verdicts of drift for people: what moved, from what to what, how much of it is usual, and how that is known."""

from assay.stats.drift.category_column import Categories
from assay.stats.drift.distances import MEASURES, Distance, new_values
from assay.stats.drift.number_column import Numbers
from assay.stats.drift.table_profile import ColumnProfile
from assay.stats.intervals import Interval
from assay.stats.segment import OVERALL, Segment

__all__ = ["change_of", "said_of"]


def said_of(
    column: str,
    segment: Segment,
    one: Distance,
    pair: tuple[ColumnProfile, ColumnProfile],
    state: str,
    raised: bool,
    limit: float | None,
    floor: float,
    method: str,
    interval: Interval | None,
) -> str:
    """One sentence of a verdict."""
    name = column if segment == OVERALL else f"{column} in {segment.name}"
    if one.value != one.value:
        side = "the reference" if not one.reference_rows else "this window" if not one.current_rows else ""
        return f"{name}: not compared, {side} has no values" if side else f"{name}: not compared by {one.measure}"
    if state == "ok" and (limit is None or one.value <= limit):
        return f"{name}: as usual"
    size = f"{one.measure} {_number(one.value)}"
    if limit is not None:
        size += f", usual is up to {_number(limit)} ({_known(method)})"
    elif interval is not None:
        size += f", {_number(interval.low)} to {_number(interval.high)} without chance"
        size += "; uncalibrated: what is usual is not known"
    said = f"{name}: {MEASURES[one.measure].says}, {change_of(one.measure, *pair)} ({size})"
    if state == "ok":
        return said + (
            f"; below {_number(floor)} it does not matter"
            if one.effect < floor
            else "; not beyond what many comparisons show by chance"
        )
    if state == "watch":
        return said + "; once so far"
    if state == "drift" and not raised:
        return said + "; in the windows before, not in this one"
    return said


def change_of(measure: str, reference: ColumnProfile, current: ColumnProfile) -> str:
    """From what to what: the median, the mean, a share."""
    if measure == "missing":
        return f"from {_share(reference.missing, reference.rows)} to {_share(current.missing, current.rows)}"
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        if measure == "mean":
            return f"from {_number(reference.mean)} to {_number(current.mean)}"
        low, high = reference.quantile(0.5), current.quantile(0.5)
        if low != high:
            return f"median from {_number(low)} to {_number(high)}"
        before, after = (f"{_number(one.quantile(0.1))}…{_number(one.quantile(0.9))}" for one in (reference, current))
        return f"middle 80 % from {before} to {after}"
    assert isinstance(reference, Categories)
    assert isinstance(current, Categories)
    if measure == "new":
        names = ", ".join(repr(name) for name in new_values(reference, current))
        return f"such as {names}" if names else "none of them named"
    shares_before, shares_after = (
        dict(zip(one.values, one.counts.tolist(), strict=True)) for one in (reference, current)
    )
    n, m = max(1, reference.present), max(1, current.present)
    known = sorted(shares_before | shares_after)
    if not known:
        return "values without a name"
    most = max(known, key=lambda name: abs(shares_after.get(name, 0) / m - shares_before.get(name, 0) / n))
    return f"{most!r} from {_share(shares_before.get(most, 0), n)} to {_share(shares_after.get(most, 0), m)}"


def _known(method: str) -> str:
    """How the bound is known."""
    return {"analytic": "by chance alone", "bootstrap": "bootstrap of blocks"}.get(method, method)


def _share(count: int, rows: int) -> str:
    return f"{count / max(1, rows):.1%}".replace("%", " %")


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 999.5 or abs(value) >= 1e15 else f"{value:,.0f}"
