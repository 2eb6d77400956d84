"""`assay objective threshold`: which threshold is worth most now, and what the present one leaves on the table.

Where enough outcomes are known they decide: each bin of scores counts its known outcomes for all of its decisions. The
threshold is chosen on one half of the decisions and its gain counted on the other, both ways, because the best of many
thresholds looks better than it is on the rows that chose it. Else probabilities of the version's hold-out decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.objective_terms import Terms, Value
from assay.record.objectives import find_objective
from assay.record.store import Store
from assay.steer.objectives.decided import Calibrations, decisions, endpoints_of, recent_months, weight_of
from assay.steer.objectives.months import end_of, month_given, month_of, start_of
from assay.steer.objectives.ranges import Ranges, interval_of, mean_of

if TYPE_CHECKING:
    import duckdb

__all__ = ["ThresholdAdvice", "ThresholdPoint", "advise_threshold"]

Floats = NDArray[np.float64]

_STEPS = 200  # thresholds that are tried, at equal steps of all decisions
_ENOUGH = 200  # known outcomes, from which on they decide
_EDGES = "select distinct unnest(quantile_disc(output, [{}])) as edge from decided"
_ROWS = """
    select e.bin, d.half, d.taken, d.mv_id, d.step, {known}, sum(p * {one}), sum((1 - p) * {zero}),
        sum(p * (1 - p) * {one} * {one}), sum(p * (1 - p) * {one} * {zero}), sum(p * (1 - p) * {zero} * {zero}),
        sum({one}), sum({zero}), count(*)
    from weighed d asof join edges e on d.output >= e.edge group by all order by all
"""
_KNOWN = """
    coalesce(sum({one}) filter (label = 1), 0), coalesce(sum({zero}) filter (label = 0), 0),
    coalesce(sum({one} * {one}) filter (label = 1), 0), coalesce(sum({zero} * {zero}) filter (label = 0), 0),
    count(*) filter (label in (0, 1))
"""


class ThresholdPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold would have gained beside the present one, with its interval; `acted` is the share of decisions
    with the second action."""

    threshold: float
    role: str
    acted: float
    gain: float
    low: float
    high: float


class ThresholdAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """The best threshold of the decisions from `first` to `last`, months that both count. `left` is what the present
    one leaves on the table over all of them, in `unit`; `curve` the gain by threshold, by those rows themselves.
    """

    model: str
    unit: str
    first: str
    last: str
    decisions: int
    known: int
    base_rate: float
    best: float
    left: float
    low: float
    high: float
    words: str
    shown: list[ThresholdPoint]
    curve: list[ThresholdPoint]
    notes: list[str]
    plot: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums over decisions of one bin, half, present action and step: [n] each. `a` weighs outcomes 1 and 0, `q` are
    the squares of their errors, `t` what a step's share multiplies, `variance` that of the share."""

    bin: NDArray[np.int64]
    half: NDArray[np.int64]
    acts: NDArray[np.bool_]
    a: Floats  # [n, 2]
    q: Floats  # [n, 2, 2]
    step: NDArray[np.int64]
    t: Floats  # [n, 2]
    variance: Floats
    rows: NDArray[np.int64]

    def of_half(self, half: int) -> "_Sums":
        """Those of one half of the decisions."""
        kept = self.half == half
        return _Sums(*(getattr(self, name)[kept] for name in self.__slots__))

    def changed(self, bin: int) -> Floats:
        """[n] 1 where a threshold at the bin begins to act, -1 where it stops to, 0 where nothing changes."""
        return (self.bin >= bin).astype(np.float64) - self.acts


@operation("objective threshold", local=True)
def advise_threshold(
    store: Store,
    model: Annotated[str, "The model"],
    *,
    from_: Annotated[str | None, "From this month on; without it the last one that is over and what came since"] = None,
    to: Annotated[str | None, "Up to this month, which counts too"] = None,
    plot: Annotated[str | None, "Write the picture to this SVG file"] = None,
    seed: Annotated[int, "Of the random draws"] = 0,
) -> ThresholdAdvice:
    """Find the threshold that is worth most with the values and outcomes of now, and what the present one leaves.

    Raises InvalidInput for objectives with more than two actions or outcomes, and where there are no decisions.
    """
    objective = find_objective(store, model)
    terms = objective.terms
    value = _checked(terms, model)
    first, last = month_given(from_, "--from"), month_given(to, "--to")
    names = endpoints_of(store, model, terms)
    if len(names) != 1:
        where = f"it answered at {', '.join(names)}" if names else "it has answered nothing yet"
        raise InvalidInput(f"{model} has no one endpoint: {where}", expected="endpoint in its objective")
    first = first or _last_full_month(store, model, terms)
    since, until = start_of(first), end_of(last) if last else None
    with decisions(store, model, terms, names[0], since=since, until=until) as (connection, calibrations):
        edges = _edges(connection, terms, calibrations)
        if not edges:
            raise InvalidInput(f"{model} decided nothing from {first} to {last or 'now'}", expected="other months")
        found, known = _sums(connection, terms, calibrations)
        ((until_month,),) = connection.sql("select max(month) from decided").fetchall()
    ranges = Ranges(seed)
    return _advice(model, value, terms, edges, found, known, ranges, (first, last or until_month), plot)


def _advice(
    model: str,
    value: Value,
    terms: Terms,
    edges: Sequence[float],
    found: _Sums,
    known: int,
    ranges: Ranges,
    span: tuple[str, str],
    plot: str | None,
) -> ThresholdAdvice:
    means, draws = _cells(terms, value, ranges)
    noise = ranges.chance("outcomes of the threshold")
    by_known = known >= _ENOUGH
    best = _best(found, means, len(edges))
    curve = [_point(edges[bin], "", found, bin, means, draws, noise) for bin in range(len(edges))]
    if by_known:
        halves = [found.of_half(0), found.of_half(1)]
        chosen = [_best(half, means, len(edges)) for half in halves]
        parts = [_gain(halves[1], chosen[0], means, draws), _gain(halves[0], chosen[1], means, draws)]
        left, spread = sum(part[0] for part in parts), np.sqrt(sum(part[2] for part in parts))
        low, high = interval_of(parts[0][1] + parts[1][1] + spread * noise)
    else:
        left, low, high = curve[best].gain, curve[best].low, curve[best].high
    present = _present(found, edges, terms)
    total = float(found.rows.sum())
    shown = [
        ThresholdPoint(
            threshold=present,
            role="present",
            acted=float(found.rows[found.acts].sum()) / total,
            gain=0.0,
            low=0.0,
            high=0.0,
        ),
        msgspec.structs.replace(curve[best], role="best", gain=left, low=low, high=high),
    ]
    advice = ThresholdAdvice(
        model=model,
        unit=value.unit,
        first=span[0],
        last=span[1],
        decisions=int(total),
        known=known,
        base_rate=float(found.a[:, 0].sum() / max(found.a.sum(), 1e-300)),
        best=edges[best],
        left=left,
        low=low,
        high=high,
        words=_words(edges[best], present, left, low, high, value.unit, span),
        shown=shown,
        curve=curve,
        notes=_notes(value, known, int(total), by_known=by_known),
    )
    if plot is None:
        return advice
    from assay.steer.objectives.threshold_picture import threshold_picture

    file = Path(plot).absolute()
    threshold_picture(advice).save(file)
    return msgspec.structs.replace(advice, plot=str(file))


def _checked(terms: Terms, model: str) -> Value:
    value = terms.value
    if value is None or set(value.outcomes.values()) != {0.0, 1.0} or len(terms.decision.actions) != 2:
        raise InvalidInput(
            f"the objective of {model} has no one threshold to choose",
            expected="values of two outcomes with the labels 0 and 1, and two actions",
        )
    if value.function is not None:
        raise InvalidInput("values are a function", where="value.function", expected="a matrix, perhaps with times")
    return value


def _last_full_month(store: Store, model: str, terms: Terms) -> str:
    """The last month with decisions that is over, or the first one there is."""
    months, now = recent_months(store, model, terms), month_of(store.clock.latest())
    over = [month for month in months if month < now]
    return over[-1] if over else months[0] if months else now


def _edges(connection: "duckdb.DuckDBPyConnection", terms: Terms, calibrations: Calibrations) -> list[float]:
    """Thresholds to try in increasing order, the present ones among them; the first is below every answer."""
    shares = ", ".join(f"{place / _STEPS:.4f}" for place in range(1, _STEPS))
    tried = {row[0] for row in connection.sql(_EDGES.format(shares)).fetchall()}
    if not tried:
        return []
    tried |= set(terms.decision.thresholds or calibrations.thresholds.values())
    edges = [0.0, *sorted(one for one in tried if one > 0.0)]
    connection.execute("create temp table edges (bin integer, edge double)")
    connection.executemany(
        "insert into edges values (?, ?)", [[bin, -1e300 if not bin else one] for bin, one in enumerate(edges)]
    )
    return edges


def _sums(connection: "duckdb.DuckDBPyConnection", terms: Terms, calibrations: Calibrations) -> tuple[_Sums, int]:
    value = terms.value
    assert value is not None
    by_label = {label: outcome for outcome, label in value.outcomes.items()}
    one, zero = weight_of(terms, by_label[1.0]), weight_of(terms, by_label[0.0])
    text = _ROWS.format(known=_KNOWN.format(one=one, zero=zero), one=one, zero=zero)
    rows: list[Any] = connection.sql(text).fetchall()
    acts = np.array([row[2] == terms.decision.actions[1] for row in rows])
    bins, halves = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    numbers = np.array([[value or 0.0 for value in row[5:]] for row in rows], dtype=np.float64)
    k1, k0, square1, square0, known, p1, q0, v11, v10, v00, t1, t0, count = numbers.T
    total = int(known.sum())
    steps = {
        key: place for place, key in enumerate(sorted({(row[3], -1 if row[4] is None else row[4]) for row in rows}))
    }
    keys = [(row[3], -1 if row[4] is None else row[4]) for row in rows]
    nothing = np.zeros((len(rows), 2))
    if total >= _ENOUGH:
        scale = _scale(bins, known, count)
        a = np.stack([k1, k0], axis=1) * scale[:, None]
        q = np.zeros((len(rows), 2, 2))
        q[:, 0, 0], q[:, 1, 1] = square1 * scale**2, square0 * scale**2
        t, variance = nothing, np.zeros(len(rows))
    else:
        a, t = np.stack([p1, q0], axis=1), np.stack([t1, -t0], axis=1)
        q = np.stack([np.stack([v11, -v10], axis=1), np.stack([-v10, v00], axis=1)], axis=1)
        shares = {mv_id: calibrator.variances for mv_id, calibrator in calibrations.calibrators.items()}
        variance = np.array([0.0 if step < 0 else float(shares[mv_id][step]) for mv_id, step in keys])
    places = np.array([steps[key] for key in keys], dtype=np.int64)
    return _Sums(bins, halves, acts, a, q, places, t, variance, count.astype(np.int64)), total


def _scale(bins: NDArray[np.int64], known: Floats, count: Floats) -> Floats:
    """[n] for how many decisions a known one of its bin stands; a bin without any is left to the others."""
    size = int(bins.max()) + 1
    every, there = np.bincount(bins, count, size), np.bincount(bins, known, size)
    overall = count.sum() / np.bincount(bins, known, size).sum()
    scale: Floats = np.where(there > 0, every / np.maximum(there, 1.0), overall)[bins]
    return scale


def _cells(terms: Terms, value: Value, ranges: Ranges) -> tuple[Floats, Floats]:
    """[2] and [2, draws]: what acting is worth more than not acting where the outcome is 1, and 0."""
    by_label = {label: outcome for outcome, label in value.outcomes.items()}
    no, yes = terms.decision.actions
    factor, mean = ranges.of("range", value.range), mean_of(value.range)
    means, draws = [], []
    for label in (1.0, 0.0):
        outcome = by_label[label]
        acting, leaving = value.matrix[outcome][yes], value.matrix[outcome][no]
        means.append(mean * (mean_of(acting) - mean_of(leaving)))
        draws.append(factor * (ranges.of(f"{outcome}\n{yes}", acting) - ranges.of(f"{outcome}\n{no}", leaving)))
    return np.array(means), np.stack(draws)


def _best(found: _Sums, means: Floats, bins: int) -> int:
    """The bin from which on to act."""
    worth = np.bincount(found.bin, found.a @ means, bins)
    from_here = np.cumsum(worth[::-1])[::-1]  # of acting from each bin on
    return int(np.argmax(from_here))


def _gain(found: _Sums, bin: int, means: Floats, draws: Floats) -> tuple[float, Floats, Floats]:
    """The mean, draws of what only values make uncertain, and the variance of the rest by draw."""
    sign = found.changed(bin)
    linear = sign @ found.a
    square = np.einsum("n,nij->ij", np.abs(sign), found.q)
    slopes = np.zeros((int(found.step.max(initial=0)) + 1, 2))
    np.add.at(slopes, found.step, sign[:, None] * found.t)
    variances = np.zeros(len(slopes))
    variances[found.step] = found.variance
    square = square + np.einsum("s,si,sj->ij", variances, slopes, slopes)
    return float(linear @ means), linear @ draws, np.maximum(np.einsum("id,ij,jd->d", draws, square, draws), 0.0)


def _point(
    threshold: float, role: str, found: _Sums, bin: int, means: Floats, draws: Floats, noise: Floats
) -> ThresholdPoint:
    gain, drawn, variance = _gain(found, bin, means, draws)
    low, high = interval_of(drawn + np.sqrt(variance) * noise)
    acted = float(found.rows[found.bin >= bin].sum() / found.rows.sum())
    return ThresholdPoint(threshold=threshold, role=role, acted=acted, gain=gain, low=low, high=high)


def _present(found: _Sums, edges: Sequence[float], terms: Terms) -> float:
    """The threshold in use; of several versions the lowest that acts."""
    if terms.decision.thresholds:
        return terms.decision.thresholds[0]
    return edges[int(found.bin[found.acts].min())] if found.acts.any() else edges[-1]


def _words(best: float, present: float, left: float, low: float, high: float, unit: str, span: tuple[str, str]) -> str:
    months = span[0] if span[0] == span[1] else f"{span[0]} to {span[1]}"
    if low <= 0.0:
        return (
            f"No other threshold than {present:.3g} is surely better: {best:.3g} would have brought {left:,.0f} {unit} "
            f"more in {months} ({low:,.0f} to {high:,.0f})."
        )
    return (
        f"A threshold of {best:.3g} instead of {present:.3g} would have brought {left:,.0f} {unit} more in {months} "
        f"({low:,.0f} to {high:,.0f})."
    )


def _notes(value: Value, known: int, total: int, *, by_known: bool) -> list[str]:
    if by_known:
        ground = f"by {known:,} known outcomes of {total:,} decisions, those of a bin of scores for all of it"
        ground += "; chosen on one half of them and counted on the other"
    else:
        ground = f"by calibrated scores: only {known:,} outcomes are known, {_ENOUGH} are needed"
    return [
        ground,
        f"values: version {value.version}, of {value.owner}, valid until {value.valid_until}",
        "outcomes are taken as not touched by the action",
    ]
