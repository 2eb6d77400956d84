"""Objectives for people: what models are for, what they are worth, what has to be decided."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import pairs, table, when

if TYPE_CHECKING:
    from assay.record.objectives import KpiObservation, Objective
    from assay.steer.objectives.declaring import NewObjective, ObjectiveDetail, ObjectiveLine
    from assay.steer.objectives.reviews import ObjectiveReview
    from assay.steer.objectives.thresholds import ThresholdAdvice
    from assay.steer.objectives.valuing import BasisValue, ValueReport

__all__ = [
    "new_objective",
    "objective_detail",
    "objective_list",
    "observation_list",
    "review_list",
    "review_told",
    "threshold_advice",
    "value_report",
]


def new_objective(found: "NewObjective") -> RenderableType:
    """The objective as it is now, or the file that waits."""
    if found.objective is None:
        return Text(f"written: {found.written}")
    said = f"version {found.objective.version} of the objective of {found.objective.model}"
    head = said if found.changed else f"nothing has changed: {said}"
    return Group(Text(head, "bold"), pairs(_facts(found.objective)))


def objective_list(found: "Sequence[ObjectiveLine]") -> RenderableType:
    """An objective a line."""
    shown = table("model", "what for", "owner", "KPI", "target", "floor", "last", "next review", "open")
    for one in found:
        last = "" if one.last is None else f"{_amount(one.last.value)} ({one.last.basis}, {one.last.started[:7]})"
        due = Text(one.next_review[:10], "yellow" if one.overdue else "")
        review = (one.open_review or "")[:8]
        target, floor = _amount(one.target), _amount(one.floor)
        shown.add_row(one.model, one.statement, one.owner, f"{one.kpi}, {one.unit}", target, floor, last, due, review)
    return shown


def objective_detail(found: "ObjectiveDetail") -> RenderableType:
    """All of an objective."""
    parts: list[RenderableType] = [
        Text(found.objective.terms.statement, "bold"),
        pairs({**_facts(found.objective), "next review": found.next_review[:10]}),
    ]
    if found.sentence:
        parts.append(Text(found.sentence))
    if found.observations:
        parts += [Text("\nKPIs", "bold"), observation_list(found.observations)]
    if found.correlations:
        parts += [Text("\nOffline gain and business gain", "bold"), *(Text(one.words) for one in found.correlations)]
    if found.reviews:
        parts += [Text("\nreviews", "bold"), review_list(found.reviews)]
    return Group(*parts)


def observation_list(found: "Sequence[KpiObservation]") -> RenderableType:
    """What KPIs were, a line each."""
    shown = table("from", "to", "KPI", "value", "interval", "basis", "evidence")
    for one in found:
        interval = "" if one.low is None or one.high is None else f"{_amount(one.low)} to {_amount(one.high)}"
        evidence = one.link or one.note or ""
        shown.add_row(one.started[:10], one.ended[:10], one.kpi, _amount(one.value), interval, one.basis, evidence)
    return shown


def review_list(found: "Sequence[ObjectiveReview]") -> RenderableType:
    """A review a line."""
    shown = table("review", "model", "state", "why", "proposed", "due", "asked", widths={"why": 70})
    for one in found:
        why = "; ".join(cause.words for cause in one.causes)
        state = f"{one.outcome}, by {one.closed_by}" if one.closed else "open"
        asked = ", ".join(sorted({person for people in one.asked.values() for person in people}))
        shown.add_row(one.review_id[:8], one.model, state, why, one.proposal or "", one.due[:10], asked)
    return shown


def review_told(found: "ObjectiveReview") -> RenderableType:
    """One review, as it is now."""
    said = {
        "review": found.review_id[:8],
        "model": found.model,
        "state": f"{found.outcome}, by {found.closed_by}, {when(found.closed)}" if found.closed else "open",
        "reason": found.words or "",
        "decision": "" if found.decision is None else str(found.decision),
    }
    causes = [Text(f"- {one.words}") for one in found.causes]
    return Group(pairs({name: value for name, value in said.items() if value}), *causes)


def value_report(found: "ValueReport") -> RenderableType:
    """Value by month: what rests on different things stands in different lines."""
    shown = table("month", "basis", "decisions", "net value", "interval", "above 0", "gain", "cost", "what it rests on")
    for month in found.months:
        name = month.month if month.is_over else f"{month.month}, not over"
        for one in month.parts:
            shown.add_row(name, *_worth(one))
        if not month.parts:
            shown.add_row(name, "", f"{month.decisions:,}", "not known", "", "", "", "", "no outcome is known")
    head = Text(f"net value of {found.model} in {found.unit}, where without it {found.baseline}", "bold")
    if not found.months:
        return Group(head, Text("no decision of it is in the log"))
    rest: list[RenderableType] = [Text(f"- {note}") for note in found.notes]
    if found.measured:
        rest = [Text("\nmeasured over other spans", "bold"), observation_list(found.measured), *rest]
    return Group(head, shown, Text("figures of different bases are never added", "italic"), *rest)


def threshold_advice(found: "ThresholdAdvice") -> RenderableType:
    """The best threshold beside the present one."""
    shown = table("threshold", "is", "acts on", "gain", "interval")
    for one in found.shown:
        interval = f"{_amount(one.low)} to {_amount(one.high)}"
        shown.add_row(f"{one.threshold:.4g}", one.role, f"{one.acted:.1%}", _amount(one.gain), interval)
    return Group(Text(found.words, "bold"), shown, *(Text(f"- {note}") for note in found.notes))


def _worth(one: "BasisValue") -> list[str]:
    interval = "" if one.low is None or one.high is None else f"{_amount(one.low)} to {_amount(one.high)}"
    above = "" if one.probability is None else f"{one.probability:.0%}"
    gain, cost = ("" if value is None else _amount(value) for value in (one.gain, one.cost))
    return [one.basis, f"{one.decisions:,}", _amount(one.value), interval, above, gain, cost, one.words]


def _facts(objective: "Objective") -> dict[str, str]:
    terms = objective.terms
    kpi = terms.kpi
    better = f"{kpi.direction} is better"
    said = {
        "statement": terms.statement,
        "decision": f"{terms.decision.drives}: {' | '.join(terms.decision.actions)}",
        "without the model": terms.baseline.words,
        "KPI": f"{kpi.name}, {kpi.unit}; target {_amount(kpi.target)}, floor {_amount(kpi.floor)}; {better}",
        "guardrails": "; ".join(
            f"{one.name} {_bound(one.direction)} {_amount(one.limit)} {one.unit}" for one in terms.guardrails
        ),
        "values": ""
        if terms.value is None
        else f"version {terms.value.version}, valid until {terms.value.valid_until}",
        "owner": terms.owner,
        "version": str(objective.version),
        "hash": objective.hash[:12],
        "decided": f"{when(objective.decided)} by {objective.decided_by}, entry {objective.decision}",
    }
    return {name: value for name, value in said.items() if value}


def _bound(direction: str) -> str:
    return "at least" if direction == "higher" else "at most"


def _amount(value: float) -> str:
    size = abs(value)
    return (
        f"{value:,.0f}"
        if size >= 100 or float(value).is_integer()
        else f"{value:,.2f}"
        if size >= 1
        else f"{value:.3g}"
    )
