"""What a column looked like then and looks like now: over one another for numbers, value by value for the rest."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.stats.drift import Categories, ColumnProfile, Numbers
from assay.stats.drift.number_column import INFINITE, starts_of
from assay.stats.drift.words import change_of
from assay.svg import nice_ticks

__all__ = ["Bar", "Histogram", "Pair", "pair_of"]

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 720, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 12, 30
_BINS = 36
_NEAR = 50  # to the right edge: what is written there ends there
_FEW = 16  # values that are shown one by one
_OUTER = 0.005  # of the rows at each end lie outside of the picture


class Bar(NamedTuple):
    """A value with its share of the rows that have one, then and now."""

    name: str
    then: float
    now: float


class Histogram(NamedTuple):
    """Two histograms over one another as paths, with what stands at the axes."""

    then: str
    now: str
    across: list[tuple[float, str]]
    below: list[tuple[float, str, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


class Pair(NamedTuple):
    """A column then and now: how many rows, which share of them is missing, what moved, and the picture or the bars."""

    rows: tuple[int, int]
    missing: tuple[float, float]
    said: str
    histogram: Histogram | None
    bars: list[Bar]


def pair_of(then: ColumnProfile, now: ColumnProfile) -> Pair:
    """The drawing of one column of two profiles."""
    histogram, bars = None, []
    if isinstance(then, Numbers) and isinstance(now, Numbers):
        bars = _by_value(then, now)
        if not bars:
            histogram = _histogram(then, now)
    elif isinstance(then, Categories) and isinstance(now, Categories):
        bars = _by_category(then, now)
    return Pair(
        rows=(then.rows, now.rows),
        missing=(then.missing / max(1, then.rows), now.missing / max(1, now.rows)),
        said=_said(then, now),
        histogram=histogram,
        bars=bars,
    )


def _said(then: ColumnProfile, now: ColumnProfile) -> str:
    if not then.present or not now.present:
        return "no row has a value " + ("then" if not then.present else "now")
    measure = "ks" if isinstance(then, Numbers) else "js"
    return change_of(measure, then, now)


def _by_category(then: Categories, now: Categories) -> list[Bar]:
    shares = [dict(zip(one.values, (one.counts / max(1, one.present)).tolist(), strict=True)) for one in (then, now)]
    names = sorted(set(shares[0]) | set(shares[1]), key=lambda name: -max(one.get(name, 0.0) for one in shares))
    bars = [Bar(name, shares[0].get(name, 0.0), shares[1].get(name, 0.0)) for name in names[:_FEW]]
    left = [max(0.0, 1.0 - sum(side)) for side in ([bar.then for bar in bars], [bar.now for bar in bars])]
    more = len(names) - len(bars)
    if more or not (then.is_exact and now.is_exact):
        bars.append(Bar(f"{more:,} more" if then.is_exact and now.is_exact else "all others", *left))
    return bars


def _by_value(then: Numbers, now: Numbers) -> list[Bar]:
    """Each value by itself where there are few."""
    bins = np.union1d(then.bins, now.bins)
    if len(bins) > _FEW:
        return []
    shares = []
    for one in (then, now):
        counts = np.zeros(len(bins))
        counts[np.searchsorted(bins, one.bins)] = one.counts
        shares.append((counts / max(1, one.present)).tolist())
    names = [_named(then.kind, start, number) for start, number in zip(starts_of(then.kind, bins), bins, strict=True)]
    return [Bar(*one) for one in zip(names, *shares, strict=True)]


def _named(kind: str, start: float, number: int) -> str:
    if kind == "time":
        return _day(start)
    if number in (INFINITE, -1 - INFINITE):
        return "infinite" if number > 0 else "minus infinite"
    return f"{start:,.6g}"


def _histogram(then: Numbers, now: Numbers) -> Histogram | None:
    sides = [one for one in (then, now) if one.present]
    ends = [(one.quantile(_OUTER), one.quantile(1 - _OUTER)) for one in sides]
    low, high = min(one for one, _ in ends), max(one for _, one in ends)
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return None
    edges = np.linspace(low, high, _BINS + 1)
    heights = [_heights(one, edges) for one in (then, now)]
    top = max(max(one) for one in heights) or 1.0

    def x(value: float) -> float:
        return round(_LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(share: float) -> float:
        return round(HEIGHT - _BOTTOM - share / top * (HEIGHT - _BOTTOM - _TOP), 1)

    ticks, _ = nice_ticks(low, high, 6)
    shares, _ = nice_ticks(0.0, top, 3)
    write = _day if then.kind == "time" else _number
    return Histogram(
        then=_steps(heights[0], edges.tolist(), x, y),
        now=_steps(heights[1], edges.tolist(), x, y),
        across=[(y(share), f"{100 * share:.3g} %") for share in shares],
        below=[(x(tick), "end" if x(tick) > WIDTH - _NEAR else "middle", write(tick)) for tick in ticks],
    )


def _heights(one: Numbers, edges: Floats) -> list[float]:
    """The share of the rows with a value in each bin; a narrow bin of the profile is counted where it begins."""
    finite = (
        (one.bins < INFINITE) & (one.bins > -1 - INFINITE) if one.kind == "number" else np.ones(len(one.bins), bool)
    )
    starts = starts_of(one.kind, one.bins[finite])
    counts, _ = np.histogram(starts, edges, weights=one.counts[finite])
    return [float(count) / max(1, one.present) for count in counts]


def _steps(
    heights: Sequence[float], edges: Sequence[float], x: Callable[[float], float], y: Callable[[float], float]
) -> str:
    """A closed outline of bars."""
    floor = y(0.0)
    parts = [f"M{x(edges[0])} {floor}"]
    for height, end in zip(heights, edges[1:], strict=True):
        parts.append(f"V{y(height)}H{x(end)}")
    return "".join(parts) + f"V{floor}Z"


def _number(value: float) -> str:
    return f"{value:,.6g}"


def _day(days: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)).strftime("%Y-%m-%d")
