"""Personal data outside of the chain: a decision holds a reference, the value stands in a table and can be erased.

The reference is a commitment: a hash of the value and of 256 random bits. With it the chain says which value it was
as long as the value is there; when value and salt are erased, nobody can find them from it, and the chain still holds.
"""

import json
import re
import secrets
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operation import operation
from assay.record.audit.proofs import commitment
from assay.record.clock import iso
from assay.record.ledger import decide
from assay.record.schema import TABLES
from assay.record.store import Row, Store

__all__ = ["ErasedPerson", "commit_personal", "erase_person", "personal_problems", "revealed"]

_REFERENCE = re.compile(r"personal:([0-9a-f]{64})")
_GONE = "(erased)"


class ErasedPerson(msgspec.Struct, frozen=True):
    """What was erased: so many values. `named` counts records by table that name the person as who acted: they stay."""

    values: int
    decision: int
    named: dict[str, int]


def commit_personal(store: Store, person: str, field: str, value: str) -> str:
    """Keep a text that may hold personal data of a person, and give the reference that a decision holds instead of it.

    Inside a transaction it stands or falls with the decision.
    """
    salt = secrets.token_hex(32)
    found = commitment(salt, value)
    row = {
        "ref": f"personal:{found}",
        "person": person,
        "field": field,
        "commitment": found,
        "salt": salt,
        "value": value,
    }
    store.append("personal_data", row)
    return str(row["ref"])


def revealed(store: Store, text: str) -> str:
    """The text with the values in place of references to them; `(erased)` for those that are gone."""
    wanted = {match[0] for match in _REFERENCE.finditer(text)}
    if not wanted:
        return text
    values = {row["ref"]: row["value"] for row in store.query("personal_data", {"ref in": sorted(wanted)})}
    return _REFERENCE.sub(lambda match: values.get(match[0]) or _GONE, text)


@operation("ledger erase")
def erase_person(
    store: Store, person: str, *, reason: Annotated[str, "Why, such as that they asked for it"] = ""
) -> ErasedPerson:
    """Erase what the store keeps of a person outside of the chain of decisions, which still verifies.

    The ledger notes that a person was erased, and not who. What they decided or recorded stays under the name by which
    they acted.

    Raises NotFound where nothing is kept of them.
    """
    if not reason.strip():
        raise InvalidInput("why it is erased is not said", expected="--reason TEXT")
    if person in reason:
        raise InvalidInput("the reason names the person, and it stays", expected="a reason without the name")
    with store.transaction():
        rows = store.query("personal_data", {"person": person, "erased": None})
        if not rows:
            raise NotFound("nothing is kept of that person outside of the chain", where=store.location)
        now = iso(store.clock.latest())
        fields = sorted({row["field"] for row in rows})
        detail = {"of": "a person", "values": len(rows), "fields": fields, "reason": reason}
        decision = decide(store, "erasure", "personal data", detail)
        store.amend_all(
            "personal_data", {"person": person}, {"person": _GONE, "salt": None, "value": None, "erased": now}
        )
    return ErasedPerson(values=len(rows), decision=decision, named=_named(store, person))


def personal_problems(store: Store, entries: list[Row]) -> list[str]:
    """Values that are not those that decisions refer to, and references that lead nowhere."""
    rows = {row["ref"]: row for row in store.query("personal_data")}
    found = []
    for ref, row in rows.items():
        if ref != f"personal:{row['commitment']}":
            found.append(f"the reference {ref[:25]} is not that of its row")
        elif row["erased"] is None and commitment(row["salt"] or "", row["value"] or "") != row["commitment"]:
            found.append(f"the value behind {ref[:25]} is not the one that was kept")
    for entry in entries:
        lost = {match[0] for match in _REFERENCE.finditer(entry["body"])} - rows.keys()
        found += [f"entry {entry['seq']} refers to {ref[:25]}, which is not there" for ref in sorted(lost)]
    return found


def _named(store: Store, person: str) -> dict[str, int]:
    counts = {kind: len(store.query(kind, {"actor": person})) for kind, table in TABLES.items() if "actor" in table.c}
    counts["ledger"] = sum(json.loads(row["body"])["actor"] == person for row in store.query("ledger"))
    return {kind: count for kind, count in sorted(counts.items()) if count}
