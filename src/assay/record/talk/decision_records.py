"""Decision records: why something was decided so (MADR 4), who decided, on what evidence. Nothing of one is changed.

Each is an entry of the ledger, which holds the hash of all that it says; evidence is kept with the hash of what it was
then. A newer record may take the place of an older one.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from assay.errors import Conflict, InvalidInput, NotFound, nearest
from assay.record import ledger
from assay.record.canonical import canonical_json
from assay.record.clock import happened, iso, moment
from assay.record.decided import hash_of_record
from assay.record.identity import new_id
from assay.record.lengths import checked_length
from assay.record.short_ids import only_row
from assay.record.store import Row, Store
from assay.record.talk.spreading import announce
from assay.record.talk.subjects import Subject, spelled, subject_by_id

__all__ = [
    "KINDS",
    "DecisionRecord",
    "Evidence",
    "Madr",
    "evidence_of",
    "find_record",
    "put_record",
    "record_of",
    "review_date",
]

KINDS = (
    "decision",
    "data_choice",
    "design_choice",
    "exception",
    "metric_choice",
    "model_choice",
    "not_applicable",
    "post_mortem",
    "retirement",
    "retraining",
    "risk",
)


class Evidence(msgspec.Struct, frozen=True):
    """A record that a decision rests on, with the hash of what it held then.

    `state` says how it is now: unchanged, changed since, or gone.
    """

    subject: str
    kind: str
    id: str
    content: str
    state: str = "unchanged"


class Madr(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision record says, by the names of MADR 4. `options` are those that were considered."""

    context: str
    drivers: list[str] = []
    options: list[str] = []
    outcome: str
    consequences: str | None = None
    confirmation: str | None = None
    deciders: list[str] = []
    consulted: list[str] = []
    informed: list[str] = []
    evidence: list[Evidence] = []
    from_comment: str | None = None


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A decision record. `status` is accepted, or superseded where a newer one, `superseded_by`, took its place.

    `decision` is its number in the ledger, `hash` that of all it says. `overdue`: its review date has passed.
    """

    record_id: str
    decision: int
    title: str
    kind: str
    status: str
    subject: str | None
    model: str | None
    said: Madr
    actor: str
    when: str
    review_due: str | None
    overdue: bool
    supersedes: str | None
    superseded_by: str | None
    hash: str


def put_record(
    store: Store,
    title: str,
    kind: str,
    said: Madr,
    *,
    about: Subject | None,
    review_due: datetime | None,
    supersedes: DecisionRecord | None = None,
    origin: Mapping[str, object] | None = None,
) -> DecisionRecord:
    """Keep a decision record with its entry in the ledger, and tell those who are to be informed or were consulted.

    `origin` is what another store says of one that was brought over. Conflict where what it supersedes was already.
    """
    if kind not in KINDS:
        close = nearest(kind, list(KINDS))
        hint = f"did you mean {close!r}?" if close else None
        raise InvalidInput(f"no decision is of kind {kind!r}", expected=", ".join(KINDS), hint=hint)
    with store.transaction():
        if supersedes is not None and supersedes.superseded_by is not None:
            raise Conflict(
                f"{supersedes.title!r} was superseded already",
                hint=f"supersede {supersedes.superseded_by[:8]}, which took its place",
            )
        row: Row = {
            "record_id": str(origin["record_id"]) if origin else new_id(),
            "title": title,
            "kind": kind,
            "status": "accepted",
            "detail": canonical_json(msgspec.to_builtins(said)),
            "model": about.model if about else None,
            "subject_kind": about.kind if about else None,
            "subject_id": about.id if about else None,
            "review_due": iso(review_due) if review_due else None,
            "supersedes": supersedes.record_id if supersedes else None,
            "origin": str(origin["record_id"]) if origin else None,
        }
        detail: dict[str, object] = {
            "record": row["record_id"],
            "hash": hash_of_record(row),
            "title": title,
            "about": kind,
        }
        detail |= {"supersedes": row["supersedes"]} if supersedes else {}
        if origin is not None:
            detail |= {"imported": True, "actor": origin["actor"], "ts": origin["ts"]}
            row |= {name: origin[name] for name in ("actor", "actor_kind", "ts", "event_ts")} | {"source": "imported"}
        row["decision"] = ledger.decide(store, "decision_record", about.text if about else title, detail)
        store.append("decision_record", row)
        if origin is None:
            _tell(store, row, said, about)
        return record_of(store, store.get("decision_record", {"record_id": row["record_id"]}))


def find_record(store: Store, which: str) -> Row:
    """The row of a decision record, by the beginning of its id or its number in the ledger (`12` or `decision:12`)."""
    name = which.strip().removeprefix("decision:").removeprefix("record:")
    if name.isdecimal() and len(name) < 8:  # shorter than the ids that are shown
        rows = store.query("decision_record", {"decision": int(name)})
        if rows:
            return rows[0]
        entry = ledger.numbered(store, [int(name)]).get(int(name))
        if entry is not None:
            raise NotFound(
                f"decision {name} of the ledger is a {entry.kind}, no decision record", hint="`assay decide ls`"
            )
    said = {"one": "decision record", "several": "decision records", "hint": "`assay decide ls`"}
    return only_row(store, "decision_record", "record_id", name, **said)


def record_of(store: Store, row: Row) -> DecisionRecord:
    """The decision record of a row, with how its evidence is now."""
    said = msgspec.convert(json.loads(row["detail"]), Madr)
    later = store.query("decision_record", {"supersedes": row["record_id"]}, order_by=["decision"], limit=1)
    due = row["review_due"]
    is_late = bool(due) and not later and moment(due) < store.clock.latest()
    return DecisionRecord(
        record_id=row["record_id"],
        decision=row["decision"],
        title=row["title"],
        kind=row["kind"],
        status="superseded" if later else row["status"],
        subject=_spelled(store, row),
        model=row["model"],
        said=msgspec.structs.replace(said, evidence=[_now(store, one) for one in said.evidence]),
        actor=row["actor"],
        when=happened(row),
        review_due=due,
        overdue=is_late,
        supersedes=row["supersedes"],
        superseded_by=later[0]["record_id"] if later else None,
        hash=hash_of_record(row),
    )


def evidence_of(subjects: Sequence[Subject]) -> list[Evidence]:
    """Records as evidence, each once, with the hash of what they hold now."""
    found = {(one.kind, one.id): Evidence(one.text, one.kind, one.id, one.content) for one in subjects}
    return list(found.values())


def review_date(store: Store, text: str) -> datetime:
    """When a decision is to be looked at again: so long from now, such as 90d."""
    return store.clock.latest() + checked_length(text, "--review", zero=False)


def _now(store: Store, one: Evidence) -> Evidence:
    found = subject_by_id(store, one.kind, one.id)
    state = "gone" if found is None else "unchanged" if found.content == one.content else "changed since"
    return msgspec.structs.replace(one, state=state)


def _spelled(store: Store, row: Row) -> str | None:
    return spelled(store, row["subject_kind"], row["subject_id"]) if row["subject_kind"] else None


def _tell(store: Store, row: Row, said: Madr, about: Subject | None) -> None:
    people = [name for name in dict.fromkeys([*said.informed, *said.consulted]) if name != store.actor.name]
    message = f"{store.actor.name} recorded a decision{f' about {about.text}' if about else ''}: {row['title']}"
    data = {
        "message": message,
        "model": row["model"],
        "severity": "info",
        "subject_kind": "record",
        "subject_id": row["record_id"],
        "people": [name for name in people if not name.startswith("role:")],
        "roles": [name.removeprefix("role:") for name in people if name.startswith("role:")],
        "page": f"/records/{row['record_id']}",
    }
    announce(store, "decision.recorded", data)
