"""Why an objective has to be looked at again: everything that the records say against going on as before."""

from datetime import datetime

import msgspec

from assay.record.clock import iso
from assay.record.objective_terms import Direction
from assay.record.objectives import Basis, KpiObservation, Objective, kpi_observations, newest_observation
from assay.record.store import Store
from assay.steer.objectives.correlation import correlations
from assay.steer.objectives.months import month_of, words_of
from assay.steer.objectives.reviews import Cause, next_review
from assay.steer.objectives.user_mix import MixChange, changed_mix
from assay.steer.objectives.valuing import MonthValue, ValueReport
from assay.steer.objectives.wording import amount, within

__all__ = ["Looked", "look"]


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at an objective found, and P(net value > 0) of the last month that is over, with its basis."""

    causes: list[Cause]
    probability: float | None
    basis: Basis | None


def look(store: Store, objective: Objective, report: ValueReport | None) -> Looked:
    """Look at an objective; `report` are its values, None where it has none."""
    now = store.clock.latest()
    last = _last_over(report)
    best = last.best() if last is not None else None
    causes = [
        *_kpis(store, objective),
        *_expired(objective, now),
        *_value(objective, last),
        *[_mix(one) for one in changed_mix(store, objective) if one.is_beyond],
        *_correlation(store, objective.model),
        *_coverage(objective, last),
        *_date(store, objective, now),
    ]
    return Looked(causes=causes, probability=best.probability if best else None, basis=best.basis if best else None)


def _last_over(report: ValueReport | None) -> MonthValue | None:
    over = [one for one in report.months if one.is_over and one.decisions] if report is not None else []
    return over[-1] if over else None


def _kpis(store: Store, objective: Objective) -> list[Cause]:
    terms = objective.terms
    bounds: list[tuple[str, str, float, Direction, str]] = [
        ("kpi", terms.kpi.name, terms.kpi.floor, terms.kpi.direction, terms.kpi.unit)
    ]
    bounds += [("guardrail", one.name, one.limit, one.direction, one.unit) for one in terms.guardrails]
    found = []
    for kind, name, bound, direction, unit in bounds:
        last = newest_observation(kpi_observations(store, objective.model, kpi=name))
        if last is not None and _is_past(last.value, bound, direction):
            what = "its floor" if kind == "kpi" else "its limit"
            words = (
                f"{name} was {amount(last.value)}{within(last.low, last.high)} {unit} in {_span(last)} ({last.basis}), "
                f"{'below' if direction == 'higher' else 'above'} {what} of {amount(bound)}"
            )
            sure = last.high if direction == "higher" else last.low
            if sure is not None and not _is_past(sure, bound, direction):
                words += "; its interval reaches beyond that"
            found.append(Cause(kind=kind, key=f"{kind}:{name}:{last.started}", words=words))
    return found


def _is_past(value: float, bound: float, direction: Direction) -> bool:
    return value < bound if direction == "higher" else value > bound


def _span(seen: KpiObservation) -> str:
    is_month = seen.started.endswith("-01T00:00:00.000000Z") and seen.ended.endswith("-01T00:00:00.000000Z")
    return words_of(seen.started[:7]) if is_month else f"{seen.started[:10]} to {seen.ended[:10]}"


def _expired(objective: Objective, now: datetime) -> list[Cause]:
    value = objective.terms.value
    if value is None or now.date() <= value.valid_until:
        return []
    words = f"the values (version {value.version}, of {value.owner}) held until {value.valid_until} only"
    return [Cause(kind="value_expired", key=f"value_expired:{value.version}:{month_of(now)}", words=words)]


def _value(objective: Objective, last: MonthValue | None) -> list[Cause]:
    best = last.best() if last is not None else None
    if last is None or best is None:
        return []
    least = objective.terms.stop.probability
    is_unlikely = best.probability is not None and best.probability < least
    if best.value >= 0.0 and not is_unlikely:
        return []
    unit = objective.terms.value.unit if objective.terms.value else ""
    each = best.value / max(best.decisions, 1)
    sure = "" if best.probability is None else f"; it is above 0 with probability {best.probability:.2f}"
    words = (
        f"a decision cost more than it brought in {words_of(last.month)}: {each:,.3g} {unit} each, "
        f"{amount(best.value)}{within(best.low, best.high)} in all ({best.basis}){sure}"
    )
    if best.value >= 0.0:
        words = (
            f"the value of {words_of(last.month)}, {amount(best.value)}{within(best.low, best.high)} {unit} "
            f"({best.basis}), is above 0 with probability {best.probability:.2f} only"
        )
    return [Cause(kind="value_negative", key=f"value_negative:{last.month}", words=words)]


def _mix(change: MixChange) -> Cause:
    largest = change.parts[0]
    words = (
        f"users have changed: {change.moved:.0%} would need another {change.column} to be as in "
        f"{words_of(change.before)} ({change.chance:.0%} by chance); {largest.value} went from {largest.before:.0%} to "
        f"{largest.now:.0%}"
    )
    return Cause(kind="user_mix", key=f"user_mix:{change.column}:{change.now}", words=words)


def _correlation(store: Store, model: str) -> list[Cause]:
    """Where gains offline and in business do not go together at all, over pairs to which the model has added."""
    found = []
    for one in correlations(store):
        if any(pair.model == model for pair in one.pairs) and one.spearman is not None and one.spearman <= 0.0:
            words = f"gains offline do not show in business any more; {one.words}"
            found.append(Cause(kind="correlation", key=f"correlation:{one.basis}:{len(one.pairs)}", words=words))
    return found


def _coverage(objective: Objective, last: MonthValue | None) -> list[Cause]:
    if last is None or last.known / last.decisions >= objective.terms.coverage:
        return []
    words = (
        f"too little is known to judge {words_of(last.month)}: {last.known:,} of {last.decisions:,} outcomes "
        f"({last.known / last.decisions:.0%}), {objective.terms.coverage:.0%} are agreed"
    )
    return [Cause(kind="coverage", key=f"coverage:{last.month}", words=words)]


def _date(store: Store, objective: Objective, now: datetime) -> list[Cause]:
    due = next_review(store, objective)
    if due >= iso(now):
        return []
    return [Cause(kind="review_date", key=f"review_date:{due}", words=f"the review was due on {due[:10]}")]
