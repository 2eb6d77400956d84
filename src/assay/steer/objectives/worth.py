"""What the decisions of a model gained by month: their values, less those of what is done without it.

Three statements that are never added and never mixed, because they rest on different things (governance G16):

* `measured`: what an experiment showed, as somebody recorded it.
* `observed`: of decisions whose outcome is known, and of no others.
* `estimated`: of all decisions of the month by calibrated scores alone, as if no outcome were known (CBPE).

Observed and estimated take the outcome as not touched by the action. Draws hold the ranges of values; of what is
estimated also the chance of outcomes and the error of the calibration, which are taken as normal.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay.record.objective_terms import Terms, Value
from assay.record.store import Store
from assay.steer.objectives.decided import Calibrations, decisions, endpoints_of, weight_of
from assay.steer.objectives.ranges import Ranges, interval_of, mean_of

if TYPE_CHECKING:
    import duckdb

__all__ = ["ExpectedSums", "Gain", "MonthSums", "came_true", "estimated_gain", "observed_gain", "sums_by_month"]

Floats = NDArray[np.float64]

_COUNTED = """
    select month, count(*), {known}, count(*) filter (label is not null and not {matches}),
        count(*) filter (p < 0 or p > 1) from {table} group by month order by month
"""
_KNOWN = """
    select month, taken, baseline, label, count(*), sum({weight}) from weighed
    where {matches} group by all order by all
"""
_EXPECTED = """
    select month, mv_id, step, taken, baseline, {matches} as known,
        sum(p * {one}), sum((1 - p) * {zero}), sum(p * (1 - p) * {one} * {one}),
        sum(p * (1 - p) * {one} * {zero}), sum(p * (1 - p) * {zero} * {zero}), sum({one}), sum({zero})
    from weighed group by all order by all
"""


@dataclass(frozen=True, slots=True)
class Gain:
    """What decisions gained beside the baseline: the mean, and draws of it."""

    mean: float
    draws: Floats


@dataclass(slots=True)
class ExpectedSums:
    """Sums over decisions of one action, baseline, version and step; p is the probability of the outcome that has
    label 1, `one` and `zero` the weights of both: Σp·one, Σ(1−p)·zero, Σp(1−p)·one² and so on, Σone, Σzero.
    """

    taken: str
    baseline: str
    is_known: bool  # whether their outcomes are
    variance: float  # of the step's share
    place: tuple[str, int]
    sums: Floats


@dataclass(slots=True)
class MonthSums:
    """The decisions of a month. `known` have an outcome of the objective, `other` a label that is none of them.

    `by_outcome` sums their weights by (action, baseline, outcome). `is_estimable`: every score is a probability, or was
    calibrated.
    """

    decisions: int = 0
    known: int = 0
    other: int = 0
    is_estimable: bool = True
    by_outcome: dict[tuple[str, str, str], float] = field(default_factory=lambda: defaultdict(float))
    expected: list[ExpectedSums] = field(default_factory=list)
    uncalibrated: set[str] = field(default_factory=set)


def sums_by_month(
    store: Store, model: str, terms: Terms, *, since: datetime | None = None, until: datetime | None = None
) -> dict[str, MonthSums]:
    """The sums of every month in [since, until) that has decisions, over all endpoints of the model, in order."""
    found: dict[str, MonthSums] = defaultdict(MonthSums)
    for endpoint in endpoints_of(store, model, terms):
        with decisions(store, model, terms, endpoint, since=since, until=until) as (connection, known):
            _count(connection, terms, found)
            if terms.value is not None:
                _take_known(connection, terms, found)
                _take_expected(connection, terms, known, found)
    return dict(sorted(found.items()))


def observed_gain(terms: Terms, sums: MonthSums, ranges: Ranges) -> Gain:
    """Of the decisions whose outcome is known."""
    value = terms.value
    assert value is not None
    mean, draws = 0.0, np.zeros(ranges.draws)
    for (taken, baseline, outcome), weight in sorted(sums.by_outcome.items()):
        differing = _differing(value, outcome, taken, baseline, ranges)
        mean += weight * differing.mean
        draws += weight * differing.draws
    return Gain(mean, draws)


def came_true(terms: Terms, sums: MonthSums, ranges: Ranges, name: str) -> bool:
    """Whether what scores expect of the decisions whose outcome is known is what came, but for chance (5 %)."""
    expected, came = estimated_gain(terms, sums, ranges, name, known_only=True), observed_gain(terms, sums, ranges)
    low, high = interval_of(expected.draws - came.draws)
    return low <= 0.0 <= high


def estimated_gain(terms: Terms, sums: MonthSums, ranges: Ranges, name: str, *, known_only: bool = False) -> Gain:
    """Of all decisions by their probabilities; `name` tells the chance of one month from that of another."""
    parts = [part for part in sums.expected if part.is_known or not known_only]
    value = terms.value
    assert value is not None
    one, zero = _binary(value)
    pairs = sorted({(part.taken, part.baseline) for part in parts})
    differing = [_differing(value, outcome, *pair, ranges) for pair in pairs for outcome in (one, zero)]
    if not differing:
        return Gain(0.0, np.zeros(ranges.draws))
    size = len(differing)
    linear, chance = np.zeros(size), np.zeros((size, size))
    slopes: dict[tuple[str, int], Floats] = defaultdict(lambda: np.zeros(size))
    for part in parts:
        here = 2 * pairs.index((part.taken, part.baseline))
        p_one, q_zero, both_one, cross, both_zero, total_one, total_zero = part.sums
        linear[here : here + 2] += [p_one, q_zero]
        chance[here : here + 2, here : here + 2] += [[both_one, -cross], [-cross, both_zero]]
        slopes[part.place][here : here + 2] += [total_one, -total_zero]
    variances = {part.place: part.variance for part in parts}
    for place, slope in slopes.items():
        chance += variances[place] * np.outer(slope, slope)
    means, draws = np.array([part.mean for part in differing]), np.stack([part.draws for part in differing])
    spread = np.sqrt(np.maximum(np.einsum("id,ij,jd->d", draws, chance, draws), 0.0))
    return Gain(float(linear @ means), linear @ draws + spread * ranges.chance(f"outcomes {name}"))


def _differing(value: Value, outcome: str, taken: str, baseline: str, ranges: Ranges) -> Gain:
    """What an action is worth more than that of the baseline where the outcome comes; with a function its factor."""
    if value.function is not None:
        return Gain(mean_of(value.range), ranges.of("range", value.range))
    if taken == baseline:
        return Gain(0.0, np.zeros(ranges.draws))
    factor, mean = ranges.of("range", value.range), mean_of(value.range)
    cells = [value.matrix[outcome][action] for action in (taken, baseline)]
    draws = [ranges.of(f"{outcome}\n{action}", cell) for action, cell in zip((taken, baseline), cells, strict=True)]
    return Gain(mean * (mean_of(cells[0]) - mean_of(cells[1])), factor * (draws[0] - draws[1]))


def _binary(value: Value) -> tuple[str, str]:
    """The outcomes of label 1 and of label 0."""
    by_label = {label: outcome for outcome, label in value.outcomes.items()}
    return by_label[1.0], by_label[0.0]


def _count(connection: "duckdb.DuckDBPyConnection", terms: Terms, found: Mapping[str, MonthSums]) -> None:
    known = "count(label)" if terms.value is None else f"count(*) filter ({_matches(terms)})"
    text = _COUNTED.format(known=known, matches=_matches(terms), table="decided")
    for month, rows, matching, other, odd in connection.sql(text).fetchall():
        sums = found[month]
        sums.decisions += rows
        sums.known += matching
        sums.other += other
        sums.is_estimable = sums.is_estimable and not odd


def _take_known(connection: "duckdb.DuckDBPyConnection", terms: Terms, found: Mapping[str, MonthSums]) -> None:
    assert terms.value is not None
    by_label = {label: outcome for outcome, label in terms.value.outcomes.items()}
    cases = " ".join(f"when label = {label!r}::double then {weight_of(terms, one)}" for label, one in by_label.items())
    text = _KNOWN.format(weight=f"case {cases} end", matches=_matches(terms))
    for month, taken, baseline, label, _, weight in connection.sql(text).fetchall():
        found[month].by_outcome[taken, baseline, by_label[label]] += weight or 0.0


def _take_expected(
    connection: "duckdb.DuckDBPyConnection", terms: Terms, known: Calibrations, found: Mapping[str, MonthSums]
) -> None:
    value = terms.value
    assert value is not None
    if set(value.outcomes.values()) != {0.0, 1.0}:
        for sums in found.values():
            sums.is_estimable = False
        return
    one, zero = (weight_of(terms, outcome) for outcome in _binary(value))
    variances = {mv_id: calibrator.variances for mv_id, calibrator in known.calibrators.items()}
    text = _EXPECTED.format(one=one, zero=zero, matches=_matches(terms))
    for month, mv_id, step, taken, baseline, is_known, *parts in connection.sql(text).fetchall():
        uncertain = float(variances[mv_id][step]) if step is not None else 0.0
        place = (mv_id, -1 if step is None else int(step))
        values = np.array([part or 0.0 for part in parts])
        found[month].expected.append(ExpectedSums(taken, baseline, is_known, uncertain, place, values))
        if mv_id in known.uncalibrated:
            found[month].uncalibrated.add(mv_id)


def _matches(terms: Terms) -> str:
    if terms.value is None:
        return "label is not null"
    labels: Sequence[str] = [f"{one!r}::double" for one in terms.value.outcomes.values()]
    return f"coalesce(label in ({', '.join(labels)}), false)"
