"""What vouches for the ledger: the chain of hashes, signed checkpoints, anchors, people's signatures, commitments.

The store and the script in an audit bundle check them by the same functions, with nothing but the standard library. A
row is a dictionary as JSON has it.
"""

import bisect
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from assay.record.audit.ed25519 import is_signed

__all__ = [
    "GENESIS",
    "Chain",
    "Rows",
    "anchor_said",
    "bundle_text",
    "canonical",
    "checkpoint_problems",
    "commitment",
    "key_id",
    "read",
    "sha256",
    "signature_problems",
    "signed_text",
    "unsigned",
]

Rows = Sequence[Mapping[str, Any]]

GENESIS = "0" * 64
SIGNATURE_FIELDS = ("subject_kind", "subject_id", "content_hash", "key_id", "actor", "ts", "event_ts")


def canonical(value: object) -> str:
    """Sorted keys, no white space, UTF-8 as is: what hashes and signatures are made of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def key_id(public_key: str) -> str:
    """How a key is named: the first 32 digits of the hash of its public half, which is given in hexadecimal."""
    return sha256(bytes.fromhex(public_key))[:32]


def commitment(salt: str, value: str) -> str:
    """What the chain holds of a value that is kept outside of it: nobody finds the value without the salt."""
    return sha256(canonical([salt, value]).encode())


class Chain:
    """The hashes of all entries from the first one on, and what somebody once said of them."""

    def __init__(self, hashes: Sequence[str]) -> None:
        self.hashes = hashes
        self._ends, self._states = [0], [hashlib.sha256()]  # one pass for any number of checkpoints

    def said(self, seq: int) -> dict[str, object]:
        """What can be said of the chain up to an entry: its number and hash, how many there are, and all hashes."""
        return {"seq": seq, "hash": self.hashes[seq - 1], "count": seq, "hashes": self._all(seq)}

    def disagrees(self, said: Mapping[str, Any]) -> str | None:
        """Why the chain is not the one of which this was said; None where it is."""
        seq = said.get("seq")
        if not isinstance(seq, int) or seq < 1 or said.get("count") != seq:
            return "it names no entry"
        if seq > len(self.hashes):
            return f"entry {seq} was there then, and the chain now ends at {len(self.hashes)}"
        if said.get("hash") != self.hashes[seq - 1]:
            return f"entry {seq} had another hash then"
        return None if said.get("hashes") == self._all(seq) else f"entries before {seq} had other hashes then"

    def _all(self, seq: int) -> str:
        place = bisect.bisect_right(self._ends, seq)
        end, state = self._ends[place - 1], self._states[place - 1]
        if end < seq:
            state = state.copy()
            state.update("".join(self.hashes[end:seq]).encode())
            self._ends.insert(place, seq)
            self._states.insert(place, state)
        return state.hexdigest()


def checkpoint_problems(rows: Rows, keys: Mapping[str, Mapping[str, Any]], chain: Chain) -> list[str]:
    """What is wrong with signed checkpoints; the signed text counts, the columns beside it have to say the same."""
    found = []
    for row in rows:
        name = f"checkpoint of entry {row['seq']}"
        said = read(row["content"])
        if any(said.get(field) != row[field] for field in ("seq", "hash", "count", "key_id")):
            found.append(f"{name} is not what was signed")
        elif said.get("purpose") != "assay ledger checkpoint":
            found.append(f"{name} was signed as something else")
        else:
            wrong = unsigned(keys.get(row["key_id"]), row["content"], row["signature"], str(said.get("time")))
            wrong = wrong or chain.disagrees(said)
            found += [f"{name}: {wrong}"] if wrong else []
    return found


def signed_text(row: Mapping[str, Any]) -> str:
    """What a person signs of a record: which one, the hash of its content, who, and when."""
    return canonical({"purpose": "assay signature", **{field: row[field] for field in SIGNATURE_FIELDS}})


def signature_problems(
    rows: Rows, keys: Mapping[str, Mapping[str, Any]], contents: Mapping[tuple[str, str], str]
) -> list[str]:
    """What is wrong with people's signatures; `contents` are hashes by kind and id of the records that are here."""
    found = []
    for row in rows:
        name = f"signature of {row['actor']} on {row['subject_kind']} {row['subject_id'][:12]}"
        now = contents.get((row["subject_kind"], row["subject_id"]), row["content_hash"])
        wrong = unsigned(keys.get(row["key_id"]), signed_text(row), row["signature"], row["event_ts"] or row["ts"])
        if wrong is None and now != row["content_hash"]:
            wrong = "the record is not what was signed"
        found += [f"{name}: {wrong}"] if wrong else []
    return found


def unsigned(key: Mapping[str, Any] | None, text: str, signature: str, time: str) -> str | None:
    """Why the text does not count as signed at that time by the key; None where it does."""
    if key is None:
        return "its key is not known"
    try:
        public, signed = bytes.fromhex(key["public_key"]), bytes.fromhex(signature)
    except ValueError:
        return "the key or the signature is no hexadecimal number"
    if key_id(key["public_key"]) != key["key_id"]:
        return f"key {key['key_id'][:12]} is another one than it is named after"
    if key["revoked"] and time >= key["revoked"]:
        return f"key {key['key_id'][:12]} was revoked before"
    if signed.hex() != signature:  # the same signature in other letters is another text
        return "the signature is not in its one form"
    return None if is_signed(public, text.encode(), signed) else "the signature does not belong to it"


def read(text: str) -> dict[str, Any]:
    """The object in a JSON text; an empty one for anything else, which then agrees with nothing."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def anchor_said(row: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of the chain when it was anchored, as the row has it."""
    return read(str(read(row["proof"]).get("text")))


def bundle_text(manifest: bytes, key: str) -> str:
    """What is signed of a bundle."""
    return canonical({"purpose": "assay audit bundle", "manifest": sha256(manifest), "key_id": key})
