"""What a model is for: an objective in versions that are never changed, each decided by somebody and with its hash.

Beside it, what its KPIs were: rows of a month or another period, each on one basis. `measured` is what an experiment
showed, `observed` what is known to have happened, `estimated` what is expected where outcomes are not known.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Literal, get_args

import msgspec

from assay.errors import NotFound, nearest
from assay.record.canonical import canonical_json, digest
from assay.record.clock import happened, iso, moment
from assay.record.identity import new_id
from assay.record.ledger import decide
from assay.record.lengths import checked_length
from assay.record.objective_terms import Terms, check_terms
from assay.record.store import Row, Store

__all__ = [
    "BASES",
    "Basis",
    "KpiObservation",
    "Objective",
    "decide_objective",
    "find_objective",
    "kpi_observations",
    "newest_observation",
    "objective_of",
    "objective_versions",
    "objectives",
]

Basis = Literal["measured", "observed", "estimated"]
BASES: tuple[Basis, ...] = get_args(Basis)


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model's objective as it is on record: `hash` is that of its terms, all of them.

    Times are UTC text. `decision` is its entry in the ledger; `review_due` is when its first review was due as it was
    decided. `ended` is when the model was retired, None while it is not.
    """

    objective_id: str
    version: int
    model: str
    hash: str
    decided: str
    decided_by: str
    decision: int
    review_due: str
    ended: str | None
    terms: Terms


class KpiObservation(msgspec.Struct, frozen=True, kw_only=True):
    """What a KPI was from `started` to before `ended`, with its interval where one is known. `link` names the evidence,
    such as `test:ID`; `recorded` is when it was written down."""

    obs_id: str
    model: str
    kpi: str
    basis: Basis
    started: str
    ended: str
    value: float
    low: float | None
    high: float | None
    link: str | None
    note: str | None
    recorded: str
    recorded_by: str


def decide_objective(store: Store, model: str, terms: Terms, *, ended: bool = False, reason: str = "") -> Objective:
    """Make `terms` the next version of a model's objective, a decision in the ledger; with `ended` the last one.

    The same terms as now change nothing and are given back. NotFound for a model that is not there, InvalidInput for
    terms that cannot be.
    """
    check_terms(terms)
    if not store.query("registered_model", {"name": model}, limit=1):
        known = [row["name"] for row in store.query("registered_model", {"deleted": None})]
        close = nearest(model, known)
        hint = f"did you mean {close!r}?" if close else "`assay models`"
        raise NotFound(f"there is no model {model!r}", where=store.location, hint=hint)
    content = msgspec.to_builtins(terms)
    now = store.clock.latest()
    with store.transaction():
        before = objective_versions(store, model)
        newest = before[-1] if before else None
        hashed = digest(content)
        if newest is not None and newest.hash == hashed and (newest.ended is not None) == ended:
            return newest
        version = newest.version + 1 if newest else 1
        due = _first_review(terms, now)
        said: dict[str, object] = {"version": version, "hash": hashed, "statement": terms.statement}
        if terms.value is not None:
            said["value_matrix_version"] = terms.value.version
        said |= {"ended": True} if ended else {}
        said |= {"reason": reason} if reason else {}
        row: Row = {
            "objective_id": newest.objective_id if newest else new_id(),
            "version": version,
            "model": model,
            "statement": terms.statement,
            "kpi": terms.kpi.name,
            "direction": terms.kpi.direction,
            "target": terms.kpi.target,
            "floor": terms.kpi.floor,
            "owner": terms.owner,
            "review_due": iso(due),
            "hash": hashed,
            "detail": canonical_json(content),
            "value_matrix_version": terms.value.version if terms.value else None,
            "valid_until": terms.value.valid_until.isoformat() if terms.value else None,
            "ended": iso(now) if ended else None,
            "decision": decide(store, "objective", model, said),
        }
        store.append("objective", row)
        return objective_versions(store, model)[-1]


def objective_of(store: Store, model: str, at: datetime | None = None) -> Objective | None:
    """The objective that a model has, or had at a moment; None where it has none, or was retired."""
    known = [one for one in objective_versions(store, model) if at is None or moment(one.decided) <= at]
    return known[-1] if known and known[-1].ended is None else None


def find_objective(store: Store, model: str, at: datetime | None = None) -> Objective:
    """The same, NotFound where there is none."""
    found = objective_of(store, model, at)
    if found is None:
        close = nearest(model, [one.model for one in objectives(store)])
        raise NotFound(
            f"{model} has no objective" if at is None else f"{model} had no objective at {iso(at)[:16]}",
            where=store.location,
            hint=f"did you mean {close!r}?" if close else f"`assay objective new {model}` asks for one",
        )
    return found


def objective_versions(store: Store, model: str) -> list[Objective]:
    """All versions of a model's objective, oldest first."""
    return [_objective(row) for row in store.query("objective", {"model": model}, order_by=["version"])]


def objectives(store: Store) -> list[Objective]:
    """The objective of every model that has one now, by the models' names."""
    newest = {row["model"]: row for row in store.query("objective", order_by=["model", "version"])}
    return [_objective(row) for row in newest.values() if row["ended"] is None]


def kpi_observations(store: Store, model: str, *, kpi: str | None = None) -> list[KpiObservation]:
    """What the KPIs of a model were, in order of time; of one period and basis the one that was written last."""
    where = {"model": model} if kpi is None else {"model": model, "kpi": kpi}
    rows = store.query("kpi_obs", where, order_by=["ts", "obs_id"])
    last = {(row["kpi"], row["basis"], row["started"], row["ended"], row["link"]): row for row in rows}
    order = sorted(last.values(), key=lambda row: (row["started"], row["ended"], row["kpi"], row["basis"], row["ts"]))
    return [_observation(row) for row in order]


def newest_observation(seen: Sequence[KpiObservation]) -> KpiObservation | None:
    """The one of the latest span; of one span that on the strongest ground, measured before observed and estimated."""
    if not seen:
        return None
    return max(seen, key=lambda one: (one.ended, one.started, -BASES.index(one.basis), one.recorded))


def _first_review(terms: Terms, now: datetime) -> datetime:
    if terms.review_on is not None:
        return datetime.combine(terms.review_on, time(), UTC)
    return now + checked_length(terms.review_every, "review_every")


def _objective(row: Row) -> Objective:
    return Objective(
        objective_id=row["objective_id"],
        version=row["version"],
        model=row["model"],
        hash=row["hash"],
        decided=happened(row),
        decided_by=row["actor"],
        decision=row["decision"],
        review_due=row["review_due"],
        ended=row["ended"],
        terms=msgspec.convert(json.loads(row["detail"]), Terms),
    )


def _observation(row: Row) -> KpiObservation:
    return KpiObservation(
        obs_id=row["obs_id"],
        model=row["model"],
        kpi=row["kpi"],
        basis=row["basis"],
        started=row["started"],
        ended=row["ended"],
        value=row["value"],
        low=row["low"],
        high=row["high"],
        link=row["link"],
        note=row["note"],
        recorded=happened(row),
        recorded_by=row["actor"],
    )
