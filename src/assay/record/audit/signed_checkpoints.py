"""Signed checkpoints: up to this entry the chain was this, says who holds the key.

All hashes so far are signed as one, so that a part of the ledger can be shown to belong to it without the rest.
"""

from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.audit.keys import signer
from assay.record.audit.proofs import Chain
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import ordered_id
from assay.record.ledger import verify
from assay.record.store import Row, Store

__all__ = ["Checkpoint", "chain_of", "checkpoint", "said_now"]


class Checkpoint(msgspec.Struct, frozen=True):
    """What was signed: entries 1 to `seq`, of which the last has that hash."""

    checkpoint_id: str
    seq: int
    hash: str
    count: int
    key_id: str
    holder: str
    ts: str


@operation("ledger checkpoint", local=True)
def checkpoint(
    store: Store,
    *,
    key: Annotated[str | None, "File of your private key; else what ASSAY_SIGNING_KEY says"] = None,
) -> Checkpoint:
    """Sign the chain of decisions as it stands, after checking that it holds.

    Raises InvalidInput where it does not, or there is nothing to sign yet.
    """
    signing = signer(store, key)
    with store.transaction():
        said, now = said_now(store), iso(store.clock.latest())
        content = canonical_json({"purpose": "assay ledger checkpoint", **said, "time": now, "key_id": signing.key_id})
        row: Row = {
            "checkpoint_id": ordered_id(),
            "seq": said["seq"],
            "hash": said["hash"],
            "count": said["count"],
            "key_id": signing.key_id,
            "signature": signing.sign(content),
            "content": content,
        }
        store.append("ledger_checkpoint", row)
        holder = store.get("signing_key", {"key_id": signing.key_id})["holder"]
    names = ("checkpoint_id", "seq", "hash", "count", "key_id")
    return Checkpoint(**{name: row[name] for name in names}, holder=holder, ts=now)


def said_now(store: Store) -> dict[str, object]:
    """What can be said of the chain as it stands; InvalidInput where it does not hold: nobody vouches for that."""
    found = verify(store)
    if not found.sound:
        raise InvalidInput(
            f"the chain does not hold: {found.problems[0]}", where=store.location, hint="`assay ledger verify`"
        )
    if not found.entries:
        raise InvalidInput("nothing was decided yet", where=store.location, expected="a ledger with entries")
    return chain_of(store).said(found.entries)


def chain_of(store: Store) -> Chain:
    """The hashes of all entries."""
    return Chain([row["hash"] for row in store.query("ledger", order_by=["seq"])])
