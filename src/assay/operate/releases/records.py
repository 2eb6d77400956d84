"""Releases as they stand in the store: one row each, and an event for each decision with all it was made from."""

from typing import Literal

import msgspec

from assay.errors import NotFound, nearest
from assay.operate.releases.counts import Baseline, Counts
from assay.operate.releases.deciding import Decision, Inputs
from assay.operate.releases.evidence import Phase
from assay.operate.releases.rules import Rules
from assay.operate.releases.strategy import Step
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.models.routes import Variant
from assay.record.store import Row, Store

__all__ = [
    "CHALLENGER",
    "LIVE",
    "Detail",
    "Event",
    "EventKind",
    "Look",
    "PhaseRecord",
    "Rollout",
    "add_event",
    "event_of",
    "events_of",
    "find_rollout",
    "open_rollout",
    "phases_with",
    "rollout_of",
    "save",
]

CHALLENGER = "challenger"
LIVE = ("running", "held")
Status = Literal["running", "held", "promoted", "rolled_back", "stopped"]
EventKind = Literal["start", "advance", "hold", "resume", "rollback", "promote", "stop"]


class PhaseRecord(msgspec.Struct, frozen=True):
    """A period of constant shares; `ended` is None while it lasts."""

    phase: int
    step: int
    revision: int
    started: str
    coverage: int
    ended: str | None = None
    settled: bool = False


class Look(msgspec.Struct, frozen=True):
    """What the last tick that saw something new found."""

    inputs: Inputs
    decision: Decision


class Detail(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a release is made of and how far it is. `unproven` is what the gate had against it when it began."""

    rules: Rules
    steps: tuple[Step, ...]
    champion: Variant
    challenger: Variant
    salt: str
    phases: tuple[PhaseRecord, ...]
    version: int
    champion_version: int
    override: str | None = None
    unproven: str | None = None
    baseline: Baseline = Baseline()
    test_id: str | None = None
    look: Look | None = None


class Rollout(msgspec.Struct, frozen=True):
    """A release: of which version at which endpoint, by which strategy, and how it stands."""

    rollout_id: str
    endpoint: str
    model: str
    strategy: str
    status: Status
    step: int
    started: str
    ended: str | None
    reason: str | None
    decision: int
    detail: Detail

    @property
    def now(self) -> PhaseRecord:
        """The phase that runs, or the last one."""
        return self.detail.phases[-1]

    @property
    def step_name(self) -> str:
        """What the step is called."""
        return self.detail.steps[self.step].name


class Event(msgspec.Struct, frozen=True):
    """A decision about a release. Those of a person have no inputs; `ledger` is its number where the route changed."""

    seq: int
    kind: EventKind
    step: int
    ts: str
    actor: str
    ledger: int | None
    inputs: Inputs | None
    decision: Decision | None
    reason: str


class _EventDetail(msgspec.Struct, omit_defaults=True):
    reason: str
    decision: Decision | None = None


def rollout_of(row: Row) -> Rollout:
    """The release that a row of the table says."""
    detail = msgspec.json.decode(row["detail"], type=Detail)
    fields = [name for name in Rollout.__struct_fields__ if name != "detail"]
    return Rollout(**{name: row[name] for name in fields}, detail=detail)


def find_rollout(store: Store, name: str) -> Rollout:
    """The release with an id that begins so, or the newest one at an endpoint of that name."""
    rows = store.query("rollout", {"rollout_id prefix": name}, order_by=["-started"], limit=2)
    if len(rows) != 1 or len(name) < 4:
        rows = store.query("rollout", {"endpoint": name}, order_by=["-started"], limit=1) or rows[:1]
    if not rows:
        endpoints = sorted({row["endpoint"] for row in store.query("rollout")})
        close = nearest(name, endpoints)
        raise NotFound(
            f"there is no release {name!r}",
            where=store.location,
            expected="an endpoint, or the first characters of a release's id",
            hint=f"did you mean {close!r}?" if close else "assay release ENDPOINT VERSION begins one",
        )
    return rollout_of(rows[0])


def open_rollout(store: Store, endpoint: str) -> Rollout | None:
    """The release that runs or is held at the endpoint, None where none does."""
    rows = store.query("rollout", {"endpoint": endpoint, "status in": list(LIVE)}, order_by=["-started"], limit=1)
    return rollout_of(rows[0]) if rows else None


def events_of(store: Store, rollout_id: str) -> list[Event]:
    """The decisions about a release, first to last."""
    return [event_of(row) for row in store.query("rollout_event", {"rollout_id": rollout_id}, order_by=["seq"])]


def event_of(row: Row) -> Event:
    """The event that a row of the table says."""
    detail = msgspec.json.decode(row["detail"], type=_EventDetail)
    inputs = msgspec.json.decode(row["inputs"], type=Inputs | None)
    return Event(
        seq=row["seq"],
        kind=row["kind"],
        step=row["step"],
        ts=row["ts"],
        actor=row["actor"],
        ledger=row["decision"],
        inputs=inputs,
        decision=detail.decision,
        reason=detail.reason,
    )


def add_event(
    store: Store,
    rollout_id: str,
    kind: EventKind,
    step: int,
    reason: str,
    *,
    inputs: Inputs | None = None,
    decision: Decision | None = None,
    ledger: int | None = None,
) -> Event:
    """Append an event; call it within the transaction of what was decided."""
    last = store.query("rollout_event", {"rollout_id": rollout_id}, order_by=["-seq"], limit=1)
    row: dict[str, object] = {
        "rollout_id": rollout_id,
        "seq": last[0]["seq"] + 1 if last else 1,
        "kind": kind,
        "step": step,
        "inputs": canonical_json(msgspec.to_builtins(inputs)),
        "detail": canonical_json(msgspec.to_builtins(_EventDetail(reason, decision))),
        "decision": ledger,
    }
    store.append("rollout_event", row)
    return event_of(store.get("rollout_event", {"rollout_id": rollout_id, "seq": row["seq"]}))


def save(store: Store, before: Rollout, **changes: object) -> Rollout:
    """Write a release as it is now; Conflict where somebody moved it on since `before` was read."""
    now: Rollout = msgspec.structs.replace(before, **changes)
    row = {
        "status": now.status,
        "step": now.step,
        "ended": now.ended,
        "reason": now.reason,
        "detail": canonical_json(msgspec.to_builtins(now.detail)),
    }
    if before.status in LIVE and now.status not in LIVE:
        row["ended"] = iso(store.clock.now())
    expect = {"status": before.status, "step": before.step}
    store.amend("rollout", {"rollout_id": before.rollout_id}, row, expect=expect)
    return msgspec.structs.replace(now, ended=row["ended"])


def phases_with(rollout: Rollout, counts: dict[int, Counts]) -> tuple[Phase, ...]:
    """The phases of a release with what was counted in each, as decisions look at them."""
    return tuple(
        Phase(
            phase=one.phase,
            step=one.step,
            revision=one.revision,
            started=one.started,
            coverage=one.coverage,
            counts=counts[one.phase],
            settled=one.settled,
        )
        for one in rollout.detail.phases
    )
