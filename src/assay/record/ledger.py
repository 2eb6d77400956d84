"""The ledger: decisions in a chain of hashes, so that an edited, removed or inserted entry is found.

`hash = SHA-256(prev_hash || canonical JSON of {seq, kind, body})`; the body holds who decided, when, and on what. The
database refuses to change or delete entries; `verify` finds what was done around it. Its limit: whoever owns the file
and rewrites the whole chain, its head and every record that names an entry leaves no trace in the store itself. That is
what signed checkpoints and anchors elsewhere are for: the room `audit`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.canonical import canonical_json, digest_bytes
from assay.record.clock import iso
from assay.record.decided import records_against
from assay.record.identity import Actor
from assay.record.store import Row, Store

__all__ = ["Entry", "Verification", "decide", "entries", "numbered", "serialise", "verify"]

GENESIS = "0" * 64


class Entry(msgspec.Struct, frozen=True):
    """One decision: its place in the chain, what it was about, who took it and when."""

    seq: int
    kind: str
    ts: str
    event_ts: str | None
    actor: str
    actor_kind: str
    subject: str
    detail: dict[str, object]
    hash: str


class Verification(msgspec.Struct, frozen=True):
    """Whether the chain holds, and the first thing that is wrong with each damaged entry."""

    sound: bool
    entries: int
    head: str
    problems: list[str]


def decide(store: Store, kind: str, subject: str, detail: Mapping[str, object], *, actor: Actor | None = None) -> int:
    """Append a decision and return its number. Inside a transaction it stands or falls with the rest of it."""
    who = actor or store.actor
    body = {
        "subject": subject,
        "detail": dict(detail),
        "actor": who.name,
        "actor_kind": who.kind,
        "ts": iso(store.clock.now()),
        "event_ts": iso(store.clock.event) if store.clock.event else None,
    }
    with store.transaction():
        serialise(store)
        head = _head(store)
        seq = head["seq"] + 1
        text = canonical_json(body)
        chained = _chained(head["hash"], seq, kind, text)
        store.append("ledger", {"seq": seq, "prev_hash": head["hash"], "hash": chained, "kind": kind, "body": text})
        store.amend("ledger_head", {"id": 1}, {"seq": seq, "hash": chained}, expect={"seq": head["seq"]})
    return int(seq)


def serialise(store: Store) -> None:
    """Inside a transaction: wait until no other writer numbers rows, and keep others waiting until the end.

    Changing nothing locks the head where writers do not exclude each other anyway (PostgreSQL).
    """
    store.amend("ledger_head", {"id": 1}, {"id": 1})


@operation("ledger list")
def entries(
    store: Store,
    *,
    kind: Annotated[str | None, "Only of this kind"] = None,
    limit: Annotated[int, "At most so many"] = 50,
) -> list[Entry]:
    """List decisions, newest first."""
    if limit < 1:
        raise InvalidInput(f"limit is {limit}", expected="1 or more")
    rows = store.query("ledger", {"kind": kind} if kind else {}, order_by=["-seq"], limit=limit)
    return [_entry(row) for row in rows]


def numbered(store: Store, numbers: Sequence[int]) -> dict[int, Entry]:
    """The decisions of these numbers; those that are not there are left out."""
    return {row["seq"]: _entry(row) for row in store.query("ledger", {"seq in": list(numbers)})}


def verify(store: Store) -> Verification:
    """Check the chain of decisions from the first entry to the last, and what rests on them.

    Records that name a decision (verdicts, promotions, routes, releases, online tests) find it, and agree with it on
    what was decided from.
    """
    problems: list[str] = []
    rows = store.query("ledger", order_by=["seq"])
    previous, expected = GENESIS, 1
    for row in rows:
        problems += _problems(row, previous, expected)
        previous, expected = row["hash"], row["seq"] + 1
    last = rows[-1]["seq"] if rows else 0
    heads = store.query("ledger_head", {"id": 1})
    if not heads:
        problems.append(f"nothing tells where the chain was last known to end; it ends at entry {last}")
    elif heads[0]["seq"] != last or heads[0]["hash"] != previous:
        problems.append(f"the chain ends at entry {last}, it was last known to end at entry {heads[0]['seq']}")
    problems += records_against(store, {row["seq"]: row for row in rows})
    return Verification(sound=not problems, entries=len(rows), head=previous, problems=sorted(set(problems)))


def _problems(row: Row, previous: str, expected: int) -> list[str]:
    found = []
    if row["seq"] != expected:
        found.append(f"entry {expected} is missing before entry {row['seq']}")
    if row["prev_hash"] != previous:
        found.append(f"entry {row['seq']} does not follow the entry before it")
    if row["hash"] != _chained(row["prev_hash"], row["seq"], row["kind"], row["body"]):
        found.append(f"entry {row['seq']} was edited: its content does not match its hash")
    return found


def _chained(previous: str, seq: int, kind: str, body: str) -> str:
    return digest_bytes(f"{previous}{canonical_json({'seq': seq, 'kind': kind, 'body': body})}".encode())


def _head(store: Store) -> Row:
    return store.get("ledger_head", {"id": 1})


def _entry(row: Row) -> Entry:
    body = json.loads(row["body"])
    return Entry(seq=row["seq"], kind=row["kind"], hash=row["hash"], **body)
