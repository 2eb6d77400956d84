"""Anchors: what the chain was, said where the writer of the store cannot reach. Rewriting before one is found out."""

import base64
from pathlib import Path
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, Refused
from assay.operation import operation
from assay.record.audit.anchor_places import PURPOSE, append_line, commit_line, read_anchors
from assay.record.audit.keys import outside
from assay.record.audit.signed_checkpoints import chain_of, said_now
from assay.record.audit.time_stamps import stamp
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import ordered_id
from assay.record.store import Row, Store

__all__ = ["LedgerAnchor", "anchor"]


class LedgerAnchor(msgspec.Struct, frozen=True):
    """An anchor: entries 1 to `seq`, of which the last has that hash; `place` is where it was said."""

    anchor_id: str
    kind: str
    place: str
    seq: int
    hash: str
    ts: str
    checkpoint_id: str | None


@operation("ledger anchor", local=True)
def anchor(
    store: Store,
    *,
    git: Annotated[str | None, "A git repository: the anchor is a commit there"] = None,
    push: Annotated[bool, "Push that commit to where its branch is pushed to"] = False,
    file: Annotated[str | None, "A file elsewhere: the anchor is a line at its end"] = None,
    tsa: Annotated[str | None, "Address of a time stamping authority (RFC 3161): it signs hash and time"] = None,
) -> list[LedgerAnchor]:
    """Say what the chain of decisions is where whoever writes the store cannot reach, after checking that it holds.

    Raises InvalidInput where the chain does not hold or no place is named, Refused where the place holds anchors that
    are not of this chain: somebody rewrote it, or they are another ledger's.
    """
    if not (git or file or tsa):
        raise InvalidInput("no place is named", expected="--git REPOSITORY, --file PATH, or --tsa URL")
    if push and not git:
        raise InvalidInput("only a commit is pushed", expected="--push with --git REPOSITORY")
    said, now = said_now(store), iso(store.clock.latest())
    text = canonical_json({"purpose": PURPOSE, **said, "time": now})
    shown = f"entry {said['seq']}, {str(said['hash'])[:16]}"
    made = []
    if file:
        path = outside(store, file, "anchors")
        _refuse_others(store, path)
        made.append(_kept(store, "file", append_line(path, text), {"text": text}, now))
    if git:
        path = outside(store, git, "anchors")
        _refuse_others(store, path)
        commit = commit_line(path, text, shown, push=push)
        made.append(_kept(store, "git", str(path), {"text": text, "commit": commit}, now))
    if tsa:
        answer = base64.b64encode(stamp(tsa, text.encode())).decode()
        made.append(_kept(store, "rfc3161", tsa, {"text": text, "answer": answer}, now))
    return made


def _refuse_others(store: Store, place: Path) -> None:
    """A line more would hide that those before it say something else."""
    if not place.exists():
        return
    chain = chain_of(store)
    for one in read_anchors(str(place)):
        wrong = chain.disagrees(one.said)
        if wrong:
            raise Refused(
                f"the anchor in {one.place} is not of this chain: {wrong}",
                expected="a place for this ledger alone, of which nobody rewrote an entry",
                hint=f"assay ledger verify --anchors {place}",
            )


def _kept(store: Store, kind: str, place: str, proof: dict[str, str], now: str) -> LedgerAnchor:
    said = msgspec.json.decode(proof["text"], type=dict[str, int | str])
    signed = store.query("ledger_checkpoint", {"seq": said["seq"], "hash": said["hash"]}, order_by=["checkpoint_id"])
    row: Row = {
        "anchor_id": ordered_id(),
        "kind": kind,
        "place": place,
        "seq": said["seq"],
        "hash": said["hash"],
        "checkpoint_id": signed[-1]["checkpoint_id"] if signed else None,
        "proof": canonical_json(proof),
    }
    store.append("ledger_anchor", row)
    return LedgerAnchor(**{name: row[name] for name in LedgerAnchor.__struct_fields__ if name != "ts"}, ts=now)
