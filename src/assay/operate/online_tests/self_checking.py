"""`assay test self-check`: would these metrics find differences where there are none? Asked of the user's own log.

The logged units are given arms at random, many times over, though all were answered alike. Whatever a test then finds
is a false positive. The looks are taken through the engine that judges real tests. Beside it the same is done with rows
in place of units, as if those of one unit had nothing to do with each other: what that costs is seen in the difference.
"""

from typing import Annotated, Literal, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.data.words import check_word
from assay.errors import InvalidInput
from assay.operate.online_tests.aggregating import terms_of
from assay.operate.online_tests.definition import Design
from assay.operate.online_tests.history import MetricHistory, read_history
from assay.operate.online_tests.judging import look_of
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.metric_files import chosen_metrics, load_metrics
from assay.operation import operation
from assay.progress import tell
from assay.record.clock import from_us
from assay.record.store import Store
from assay.stats import Interval, wilson
from assay.stats.anytime import MINIMUM_UNITS
from assay.stats.effects import Sums, difference

__all__ = ["CheckedMetric", "FalsePositives", "SelfCheck", "self_check"]

Floats = NDArray[np.float64]

_AT_ONCE = 100  # rounds whose sums are made by one product


class FalsePositives(msgspec.Struct, frozen=True):
    """In how many rounds a difference was found, as a rate with its 95 % interval."""

    found: int
    rate: float
    low: float
    high: float


class CheckedMetric(msgspec.Struct, frozen=True):
    """A metric: false positives by units, as tests count them, and by rows as if those were independent.

    `outcome`: pass where the rate is not proven to be above `alpha`, and the rounds suffice to have seen twice of it;
    fail where it is proven; else inconclusive.
    """

    metric: str
    role: str
    alpha: float
    units: int
    rows: int
    by_units: FalsePositives
    by_rows: FalsePositives
    outcome: Literal["pass", "fail", "inconclusive"]


class SelfCheck(msgspec.Struct, frozen=True):
    """What the endpoint's own log says about tests with these metrics."""

    endpoint: str
    since: str
    as_of: str
    rounds: int
    looks: int
    design: str
    outcome: Literal["pass", "fail", "inconclusive"]
    metrics: list[CheckedMetric]


@operation("test self-check")
def self_check(
    store: Store,
    endpoint: str,
    *,
    metrics: Annotated[str | None, "File of metrics, [metrics.NAME]; without it [tests] of assay.toml"] = None,
    rounds: Annotated[int, "How often arms are drawn"] = 1000,
    looks: Annotated[int, "Looks in the course of each"] = 20,
    design: Annotated[str, "anytime, group (planned looks) or fixed (one look at the end)"] = "anytime",
    alpha: Annotated[float, "Probability of finding a difference where there is none, as planned"] = 0.05,
    days: Annotated[float, "So much of the past"] = 28.0,
    seed: Annotated[int, "Of the arms that are drawn"] = 0,
) -> SelfCheck:
    """Say how often these metrics would find a difference where there is none, in the endpoint's own log.

    Logged units are given arms at random in each round, and looked at as a test would be.
    """
    check_word("the design", design, ("anytime", "group", "fixed"))
    if rounds < 1 or looks < 1:
        raise InvalidInput(f"{rounds} rounds with {looks} looks", expected="1 or more of each")
    chosen = chosen_metrics(load_metrics(metrics), [], [])
    return check_history(store, endpoint, chosen, rounds, looks, design, alpha, days, seed)


def check_history(
    store: Store,
    endpoint: str,
    metrics: list[Metric],
    rounds: int,
    looks: int,
    design: str,
    alpha: float,
    days: float,
    seed: int,
) -> SelfCheck:
    """The same with metrics as values."""
    now = store.clock.latest()
    history = read_history(store, endpoint, metrics, now, days)
    found = []
    for one in history.metrics:
        kind = cast("Literal['anytime', 'group', 'fixed']", design)
        planned = Design(kind, alpha, len(one.closed_us) // 2 or None, looks)
        random = np.random.default_rng(seed)  # the same arms for each metric
        by_units = by_rows = 0
        for start in range(0, rounds, _AT_ONCE):
            count = min(_AT_ONCE, rounds - start)
            by_units += _of_units(one, random, count, planned)
            by_rows += _of_rows(one, random, count, planned)
            tell(f"rounds of {one.metric.name}", (start + count) / rounds)
        units, rows = (_rate(number, rounds) for number in (by_units, by_rows))
        found.append(
            CheckedMetric(
                metric=one.metric.name,
                role=one.metric.role,
                alpha=alpha,
                units=len(one.closed_us),
                rows=len(one.rows),
                by_units=units,
                by_rows=rows,
                outcome=_outcome(units, alpha) if len(one.closed_us) else "inconclusive",
            )
        )
    outcomes = {one.outcome for one in found}
    return SelfCheck(
        endpoint=endpoint,
        since=from_us(history.since_us),
        as_of=from_us(history.as_of_us),
        rounds=rounds,
        looks=looks,
        design=design,
        outcome="fail" if "fail" in outcomes else "inconclusive" if "inconclusive" in outcomes else "pass",
        metrics=found,
    )


def _outcome(found: FalsePositives, alpha: float) -> Literal["pass", "fail", "inconclusive"]:
    return "fail" if found.low > alpha else "pass" if found.high < 2 * alpha else "inconclusive"


def _of_units(one: MetricHistory, random: np.random.Generator, rounds: int, design: Design) -> int:
    """In how many rounds a difference is found, looking at closed units at evenly spaced moments."""
    n = len(one.closed_us)
    arms = random.integers(0, 2, (rounds, n)).astype(np.float64)
    terms = list(terms_of("".join(one.columns)))
    columns = np.column_stack(
        [np.ones(n), *(np.prod([one.columns[letter] for letter in term], axis=0) for term in terms)]
    )
    ends = _ends(one.closed_us, 1 if design.kind == "fixed" else design.looks)
    treated, total = np.zeros((rounds, len(terms) + 1)), np.zeros(len(terms) + 1)
    found = np.zeros(rounds, bool)
    fractions: list[float] = []
    begin = 0
    for end in ends:
        treated += arms[:, begin:end] @ columns[begin:end]
        total = total + columns[begin:end].sum(axis=0)
        begin = end
        if end == 0 or (fractions and end / n - fractions[-1] < 0.001):  # a look without more units is none
            continue
        fractions.append(end / n)
        for round_ in np.flatnonzero(~found):
            found[round_] = _is_found(one.metric, treated[round_], total, terms, design, fractions)
    return int(found.sum())


def _is_found(
    metric: Metric, treated: Floats, total: Floats, terms: list[str], design: Design, fractions: list[float]
) -> bool:
    sides = [
        Sums(n=round(side[0]), ratio=metric.kind == "ratio", **dict(zip(terms, map(float, side[1:]), strict=True)))
        for side in (total - treated, treated)
    ]
    if min(side.n for side in sides) < MINIMUM_UNITS:
        return False
    effect = difference(*sides)
    interval, p = look_of(design, metric, effect, fractions, 1)
    if metric.role == "success":
        return p <= design.alpha
    return (interval.high < 0) if metric.sign > 0 else (interval.low > 0)


def _of_rows(one: MetricHistory, random: np.random.Generator, rounds: int, design: Design) -> int:
    """The same by rows, each taken for a unit of its own; arms are still drawn for units, as traffic is split."""
    n = len(one.rows)
    if not n:
        return 0
    plain = Metric(name=one.metric.name, role=one.metric.role, direction="up" if one.metric.sign > 0 else "down")
    units = int(one.row_unit.max()) + 1
    arms = random.integers(0, 2, (rounds, units)).astype(np.float64)
    columns = np.column_stack([np.ones(n), one.rows, one.rows**2])
    ends = _ends(one.row_us, 1 if design.kind == "fixed" else design.looks)
    treated, total = np.zeros((rounds, 3)), np.zeros(3)
    found = np.zeros(rounds, bool)
    fractions: list[float] = []
    begin = 0
    for end in ends:
        block = np.column_stack(
            [np.bincount(one.row_unit[begin:end], columns[begin:end, place], minlength=units) for place in range(3)]
        )
        treated += arms @ block
        total = total + columns[begin:end].sum(axis=0)
        begin = end
        if end == 0 or (fractions and end / n - fractions[-1] < 0.001):
            continue
        fractions.append(end / n)
        for round_ in np.flatnonzero(~found):
            found[round_] = _is_found(plain, treated[round_], total, ["y", "yy"], design, fractions)
    return int(found.sum())


def _ends(moments: NDArray[np.int64], looks: int) -> list[int]:
    """How many are there at each of so many evenly spaced moments, the last one at the end."""
    if not len(moments):
        return []
    at = np.linspace(moments[0], moments[-1], looks + 1)[1:]
    at[-1] = moments[-1]
    return [int(end) for end in np.searchsorted(moments, at, side="right")]


def _rate(found: int, rounds: int) -> FalsePositives:
    interval: Interval = wilson(found, rounds)
    return FalsePositives(found, found / rounds, interval.low, interval.high)
