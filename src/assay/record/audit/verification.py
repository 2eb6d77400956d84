"""Is the ledger what it was? The chain, who signed it, where it was anchored, and up to when it can be verified.

The chain shows what was done to single entries. Who owns the store can rewrite all of it: that is shown by what was
signed with a key that they do not hold, and by what was said of it elsewhere. The table of anchors is in the store too,
so places are read themselves where they are named.
"""

import base64
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record import ledger
from assay.record.audit.anchor_places import Anchor, is_time, read_anchors
from assay.record.audit.keys import ED25519, keys_by_id
from assay.record.audit.personal import personal_problems
from assay.record.audit.proofs import Chain, anchor_said, checkpoint_problems, key_id, read, signature_problems
from assay.record.audit.signatures import contents_now
from assay.record.audit.time_stamps import stamped, wrong_stamp
from assay.record.clock import iso, moment
from assay.record.store import Row, Store

__all__ = ["LedgerCheck", "last_anchor", "verify"]

RECENT = timedelta(days=7)  # maturity rule LEDGER-1
SKEW = 300  # seconds that clocks may differ: an anchor of a day to come is no recent one


class LedgerCheck(msgspec.Struct, frozen=True):
    """Whether the ledger holds, and since when nobody can have changed it unnoticed.

    `verifiable_up_to` is when the newest anchor that agrees was made and `verifiable_entries` how many entries it
    covers; `outside` says that it was read where it was said. `anchor_age_days` counts from the last anchor, `recent`
    (LEDGER-1): the ledger is sound and that was at most 7 days ago.
    """

    sound: bool
    entries: int
    head: str
    problems: list[str]
    notes: list[str]
    checkpoints: int
    signed_entries: int
    anchors: int
    verifiable_up_to: str | None
    verifiable_entries: int
    outside: bool
    anchor_age_days: float | None
    recent: bool
    signatures: int


@operation("ledger verify", local_options=("anchors", "tsa_certificate"))
def verify(
    store: Store,
    *,
    anchors: Annotated[list[str], "A file or a git repository with anchors, which is read itself"] = [],  # noqa: B006
    trust: Annotated[list[str], "A public key that you got from its holder: who else signed counts for nothing"] = [],  # noqa: B006
    tsa_certificate: Annotated[str | None, "PEM file of the time stamping authorities that you trust"] = None,
) -> LedgerCheck:
    """Check the chain of decisions, who signed it, where it was anchored, and what rests on it.

    Records that name a decision (verdicts, promotions, routes, releases, online tests) find it, and agree with it on
    what was decided from. Without --anchors only what the store itself says of its anchors is looked at.

    Raises InvalidInput where no anchor can be read in a place that was named.
    """
    found = ledger.verify(store)
    rows = store.query("ledger", order_by=["seq"])
    chain, keys = Chain([row["hash"] for row in rows]), keys_by_id(store)
    problems, notes = list(found.problems), list[str]()
    problems += _key_problems(keys, rows)
    checkpoints = store.query("ledger_checkpoint", order_by=["seq", "checkpoint_id"])
    wrong = checkpoint_problems(checkpoints, keys, chain)
    problems += wrong
    counting = [row["seq"] for row in checkpoints if not trust or row["key_id"] in _trusted(trust)]
    if trust and not counting:  # who rewrites the chain takes checkpoints out, and makes a key of their own
        problems.append("no key that you trust signed the chain")
    signed = 0 if wrong else max(counting, default=0)
    recorded = store.query("ledger_anchor", order_by=["seq", "anchor_id"])
    problems += _stamp_problems(recorded, tsa_certificate, notes)
    altered = [row["seq"] for row in recorded if not _whole(row)]
    problems += [f"the anchor of entry {seq} on record is not what was said" for seq in altered]
    inside = [Anchor(anchor_said(row), row["place"]) for row in recorded if _whole(row)]
    good, rewritten = _agreeing(inside, chain)
    problems += rewritten
    if anchors:
        said = _outside(anchors)
        good, rewritten = _agreeing(said, chain)
        problems += rewritten
    signatures = store.query("signature", order_by=["signature_id"])
    ours = [row for row in signatures if keys.get(row["key_id"], {}).get("algorithm", ED25519) == ED25519]
    problems += signature_problems(ours, keys, contents_now(store, ours))
    problems += personal_problems(store, rows)
    age = (store.clock.latest() - moment(good.said["time"])).total_seconds() / 86_400 if good else None
    notes += _advice(found.entries, good, signed, bool(anchors))
    return LedgerCheck(
        sound=not problems,
        entries=found.entries,
        head=found.head,
        problems=list(dict.fromkeys(problems)),
        notes=notes,
        checkpoints=len(checkpoints),
        signed_entries=signed,
        anchors=len(said) if anchors else len(inside),
        verifiable_up_to=good.said["time"] if good else None,
        verifiable_entries=good.said["seq"] if good else 0,
        outside=bool(anchors),
        anchor_age_days=round(age, 3) if age is not None else None,
        recent=not problems and age is not None and -SKEW <= age * 86_400 <= RECENT.total_seconds(),
        signatures=len(signatures),
    )


def last_anchor(store: Store) -> Row | None:
    """The newest anchor on record whose entry still has the hash that was anchored; cheap, for pages."""
    for row in store.query("ledger_anchor", {}, order_by=["-seq", "-anchor_id"], limit=20):
        if _whole(row) and store.query("ledger", {"seq": row["seq"], "hash": row["hash"]}):
            return row
    return None


def _whole(row: Row) -> bool:
    said = anchor_said(row)
    return (said.get("seq"), said.get("hash")) == (row["seq"], row["hash"]) and is_time(said.get("time"))


def _outside(places: Sequence[str]) -> list[Anchor]:
    found = []
    for place in places:
        read = read_anchors(place)
        if not read:  # that nothing was found must not look as if nothing were wrong
            raise InvalidInput(f"there is no anchor in {place}", expected="what `assay ledger anchor` wrote")
        found += read
    return sorted(found, key=lambda one: int(one.said.get("seq", 0)))


def _agreeing(said: Sequence[Anchor], chain: Chain) -> tuple[Anchor | None, list[str]]:
    """The last anchor that agrees before any that does not, and where the chain was rewritten."""
    good: Anchor | None = None
    for one in said:
        wrong = chain.disagrees(one.said)
        if wrong is None:
            good = one
            continue
        since = "no anchor before it agrees"
        if good:
            since = f"entries up to {good.said['seq']} are those anchored at {good.said['time']}"
        where = f"anchor of entry {one.said.get('seq')} at {one.said.get('time')} in {one.place}"
        return good, [f"the chain was rewritten before the {where}: {wrong}; {since}"]
    return good, []


def _key_problems(keys: dict[str, Row], rows: Sequence[Row]) -> list[str]:
    """Keys on record are those of the ledger: nobody slips one in, or lets one count again."""
    made: dict[str, Any] = {}
    revoked: dict[str, str] = {}
    for row in rows:
        if row["kind"] not in ("signing_key", "key_revoked"):
            continue
        try:
            body = json.loads(row["body"])
            if row["kind"] == "signing_key":
                made[body["subject"]] = body["detail"]
            else:
                revoked[body["subject"]] = body["detail"]["revoked"]
        except (ValueError, KeyError, TypeError):
            continue  # an edited entry, which the chain tells
    found = []
    for name, key in keys.items():
        if any(made.get(name, {}).get(part) != key[part] for part in ("algorithm", "public_key", "holder")):
            found.append(f"key {name[:12]} is not the one that the ledger says was made")
        if revoked.get(name) != key["revoked"]:
            found.append(f"whether key {name[:12]} was revoked is not what the ledger says")
    return found


def _stamp_problems(recorded: Sequence[Row], roots: str | None, notes: list[str]) -> list[str]:
    stamps = [row for row in recorded if row["kind"] == "rfc3161"]
    if stamps and roots is None:
        notes.append(f"{len(stamps)} time stamps: --tsa-certificate FILE checks who made them")
        return []
    found = []
    for row in stamps:
        proof = read(row["proof"])
        answer, text = _bytes(str(proof.get("answer"))), str(proof.get("text")).encode()
        wrong = wrong_stamp(answer, text, Path(str(roots)))
        time = stamped(answer, text)
        if wrong or time is None:
            found.append(f"the time stamp of entry {row['seq']} by {row['place']} does not hold: {wrong}")
        else:
            notes.append(f"entries 1 to {row['seq']} were there at {iso(time)}, says {row['place']}")
    return found


def _trusted(keys: Sequence[str]) -> set[str]:
    try:
        return {key_id(key) for key in keys}
    except ValueError:
        raise InvalidInput("a key that you trust is none", expected="its 64 hexadecimal digits") from None


def _bytes(text: str) -> bytes:
    """What base64 stands for; nothing, which is no time stamp, where somebody made the text unreadable."""
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""


def _advice(entries: int, good: Anchor | None, signed: int, outside: bool) -> list[str]:
    if not entries:
        return []
    if good is None:
        return ["no anchor: whoever owns the store could rewrite the whole chain unnoticed; `assay ledger anchor`"]
    said = [] if outside else ["anchors are as the store itself says; --anchors PLACE reads them where they were said"]
    return said if signed else [*said, "nobody signed the chain; `assay ledger checkpoint`"]
