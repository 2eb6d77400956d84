"""Do records that rest on decisions say what these say: promotions, routes, releases and online tests.

Entries of the ledger are in its chain; the records are not. Where an entry holds the hash of what was decided from, or
a copy of it, the record has to agree.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from assay.record.canonical import digest_bytes
from assay.record.store import Row, Store

__all__ = ["records_against"]

Detail = Mapping[str, Any]


def records_against(store: Store, entries: Mapping[int, Row]) -> Iterator[str]:
    """What is wrong with records that name entries, and with entries that name readings; a sentence each."""
    for kind, compared in _NAMING.items():
        for row in store.query(kind):
            number = row["decision"]
            if number is None:  # an event of a release that changed nothing for others
                continue
            if number not in entries:
                yield f"entry {number} is missing, a record of kind {kind} names it"
            elif compared is not None:
                wrong = compared(row, _detail(entries[number]))
                if wrong:
                    yield f"{wrong} is not what entry {number} says"
    yield from _readings(store, entries)


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


_NAMING: dict[str, Callable[[Row, Detail], str | None] | None] = {
    "alias_move": None,
    "gate": None,
    "deployment": None,
    "route": None,
    "online_test": _test,
    "rollout": _release,
    "rollout_event": _event,
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
