"""`assay objective value`: what a model was worth, by month, and on which ground each figure stands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
import numpy as np

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.clock import iso
from assay.record.lengths import checked_length
from assay.record.objective_terms import Cost
from assay.record.objectives import Basis, KpiObservation, Objective, find_objective, kpi_observations
from assay.record.store import Store
from assay.steer.objectives.decided import recent_months
from assay.steer.objectives.months import end_of, month_given, months_between, start_of
from assay.steer.objectives.ranges import Ranges, interval_of, mean_of
from assay.steer.objectives.worth import Gain, MonthSums, came_true, estimated_gain, observed_gain, sums_by_month

__all__ = ["MEASURED_VALUE", "BasisValue", "MonthValue", "ValueReport", "recent_value", "value_of", "value_of_model"]

_FEW = 50  # known outcomes, below which an estimate is not held against them
MEASURED_VALUE = "value"
"""The name under which a value that an experiment showed is recorded, where the KPI is another one."""


class BasisValue(msgspec.Struct, frozen=True, kw_only=True):
    """The net value of some decisions on one basis, with its interval, in the unit of the values.

    `gain` is before the `cost` of running. `probability` is that of a net value above 0, None where it is not known.
    `is_believed` is False for an estimate that did not come true where outcomes are known.
    """

    basis: Basis
    decisions: int
    value: float
    low: float | None
    high: float | None
    gain: float | None
    cost: float | None
    probability: float | None
    words: str
    link: str | None = None
    is_believed: bool = True


class MonthValue(msgspec.Struct, frozen=True, kw_only=True):
    """A month on each basis that there is: figures side by side, never added. Times are UTC text.

    `known` of the `decisions` have an outcome, `other` a label that is none of the objective's outcomes. `is_over`: the
    month is, and the last outcomes had time to come.
    """

    month: str
    started: str
    ended: str
    is_over: bool
    decisions: int
    known: int
    other: int
    parts: list[BasisValue]

    def best(self) -> BasisValue | None:
        """The figure that says most of the whole month: measured, else observed where all outcomes are known, else
        estimated where that is to be believed, else what is observed."""
        by_basis = {one.basis: one for one in self.parts if one.is_believed}
        whole = [by_basis.get("measured"), by_basis.get("observed") if self.known == self.decisions else None]
        return next((one for one in [*whole, by_basis.get("estimated"), by_basis.get("observed")] if one), None)


class ValueReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a model was worth, in `unit`, beside what is done without it. `measured` are experiments over other spans
    than a month. `notes` say what the figures rest on."""

    model: str
    version: int
    unit: str
    baseline: str
    seed: int
    months: list[MonthValue]
    measured: list[KpiObservation]
    notes: list[str]


@operation("objective value")
def value_of_model(
    store: Store,
    model: Annotated[str, "The model"],
    *,
    from_: Annotated[str | None, "From this month on, such as 2026-01; without it from the first decision on"] = None,
    to: Annotated[str | None, "Up to this month, which counts too"] = None,
    seed: Annotated[int, "Of the random draws"] = 0,
) -> ValueReport:
    """Say what a model was worth by month, beside what is done without it, less what running it costs.

    Measured, observed and estimated figures stand side by side and are never added: what an experiment showed, what
    decisions with a known outcome brought, what all decisions are expected to bring by calibrated scores.
    """
    first, last = month_given(from_, "--from"), month_given(to, "--to")
    if first and last and first > last:
        raise InvalidInput(f"--from {first} is after --to {last}", expected="the other way round")
    return value_of(store, find_objective(store, model), first=first, last=last, seed=seed)


def value_of(
    store: Store, objective: Objective, *, first: str | None = None, last: str | None = None, seed: int = 0
) -> ValueReport:
    """The same of an objective that was read; InvalidInput for one without values."""
    terms = objective.terms
    if terms.value is None:
        raise InvalidInput(
            f"the objective of {objective.model} has no values",
            expected="[value] in its file",
            hint=f"assay objective new {objective.model} FILE.toml --template",
        )
    now = store.clock.latest()
    since, until = start_of(first) if first else None, end_of(last) if last else None
    sums = sums_by_month(store, objective.model, terms, since=since, until=until)
    experiments = _experiments(store, objective, since, until)
    by_month = {one.started: one for one in experiments if one.ended == iso(end_of(one.started[:7]))}
    by_month = {begun: one for begun, one in by_month.items() if begun == iso(start_of(begun[:7]))}
    names = sorted({*sums, *(begun[:7] for begun in by_month)})
    ranges = Ranges(seed)
    months = [
        _month(objective, name, sums.get(name, MonthSums()), by_month.get(iso(start_of(name))), ranges, now)
        for name in (months_between(names[0], names[-1]) if names else [])
    ]
    return ValueReport(
        model=objective.model,
        version=objective.version,
        unit=terms.value.unit,
        baseline=terms.baseline.words,
        seed=seed,
        months=months,
        measured=[one for one in experiments if one not in by_month.values()],
        notes=_notes(objective, months, list(sums.values())),
    )


def recent_value(store: Store, objective: Objective) -> ValueReport | None:
    """The same of the last 13 months with decisions; None for an objective without values."""
    if objective.terms.value is None:
        return None
    months = recent_months(store, objective.model, objective.terms)
    return value_of(store, objective, first=months[0] if months else None)


def _experiments(
    store: Store, objective: Objective, since: datetime | None, until: datetime | None
) -> list[KpiObservation]:
    """Values that experiments showed, of spans that touch the one asked for."""
    kpi = objective.terms.kpi
    names = {MEASURED_VALUE} | ({kpi.name} if kpi.source == "value" else set())
    found = [one for one in kpi_observations(store, objective.model) if one.basis == "measured" and one.kpi in names]
    begin, end = iso(since) if since else "", iso(until) if until else "9"
    return [one for one in found if one.ended > begin and one.started < end]


def _month(
    objective: Objective, name: str, sums: MonthSums, measured: KpiObservation | None, ranges: Ranges, now: datetime
) -> MonthValue:
    terms, end = objective.terms, end_of(name)
    length = (end - start_of(name)).total_seconds()
    passed = min(1.0, max(0.0, (now - start_of(name)).total_seconds() / length))  # of a month that is going on
    parts = [] if measured is None else [_measured(measured, sums)]
    if sums.known:
        share = passed * sums.known / sums.decisions
        words = f"outcomes of {sums.known:,} of {sums.decisions:,} decisions are known"
        found = observed_gain(terms, sums, ranges)
        parts.append(_worth("observed", found, terms.cost, sums.known, share, ranges, words))
    if sums.decisions > sums.known and sums.is_estimable and sums.expected:
        known = sums.known / sums.decisions
        words = f"by calibrated scores of all {sums.decisions:,} decisions; {known:.0%} of outcomes are known"
        if sums.uncalibrated:
            words = words.replace("calibrated scores", "scores as they are")
        found = estimated_gain(terms, sums, ranges, name)
        is_believed = sums.known < _FEW or came_true(terms, sums, ranges, name)
        if not is_believed:
            words += "; not to be believed: outcomes that are known are unlike what scores expect of them"
        one = _worth("estimated", found, terms.cost, sums.decisions, passed, ranges, words)
        parts.append(msgspec.structs.replace(one, is_believed=is_believed))
    return MonthValue(
        month=name,
        started=iso(start_of(name)),
        ended=iso(end),
        is_over=end + checked_length(terms.outcome_after, "outcome_after") <= now,
        decisions=sums.decisions,
        known=sums.known,
        other=sums.other,
        parts=parts,
    )


def _worth(
    basis: Basis, gain: Gain, cost: Cost, decisions: int, share: float, ranges: Ranges, words: str
) -> BasisValue:
    spent = share * ranges.of("cost per_month", cost.per_month)
    spent = spent + decisions * ranges.of("cost per_decision", cost.per_decision)
    mean = share * mean_of(cost.per_month) + decisions * mean_of(cost.per_decision)
    net = gain.draws - spent
    low, high = interval_of(net)
    return BasisValue(
        basis=basis,
        decisions=decisions,
        value=gain.mean - mean,
        low=low,
        high=high,
        gain=gain.mean,
        cost=mean,
        probability=float(np.mean(net > 0.0)),
        words=words,
    )


def _measured(seen: KpiObservation, sums: MonthSums) -> BasisValue:
    return BasisValue(
        basis="measured",
        decisions=sums.decisions,
        value=seen.value,
        low=seen.low,
        high=seen.high,
        gain=None,
        cost=None,
        probability=_above_zero(seen),
        words=f"an experiment: {seen.link or seen.note or 'without a link'}",
        link=seen.link,
    )


def _above_zero(seen: KpiObservation) -> float | None:
    """The probability that belongs to the interval, taken as a normal of 95 %."""
    from assay.stats import normal

    if seen.low is None or seen.high is None or seen.high <= seen.low:
        return None
    return normal.cdf(seen.value / ((seen.high - seen.low) / (2.0 * normal.quantile(0.975))))


def _notes(objective: Objective, months: Sequence[MonthValue], sums: Sequence[MonthSums]) -> list[str]:
    value = objective.terms.value
    assert value is not None
    found = [
        f"values: version {value.version}, {value.source}, of {value.owner}, valid until {value.valid_until}",
        "intervals of 95 % hold the ranges of values and costs, estimated ones also the chance of outcomes",
        "outcomes are taken as not touched by the action: only an experiment shows what acting changes",
    ]
    uncalibrated = sorted({mv_id[:8] for one in sums for mv_id in one.uncalibrated})
    if uncalibrated:
        found.append(f"never evaluated, so that scores were taken as they are: version {', '.join(uncalibrated)}")
    if any(one.other for one in months):
        found.append(f"{sum(one.other for one in months):,} labels are none of the outcomes and do not count")
    if not all(one.is_estimable for one in sums):
        found.append("nothing is estimated where there are no two outcomes 0 and 1, or scores are no probabilities")
    return found
