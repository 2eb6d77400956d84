"""`assay objective observe`: what a KPI was, brought by a person, or computed by the query of the objective."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from assay.errors import InvalidInput, nearest
from assay.operate.labels.known import register_labels
from assay.operate.moments import moment_given
from assay.operate.predictions.rows import predictions_database
from assay.operate.querying import checked_query, explained
from assay.operation import operation
from assay.record.clock import iso
from assay.record.identity import ordered_id
from assay.record.lengths import checked_length
from assay.record.objective_terms import Guardrail, Kpi
from assay.record.objectives import BASES, Basis, KpiObservation, Objective, find_objective, kpi_observations
from assay.record.store import Row, Store
from assay.steer.objectives.decided import endpoints_of, recent_months
from assay.steer.objectives.months import end_of, start_of
from assay.steer.objectives.valuing import MEASURED_VALUE, ValueReport, recent_value

__all__ = ["observe", "observe_finished"]

Measured = tuple[float, float | None, float | None]


@operation("objective observe")
def observe(
    store: Store,
    model: Annotated[str, "The model"],
    *,
    value: Annotated[float | None, "What it was; without it the months that are over are computed"] = None,
    low: Annotated[float | None, "The lower end of its interval"] = None,
    high: Annotated[float | None, "The upper end of its interval"] = None,
    from_: Annotated[str | None, "When the span began, such as 2026-01-01"] = None,
    to: Annotated[str | None, "The first moment after it"] = None,
    basis: Annotated[str | None, "measured (an experiment), observed or estimated"] = None,
    kpi: Annotated[str | None, "Which KPI; without it that of the objective, `value` for its value in money"] = None,
    link: Annotated[str | None, "The evidence, such as test:NAME or an address"] = None,
    note: Annotated[str | None, "What else is to be known"] = None,
) -> list[KpiObservation]:
    """Record what a KPI of an objective was in a span of time, or compute it of the months that are over.

    What was said before stays on record; of one span, basis and evidence the newest counts.
    """
    objective = find_objective(store, model)
    if value is None:
        if any(one is not None for one in (low, high, from_, to, basis, kpi, link, note)):
            raise InvalidInput("no value is given", expected="--value NUMBER, or no option at all to compute it")
        return observe_finished(store, objective)
    name = _known_kpi(objective, kpi)
    if basis not in BASES:
        close = nearest(basis or "", list(BASES))
        raise InvalidInput(f"--basis is {basis!r}", expected=" | ".join(BASES), hint=close)
    begin, end = moment_given(store, from_, "--from"), moment_given(store, to, "--to")
    if begin is None or end is None or begin >= end:
        raise InvalidInput("the span is not said", expected="--from 2026-01-01 --to 2026-02-01, the first day after it")
    _check_numbers(value, low, high)
    if basis == "measured" and not (link or "").strip():
        raise InvalidInput("what was measured has no evidence", expected="--link, such as test:NAME")
    row = {"low": low, "high": high, "link": link, "note": note}
    return [_keep(store, model, name, basis, begin, end, value, row)]


def observe_finished(store: Store, objective: Objective, report: ValueReport | None = None) -> list[KpiObservation]:
    """Compute the KPI and the guardrails that the store can tell, of months that are over; those that are new.

    A month counts once its last outcomes had time to come. One that was computed before is computed again, and what
    came of it is written down where it is another figure: labels may come late.
    """
    terms = objective.terms
    found: list[KpiObservation] = []
    if terms.kpi.source == "value":
        report = report or recent_value(store, objective)
        assert report is not None  # such a KPI has values
        for month in report.months:
            best = month.best()
            if not month.is_over or best is None or best.basis == "measured":  # that is on record already
                continue
            row = {"low": best.low, "high": best.high, "note": best.words, "link": None}
            begin, end = start_of(month.month), end_of(month.month)
            found += _if_new(store, objective, terms.kpi.name, best.basis, begin, end, best.value, row)
    every: list[Kpi | Guardrail] = [terms.kpi, *terms.guardrails]
    for kpi in (one for one in every if one.sql is not None):
        for begin, end in _finished(store, objective):
            measured = _by_query(store, objective, kpi, begin, end)
            if measured is not None:
                row = {"low": measured[1], "high": measured[2], "note": "by the objective's query", "link": None}
                found += _if_new(store, objective, kpi.name, "observed", begin, end, measured[0], row)
    return found


def _finished(store: Store, objective: Objective) -> Sequence[tuple[datetime, datetime]]:
    """The last 13 months with decisions, those of them that are over and whose outcomes had time to come."""
    mature = store.clock.latest() - checked_length(objective.terms.outcome_after, "outcome_after")
    months = [month for month in recent_months(store, objective.model, objective.terms) if end_of(month) <= mature]
    return [(start_of(month), end_of(month)) for month in months]


def _by_query(
    store: Store, objective: Objective, kpi: Kpi | Guardrail, begin: datetime, end: datetime
) -> Measured | None:
    """What the query says of a span; None where it says nothing. Several endpoints are asked as one."""
    endpoints = endpoints_of(store, objective.model, objective.terms)
    if len(endpoints) != 1:
        raise InvalidInput(
            f"the query of {kpi.name} needs one endpoint", where="endpoint", expected=f"one of {', '.join(endpoints)}"
        )
    with predictions_database(store, endpoints[0], since=begin, until=end) as connection:
        register_labels(connection, store, endpoints[0])
        text = checked_query(connection, str(kpi.sql))
        with explained(text):
            relation = connection.sql(text)
            rows, columns = relation.fetchall(), relation.columns
    if len(rows) != 1 or "value" not in columns:
        raise InvalidInput(
            f"the query of {kpi.name} gives {len(rows)} rows of {', '.join(columns)}",
            where=f"the objective of {objective.model}",
            expected="one row with the column value, and low and high where they are known",
        )
    said = dict(zip(columns, rows[0], strict=True))
    if said["value"] is None:
        return None
    ends = [None if said.get(name) is None else float(said[name]) for name in ("low", "high")]
    _check_numbers(float(said["value"]), *ends)
    return float(said["value"]), ends[0], ends[1]


def _if_new(
    store: Store,
    objective: Objective,
    kpi: str,
    basis: Basis,
    begin: datetime,
    end: datetime,
    value: float,
    row: Row,
) -> list[KpiObservation]:
    for one in kpi_observations(store, objective.model, kpi=kpi):
        is_same_span = (one.started, one.ended, one.basis, one.link) == (iso(begin), iso(end), basis, None)
        if is_same_span and (one.value, one.low, one.high) == (value, row["low"], row["high"]):
            return []
    return [_keep(store, objective.model, kpi, basis, begin, end, value, row)]


def _keep(
    store: Store, model: str, kpi: str, basis: Basis, begin: datetime, end: datetime, value: float, row: Row
) -> KpiObservation:
    obs_id = ordered_id()
    times = {"started": iso(begin), "ended": iso(end)}
    kept = {"obs_id": obs_id, "model": model, "kpi": kpi, "basis": basis, **times, "value": value, **row}
    store.append("kpi_obs", kept)
    return next(one for one in kpi_observations(store, model, kpi=kpi) if one.obs_id == obs_id)


def _known_kpi(objective: Objective, asked: str | None) -> str:
    known = [objective.terms.kpi.name, *(one.name for one in objective.terms.guardrails), MEASURED_VALUE]
    if asked is None:
        return known[0]
    if asked not in known:
        close = nearest(asked, known)
        hint = f"did you mean {close!r}?" if close else None
        raise InvalidInput(f"the objective has no KPI {asked!r}", expected=", ".join(known), hint=hint)
    return asked


def _check_numbers(value: float, low: float | None, high: float | None) -> None:
    given = [one for one in (low, value, high) if one is not None]
    if not all(map(math.isfinite, given)) or sorted(given) != given:
        raise InvalidInput(f"low, value and high are {low}, {value}, {high}", expected="finite numbers in this order")
