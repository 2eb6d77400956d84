"""Do records that rest on decisions say what these say: promotions, approvals, objectives, releases, online tests.

Entries of the ledger are in its chain; the records are not. Where an entry holds the hash of what was decided from, or
a copy of it, the record has to agree.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from assay.record.canonical import digest, digest_bytes
from assay.record.schema import TABLES
from assay.record.store import Row, Store

__all__ = ["hash_of_record", "records_against"]

Detail = Mapping[str, Any]


def records_against(store: Store, entries: Mapping[int, Row]) -> Iterator[str]:
    """What is wrong with records that name entries, and with entries that name readings; a sentence each."""
    for kind in _NAMING:
        compared = _COMPARED.get(kind)
        for row in store.query(kind):
            number = row["decision"]
            if number is None:  # an event of a release that changed nothing for others, a review that is open
                continue
            if number not in entries:
                yield f"entry {number} is missing, a record of kind {kind} names it"
            elif compared is not None:
                wrong = compared(row, _detail(entries[number]))
                if wrong:
                    yield f"{wrong} is not what entry {number} says"
    yield from _readings(store, entries)


def _recorded(row: Row, said: Detail) -> str | None:
    """All that a decision record says is in the hash of its entry."""
    other = said.get("record") != row["record_id"] or said.get("hash") != hash_of_record(row)
    return f"decision record {row['record_id'][:8]}" if other else None


def hash_of_record(row: Row) -> str:
    """The hash of all that a decision record says."""
    names = ("title", "kind", "subject_kind", "subject_id", "review_due", "supersedes")
    return digest({name: row[name] for name in names} | {"said": _read(row["detail"])})


def _test(row: Row, said: Detail) -> str | None:
    if said.get("test") != row["test_id"]:
        return f"the decision behind test {row['name']}"
    if said.get("metrics") != _read(row["detail"]).get("metrics"):
        return f"what test {row['name']} measures"
    return None


def _release(row: Row, said: Detail) -> str | None:
    """A release that was no more than a promotion is not named by its decision."""
    other = said.get("rollout", row["rollout_id"]) != row["rollout_id"]
    return f"the decision behind release {row['rollout_id'][:8]}" if other else None


def _event(row: Row, said: Detail) -> str | None:
    hashed = said.get("inputs")
    if hashed is not None and hashed != digest_bytes(row["inputs"].encode()):
        return f"what event {row['seq']} of release {row['rollout_id'][:8]} was decided from"
    return _release(row, said)


def _asked(row: Row, said: Detail) -> str | None:
    """Of a request: the hash of its subject, and those of the parts."""
    parts = {part.get("name"): part.get("hash") for part in _read(row["subject"]).get("parts", [])}
    other = said.get("subject_hash") != row["subject_hash"] or said.get("parts") != parts
    return f"the subject of approval request {row['request_id'][:8]}" if other else None


def _answered(row: Row, said: Detail) -> str | None:
    known = ("subject_hash", "outcome", "role", "expires", "withdraws")
    other = any(said.get(name) != row[name] for name in known) or said.get("request") != row["request_id"]
    return f"what {row['approver']} said of approval request {row['request_id'][:8]}" if other else None


def _excepted(row: Row, said: Detail) -> str | None:
    other = any(said.get(name) != row[name] for name in ("subject_hash", "reason", "review_due"))
    return f"exception {row['exception_id'][:8]} from an approval" if other else None


def _objective(row: Row, said: Detail) -> str | None:
    """The terms have the hash that was decided, and are what the row says they are."""
    if said.get("hash") != row["hash"] or digest_bytes(row["detail"].encode()) != row["hash"]:
        return f"version {row['version']} of what {row['model']} is for"
    return None


def _review(row: Row, said: Detail) -> str | None:
    if (said.get("review"), said.get("outcome")) != (row["review_id"], row["outcome"]):
        return f"how review {row['review_id'][:8]} of an objective ended"
    return None


_NAMING = sorted(kind for kind, table in TABLES.items() if "decision" in table.c)
_COMPARED: dict[str, Callable[[Row, Detail], str | None]] = {
    "approval": _answered,
    "approval_exception": _excepted,
    "approval_request": _asked,
    "objective": _objective,
    "objective_review": _review,
    "online_test": _test,
    "rollout": _release,
    "rollout_event": _event,
    "decision_record": _recorded,
}


def _readings(store: Store, entries: Mapping[int, Row]) -> Iterator[str]:
    """A test ends on a reading: there it is, with the same outcome as of the same moment."""
    for number, entry in entries.items():
        said = _detail(entry) if entry["kind"] == "test" else {}
        if "reading" not in said:
            continue
        found = store.query("test_reading", {"test_id": said["test"], "seq": said["reading"]})
        if not found:
            yield f"reading {said['reading']} of a test is missing, entry {number} names it"
        elif (found[0]["outcome"], found[0]["as_of"]) != (said["outcome"], said["as_of"]):
            yield f"reading {said['reading']} of a test is not what entry {number} says"


def _detail(entry: Row) -> Detail:
    found: Detail = _read(entry["body"]).get("detail", {})
    return found


def _read(text: str) -> Detail:
    """Nothing where somebody made the text unreadable: then it agrees with nothing, and the chain tells of entries."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
