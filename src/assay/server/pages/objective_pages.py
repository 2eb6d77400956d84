"""What models are for: all objectives; one with its KPI against the target, its value by month, users and reviews."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import AssayError, InvalidInput
from assay.record.clock import iso, moment
from assay.record.objectives import (
    BASES,
    KpiObservation,
    Objective,
    find_objective,
    kpi_observations,
    newest_observation,
    objective_versions,
)
from assay.record.store import Store
from assay.server.pages.forms import Form, acting_as, check_seen, seen_of
from assay.server.pages.line_drawing import Band, Line, Mark, Picture, picture
from assay.server.pages.rendering import render
from assay.server.pages.wording import quoted
from assay.steer.objectives.correlation import correlations
from assay.steer.objectives.declaring import list_objectives
from assay.steer.objectives.reviewing import decide_review
from assay.steer.objectives.reviews import OUTCOMES, find_review, next_review, reviews_of
from assay.steer.objectives.sentence import sentence
from assay.steer.objectives.user_mix import MixChange, changed_mix
from assay.steer.objectives.valuing import ValueReport, recent_value
from assay.steer.objectives.wording import amount, between

__all__ = ["edit", "show", "show_all"]

_HALF = timedelta(days=1.5)  # half the width of an interval in a picture
_APART = timedelta(days=4)
_SPAN = timedelta(days=28)


def show_all(store: Store, request: Request) -> Response:
    """All objectives, those that somebody has to decide on first."""
    found = sorted(list_objectives(store), key=lambda one: (one.open_review is None, not one.overdue, one.model))
    return render(
        store,
        request,
        "objectives.html",
        title="Objectives",
        place="/objectives",
        objectives=found,
        amount=amount,
        between=between,
    )


def show(store: Store, request: Request) -> Response:
    """The objective of a model."""
    objective = find_objective(store, request.path_params["name"])
    seen = kpi_observations(store, objective.model)
    report, mix, problem = _looked(store, objective)
    reviews = reviews_of(store, objective.model)
    due = next_review(store, objective)
    return render(
        store,
        request,
        "objective.html",
        title=f"What {objective.model} is for",
        place="/objectives",
        objective=objective,
        terms=objective.terms,
        told=sentence(objective, report, seen, mix) if problem is None else None,
        problem=problem,
        kpi=_kpi_picture(objective, seen),
        worth=_value_picture(report),
        report=report,
        observations=seen[::-1],
        bases=[(place, name) for place, name in enumerate(BASES)],
        mix=mix,
        correlations=correlations(store),
        waiting=[one for one in reviews if one.closed is None],
        closed=[one for one in reviews if one.closed is not None],
        versions=objective_versions(store, objective.model)[::-1],
        next_review=due,
        overdue=due < iso(store.clock.latest()),
        outcomes=OUTCOMES,
        seen=seen_of,
        amount=amount,
        between=between,
    )


def edit(store: Store, request: Request, form: Form) -> str:
    """Close the review of a model with what was decided; returns the address of its page."""
    store = acting_as(store, request, form)
    model = request.path_params["name"]
    if form.one("do") != "decide":
        raise InvalidInput(f"nothing is done by {form.one('do')!r}", expected="decide")
    with store.transaction():
        check_seen(form, [find_review(store, form.one("review")).closed])
        outcome = form.one("outcome")
        decide_review(store, form.one("review"), outcome=outcome, reason=form.one("reason").strip())
    return "/objectives" if outcome == "retire" else f"/objectives/{quoted(model)}"


def _looked(store: Store, objective: Objective) -> tuple[ValueReport | None, list[MixChange], AssayError | None]:
    """What the log says; the error where it cannot be read as the objective wants it, and the page says so."""
    try:
        return recent_value(store, objective), changed_mix(store, objective), None
    except AssayError as error:
        return None, [], error


def _kpi_picture(objective: Objective, seen: Sequence[KpiObservation]) -> Picture | None:
    """The KPI on each basis, each with its intervals, beside target and floor."""
    kpi = objective.terms.kpi
    own = [one for one in seen if one.kpi == kpi.name]
    points = [(BASES.index(one.basis), _middle(one.started, one.ended), one.value, one.low, one.high) for one in own]
    said = f"{kpi.name} by period, target {amount(kpi.target)} and floor {amount(kpi.floor)} {kpi.unit}"
    last = newest_observation(own)
    if last is not None:
        said += f"; last {amount(last.value)} ({last.basis})"
    bounds = [
        Mark(f"{name} {amount(value)}", value=value) for name, value in (("target", kpi.target), ("floor", kpi.floor))
    ]
    return _picture(points, said, bounds)


def _value_picture(report: ValueReport | None) -> Picture | None:
    """The net value by month on each basis; what is observed of a part of a month cannot stand beside a whole one."""
    if report is None:
        return None
    points = [
        (BASES.index(part.basis), _middle(month.started, month.ended), part.value, part.low, part.high)
        for month in report.months
        for part in month.parts
        if part.basis != "observed" or month.known == month.decisions
    ]
    return _picture(points, f"Net value of {report.model} by month, in {report.unit}", [Mark("", value=0.0)])


def _picture(points: Sequence[tuple[int, datetime, float, Any, Any]], said: str, marks: list[Mark]) -> Picture | None:
    if not points:
        return None
    shifted = [(basis, at + (basis - 1) * _APART, value, low, high) for basis, at, value, low, high in points]
    lines = [
        Line(name, [(at, value) for own, at, value, _, _ in shifted if own == place], place)
        for place, name in enumerate(BASES)
    ]
    bands = [
        Band([(at - _HALF, low, high), (at + _HALF, low, high)], basis)
        for basis, at, _, low, high in shifted
        if low is not None and high is not None
    ]
    times = [at for _, at, _, _, _ in shifted]
    return picture(
        [one for one in lines if one.values],
        said=said,
        since=min(times) - _SPAN,
        until=max(times) + _SPAN,
        bands=bands,
        marks=marks,
        write=amount,
    )


def _middle(started: str, ended: str) -> datetime:
    return moment(started) + (moment(ended) - moment(started)) / 2
