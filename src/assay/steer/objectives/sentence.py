"""What a manager is told of a model, in plain words: how it stands, how sure that is, and what is not known."""

from collections.abc import Sequence

from assay.record.objectives import KpiObservation, Objective, newest_observation
from assay.steer.objectives.months import words_of
from assay.steer.objectives.user_mix import MixChange
from assay.steer.objectives.valuing import MonthValue, ValueReport
from assay.steer.objectives.wording import amount, between

__all__ = ["sentence"]

_POINTS = 0.01  # a difference of less than a point is none
_BASES = {"measured": "measured in an experiment", "observed": "observed", "estimated": "estimated"}


def sentence(
    objective: Objective, report: ValueReport | None, seen: Sequence[KpiObservation], mix: Sequence[MixChange]
) -> str:
    """All that is known of the last month that is over, from what was found of it."""
    said = [_kpi(objective, seen)] if objective.terms.kpi.source != "value" else []
    said += [_value(objective, report)] if report is not None else []
    said += [_users(one) for one in mix if one.is_beyond]
    missing = _not_known(report)
    return " ".join([*said, *([f"Not known: {'; '.join(missing)}."] if missing else [])])


def _kpi(objective: Objective, seen: Sequence[KpiObservation]) -> str:
    kpi = objective.terms.kpi
    last = newest_observation([one for one in seen if one.kpi == kpi.name])
    if last is None:
        return f"Nobody has said yet what {kpi.name} is; the target is {amount(kpi.target)} {kpi.unit}."
    where = words_of(last.started[:7]) if last.started[8:10] == "01" else f"{last.started[:10]} to {last.ended[:10]}"
    figure = between(last.low, last.high, last.value)
    stands = _stands(objective, last.value, last.low, last.high)
    return (
        f"In {where} {kpi.name} was {figure} {kpi.unit} ({_BASES[last.basis]}); target {amount(kpi.target)}: {stands}."
    )


def _value(objective: Objective, report: ValueReport) -> str:
    last = _last(report)
    best = last.best() if last is not None else None
    if last is None or best is None:
        return f"What {report.model} is worth is not known yet: no month is over in which it decided something."
    known = f"{last.known / last.decisions:.0%} of outcomes known" if last.decisions else "no decision in the log"
    verb = "added" if best.value >= 0.0 else "cost"
    sign = 1.0 if best.value >= 0.0 else -1.0
    ends = sorted(sign * one for one in (best.low, best.high) if one is not None)
    figure = between(ends[0], ends[1], sign * best.value) if ends else amount(sign * best.value)
    more = "" if sign > 0 else " more than it brought"
    said = (
        f"In {words_of(last.month)} {report.model} {verb} {figure} {report.unit}{more}, beside a world where "
        f"{report.baseline} ({_BASES[best.basis]}, {known})"
    )
    if objective.terms.kpi.source == "value":
        kpi = objective.terms.kpi
        said += f"; target {amount(kpi.target)}: {_stands(objective, best.value, best.low, best.high)}"
    return f"{said}."


def _stands(objective: Objective, value: float, low: float | None, high: float | None) -> str:
    """On course only where the whole interval says so."""
    kpi = objective.terms.kpi
    sign = 1.0 if kpi.direction == "higher" else -1.0
    ends = sorted(sign * (value if one is None else one) for one in (low, high))
    target, floor = sign * kpi.target, sign * kpi.floor
    if ends[0] >= target:
        return "on course"
    if ends[1] < floor:
        return f"past the floor of {amount(kpi.floor)}"
    if ends[1] < target:
        perhaps = "" if ends[0] >= floor else f", perhaps the floor of {amount(kpi.floor)}"
        return f"the target is missed{perhaps}"
    return "whether it is met is open" if ends[0] >= floor else "whether it is met is open, and so is the floor"


def _users(change: MixChange) -> str:
    largest = change.parts[0]
    verb = "rose" if largest.now > largest.before else "fell"
    said = (
        f"Users with {change.column} {largest.value} {verb} from {largest.before:.0%} to {largest.now:.0%} of "
        f"decisions since {words_of(change.before)}"
    )
    here, elsewhere = largest.right_here, largest.right_elsewhere
    if here is None or elsewhere is None:
        return f"{said}; how well the model does there is not known."
    if abs(here - elsewhere) < _POINTS:
        return f"{said}; the model is as good there as elsewhere."
    better = "better" if here > elsewhere else "weaker"
    return f"{said}; the model is {abs(here - elsewhere) * 100:.0f} points {better} there."


def _not_known(report: ValueReport | None) -> list[str]:
    if report is None:
        return ["what its decisions are worth, no values are given"]
    found = []
    last = _last(report)
    if last is not None and not any(one.basis == "measured" for one in last.parts):
        found.append("what acting itself changes, no experiment measured it in that month")
    going = [one for one in report.months if not one.is_over and one.decisions]
    if going:
        found.append(f"how {words_of(going[-1].month)} ends, outcomes are still to come")
    return found


def _last(report: ValueReport) -> MonthValue | None:
    over = [one for one in report.months if one.is_over and one.parts]
    return over[-1] if over else None
