"""`assay test plan`: how many units a test needs and how long that takes, from the endpoint's own log or given numbers.

Everything that makes a test longer is named: rows of a unit that hang together, looks on the way, guardrails that all
have to hold, labels that come late. Days are counted as the log's units came: those that return are not new.
"""

import math
from typing import Annotated, Literal, NamedTuple, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.data.words import check_word
from assay.errors import InvalidInput
from assay.operate.online_tests.definition import Design
from assay.operate.online_tests.history import History, MetricHistory, read_history
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.metric_files import chosen_metrics, load_metrics
from assay.operate.online_tests.unplanned import Unplanned, unplanned
from assay.operation import operation
from assay.record.store import Store
from assay.stats import duration
from assay.stats.anytime import TUNING
from assay.stats.effects import Sums

__all__ = ["MetricPlan", "TestPlan", "Wanted", "plan_history", "plan_test"]

_DAY_US = 86_400_000_000
DesignKind = Literal["anytime", "group", "fixed"]
_ENGINES = {"anytime": "at will", "group": "obrien-fleming", "fixed": "fixed"}


class MetricPlan(msgspec.Struct, frozen=True):
    """What a metric needs. `level` and `deviation` are those of a unit, after the covariate took out its `explained`
    share of the variance; `difference` is the effect to be found, or the margin to be held.

    `fixed_units` of each variant would do for a single look; `inflation` is what looking more often costs. `rows` of a
    unit and their `correlation` say what `design_effect` rows would have for being taken as independent.
    """

    metric: str
    role: str
    level: float
    deviation: float
    explained: float
    difference: float
    power: float
    rows_per_unit: float
    correlation: float
    design_effect: float
    fixed_units: int
    inflation: float
    units: int


class TestPlan(msgspec.Struct, frozen=True):
    """Units of each variant and in all, days until the last of them has closed, and the metric that takes longest.

    `unplanned` are metrics that the past says too little of; where they are known to need units, these count.
    """

    __test__ = False  # pytest takes it for tests otherwise

    endpoint: str
    design: str
    units: int
    total: int
    days: float | None
    units_per_day: float
    waits_days: float
    limiting: str
    words: list[str]
    metrics: list[MetricPlan]
    unplanned: list[Unplanned] = []


@operation("test plan")
def plan_test(
    store: Store,
    endpoint: str,
    *,
    effect: Annotated[float | None, "Smallest effect on success metrics worth finding, in their own unit"] = None,
    relative: Annotated[float | None, "The same as a share of the level, such as 0.05"] = None,
    metrics: Annotated[str | None, "File of metrics, [metrics.NAME]; without it [tests] of assay.toml"] = None,
    metric: Annotated[list[str], "A success metric by name, more than once for several"] = [],  # noqa: B006 - never changed
    guardrail: Annotated[list[str], "A metric that must not become worse"] = [],  # noqa: B006 - never changed
    versions: Annotated[int, "Challengers"] = 1,
    share: Annotated[float | None, "Share of all units that take part"] = None,
    design: Annotated[str, "anytime, group (planned looks) or fixed (one look at the end)"] = "anytime",
    looks: Annotated[int, "Planned looks of a group sequential test"] = 5,
    alpha: Annotated[float, "Probability of finding a difference where there is none"] = 0.05,
    power: Annotated[float, "Probability of a pass where the effect is there"] = 0.8,
    level: Annotated[float | None, "Level of the metrics, in place of the log's"] = None,
    deviation: Annotated[float | None, "Standard deviation of a unit, in place of the log's"] = None,
    traffic: Annotated[float | None, "New units a day, in place of the log's"] = None,
    days: Annotated[float, "So much of the past is read"] = 28.0,
) -> TestPlan:
    """Say how many units and days a test needs, by the endpoint's own traffic and its metrics in the log."""
    check_word("the design", design, tuple(_ENGINES))
    chosen = chosen_metrics(load_metrics(metrics), metric, guardrail)
    if effect is None and relative is None and any(one.role == "success" for one in chosen):
        raise InvalidInput(
            "nothing says which effect is worth finding", expected="--effect in the metric's unit, or --relative"
        )
    covered = 1.0 if share is None else share
    if not 0 < covered <= 1 or versions < 1:
        raise InvalidInput(f"{versions} versions on {covered:g} of the units", expected="1 or more, on a share up to 1")
    history = None
    if level is None or deviation is None or traffic is None:
        history = read_history(store, endpoint, chosen, store.clock.latest(), days)
    wanted = Wanted(effect, relative, design, looks, alpha, power, level, deviation, traffic, versions, covered)
    return plan_history(endpoint, chosen, history, wanted)


class Wanted(msgspec.Struct, frozen=True):
    """What is to be found, how surely, and what is known instead of read from the log; as `plan_test` takes it."""

    effect: float | None
    relative: float | None
    design: str
    looks: int
    alpha: float
    power: float
    level: float | None = None
    deviation: float | None = None
    traffic: float | None = None
    versions: int = 1
    coverage: float = 1.0


def plan_history(endpoint: str, metrics: list[Metric], history: History | None, wanted: "Wanted") -> TestPlan:
    """The same from what was read of the past, or from given numbers alone."""
    success = sum(metric.role == "success" for metric in metrics)
    each = duration.power_of_each(wanted.power, len(metrics) - success, success=success > 0)
    planned, flat = [], []
    for place, metric in enumerate(metrics):
        past = history.metrics[place] if history is not None else None
        moments = _moments(metric, past, wanted)
        if moments.variance > 0:
            planned.append(_planned(metric, past, moments, wanted, each, max(1, success * wanted.versions)))
        else:
            flat.append((metric, 0 if past is None else len(past.closed_us), moments.level))
    needed = {one.metric: one.units for one in planned}
    most = max(needed.values(), default=0)
    design = Design(kind=cast("DesignKind", wanted.design), alpha=wanted.alpha, looks=wanted.looks)
    left_out = [unplanned(metric, closed, level, design, most) for metric, closed, level in flat]
    needed |= {one.metric: one.units for one in left_out if one.units is not None}
    if not needed:
        raise InvalidInput(left_out[0].words, expected="values that differ")
    limiting = max(needed, key=lambda name: needed[name])
    units = needed[limiting]
    waits = max(metric.window_us + metric.maturity_us for metric in metrics) / _DAY_US
    total = units * (1 + wanted.versions)
    per_day, lasts = _lasts(history, wanted, total)
    return TestPlan(
        endpoint=endpoint,
        design=wanted.design,
        units=units,
        total=total,
        days=round(lasts + waits, 2) if lasts is not None else None,
        units_per_day=round(per_day, 1),
        waits_days=waits,
        limiting=limiting,
        words=[
            *_words(limiting, planned, wanted, waits, success, len(metrics) - success),
            *(one.words for one in left_out),
        ],
        metrics=planned,
        unplanned=left_out,
    )


class _Moments(NamedTuple):
    """Level and variance of a unit, beside its covariate, which explains a share of what there was before."""

    level: float
    variance: float
    explained: float


def _planned(
    metric: Metric, past: MetricHistory | None, moments: _Moments, wanted: Wanted, power: float, tested: int
) -> MetricPlan:
    level, variance, explained = moments
    rows, correlation = _hang_together(past)
    if metric.role == "guardrail":
        difference = metric.margin or 0.0
        fixed = float(duration.noninferiority_units(variance, difference, 0.0, wanted.alpha, power))
        alpha = 2 * wanted.alpha  # a one-sided bound is an end of an interval at twice alpha
    else:
        difference = abs(wanted.effect) if wanted.effect is not None else abs((wanted.relative or 0.0) * level)
        if not difference > 0:
            raise InvalidInput(f"an effect of 0 on {metric.name!r} is never found", expected="an effect other than 0")
        alpha = wanted.alpha / tested
        fixed = duration.mean_units(difference, math.sqrt(variance), alpha, power)
    engine = cast("duration.Engine", _ENGINES[wanted.design])
    found = duration.plan(
        fixed, 1.0, engine=engine, looks=wanted.looks, alpha=alpha, power=power, tuning=max(TUNING, 2 * fixed)
    )
    return MetricPlan(
        metric=metric.name,
        role=metric.role,
        level=level,
        deviation=math.sqrt(variance),
        explained=explained,
        difference=difference,
        power=power,
        rows_per_unit=rows,
        correlation=correlation,
        design_effect=duration.design_effect(max(rows, 1.0), min(max(correlation, 0.0), 1.0)),
        fixed_units=found.fixed_units,
        inflation=found.inflation,
        units=found.units,
    )


def _moments(metric: Metric, past: MetricHistory | None, wanted: Wanted) -> _Moments:
    """As given or as the past says; without a variance where neither does."""
    level, variance, explained = math.nan, 0.0, 0.0
    if past is not None and len(past.closed_us):
        y = past.columns["y"]
        sums = Sums.of(y, denominator=past.columns.get("d"))
        level, variance = sums.mean, sums.variance
        if "x" in past.columns and variance > 0:
            value = y if metric.kind != "ratio" else (y - sums.mean * past.columns["d"]) / past.columns["d"].mean()
            x = past.columns["x"]
            if x.std() > 0:
                explained = float(np.corrcoef(value, x)[0, 1] ** 2)
    level = wanted.level if wanted.level is not None else level
    variance = wanted.deviation**2 if wanted.deviation is not None else variance * (1 - explained)
    return _Moments(level, 0.0 if math.isnan(level) else variance, explained)


def _hang_together(past: MetricHistory | None) -> tuple[float, float]:
    """Rows of a unit and the correlation of two of them (one-way analysis of variance, Donner 1986), at least 0."""
    if past is None or not len(past.rows):
        return 1.0, 0.0
    counts = np.bincount(past.row_unit)
    counts = counts[counts > 0]
    k, n = len(counts), int(counts.sum())
    mean_rows = n / k
    if k < 2 or n == k:
        return mean_rows, 0.0
    sums = np.bincount(past.row_unit, past.rows)
    present = np.bincount(past.row_unit) > 0
    means = sums[present] / counts
    between = float((counts * (means - past.rows.mean()) ** 2).sum()) / (k - 1)
    within = float((past.rows**2).sum() - (counts * means**2).sum()) / (n - k)
    size = (n - float((counts.astype(np.float64) ** 2).sum()) / n) / (k - 1)
    below = between + (size - 1) * within
    return mean_rows, max(0.0, (between - within) / below) if below > 0 else 0.0


def _lasts(history: History | None, wanted: Wanted, total: int) -> tuple[float, float | None]:
    """New units a day that take part, and days until there are so many; as the log's came, then at its last rate."""
    if wanted.traffic is not None:
        per_day = wanted.traffic * wanted.coverage
        return per_day, total / per_day if per_day > 0 else None
    assert history is not None
    days: NDArray[np.float64] = (history.first_us - history.since_us) / _DAY_US
    begun = float(days[0])
    lasted = max((history.as_of_us - history.since_us) / _DAY_US - begun, 1 / 24)
    seen = len(days) * wanted.coverage
    per_day = seen / lasted
    if total <= seen:
        return per_day, float(days[math.ceil(total / wanted.coverage) - 1]) - begun
    last = float((days > days[-1] - lasted / 4).sum()) * wanted.coverage / (lasted / 4)
    return per_day, lasted + (total - seen) / last if last > 0 else None


def _words(
    name: str, planned: list[MetricPlan], wanted: Wanted, waits: float, success: int, guardrails: int
) -> list[str]:
    limiting = next((one for one in planned if one.metric == name), None)
    words = [f"{name} takes longest"] if limiting is None else _limiting_words(limiting, wanted)
    if guardrails and planned:
        words.append(f"each metric has a power of {planned[0].power:.3f}, so that all hold with {wanted.power:.2f}")
    if success * wanted.versions > 1:
        words.append(f"alpha is shared by {success * wanted.versions} comparisons")
    if waits:
        words.append(f"{waits:g} {'day' if waits == 1 else 'days'} more until windows close and labels are in")
    return words


def _limiting_words(limiting: MetricPlan, wanted: Wanted) -> list[str]:
    words = [f"{limiting.metric} takes longest: {limiting.fixed_units:,} units of each variant for a single look"]
    if limiting.inflation > 1.001:
        how = "at any time" if wanted.design == "anytime" else f"{wanted.looks} times"
        words.append(f"times {limiting.inflation:.2f} for looking {how}")
    if limiting.explained > 0.001:
        words.append(f"the covariate explains {limiting.explained:.0%} of the variance, which is saved")
    if limiting.design_effect > 1.001:
        words.append(
            f"{limiting.rows_per_unit:.1f} rows of a unit hang together (correlation {limiting.correlation:.2f}): "
            f"taken as independent they would seem {limiting.design_effect:.2f} times as many as they are worth"
        )
    return words
