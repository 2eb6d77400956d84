from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from json import dumps

import pytest
import sqlalchemy as sa

from assay.errors import InvalidInput
from assay.record import ledger
from assay.record.contract import version_row
from assay.record.identity import Actor
from assay.record.sqlstore import SqlStore

Meddle = Callable[[SqlStore, str], None]


def _decided(store: SqlStore, count: int = 4) -> None:
    for number in range(1, count + 1):
        assert ledger.decide(store, "promote", f"m{number}", {"reason": f"because {number}"}) == number


def _drop_triggers(store: SqlStore, meddle: Meddle) -> None:
    on = " ON ledger" if store.engine.dialect.name == "postgresql" else ""
    for verb in ("UPDATE", "DELETE"):
        meddle(store, f"DROP TRIGGER ledger_no_{verb}{on}")
    if not on:
        meddle(store, "DROP TRIGGER ledger_no_REPLACE")


def test_the_chain_is_made_as_the_docstring_says(store: SqlStore) -> None:
    _decided(store, 2)
    first, second = store.query("ledger", order_by=["seq"])
    assert first["prev_hash"] == "0" * 64
    assert second["prev_hash"] == first["hash"]
    entry = dumps({"body": second["body"], "kind": "promote", "seq": 2}, separators=(",", ":"), ensure_ascii=False)
    assert second["hash"] == sha256((first["hash"] + entry).encode()).hexdigest()
    assert store.get("ledger_head", {"id": 1}) == {"id": 1, "seq": 2, "hash": second["hash"]}


def test_an_entry_says_who_decided_what_and_when(store: SqlStore) -> None:
    store.clock.advance(datetime(2013, 4, 1, tzinfo=UTC))
    store.actor = Actor("ann")
    ledger.decide(store, "promote", "m/1", {"why": "bätter"})
    ledger.decide(store, "rollback", "m/1", {}, actor=Actor("guard", "service"))
    last, first = ledger.entries(store)
    assert (first.seq, first.kind, first.subject, first.detail) == (1, "promote", "m/1", {"why": "bätter"})
    assert (first.actor, first.actor_kind) == ("ann", "human")
    assert first.event_ts == "2013-04-01T00:00:00.000000Z"
    assert first.ts.endswith("Z")
    assert first.ts > first.event_ts
    assert (last.actor, last.actor_kind) == ("guard", "service")


def test_entries_are_listed_newest_first_by_kind_and_number(store: SqlStore) -> None:
    _decided(store)
    ledger.decide(store, "rollback", "m", {})
    assert [entry.seq for entry in ledger.entries(store)] == [5, 4, 3, 2, 1]
    assert [entry.seq for entry in ledger.entries(store, kind="promote", limit=2)] == [4, 3]
    assert ledger.entries(store, kind="nothing") == []
    with pytest.raises(InvalidInput, match="limit is 0"):
        ledger.entries(store, limit=0)


def test_an_empty_ledger_is_sound(either_store: SqlStore) -> None:
    found = ledger.verify(either_store)
    assert (found.sound, found.entries, found.head, found.problems) == (True, 0, ledger.GENESIS, [])


def test_an_untouched_ledger_is_sound(either_store: SqlStore) -> None:
    _decided(either_store)
    found = ledger.verify(either_store)
    assert (found.sound, found.entries, found.problems) == (True, 4, [])
    assert found.head == either_store.get("ledger", {"seq": 4})["hash"]


def test_a_decision_falls_with_its_transaction(either_store: SqlStore) -> None:
    _decided(either_store, 1)
    with pytest.raises(RuntimeError), either_store.transaction():  # noqa: PT012
        ledger.decide(either_store, "promote", "m", {})
        raise RuntimeError
    assert ledger.verify(either_store).entries == 1
    assert ledger.decide(either_store, "promote", "m", {}) == 2
    assert ledger.verify(either_store).sound


def test_a_decision_that_json_cannot_hold_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match=r"value\.detail\.lift is nan"):
        ledger.decide(store, "promote", "m", {"lift": float("nan")})
    assert ledger.verify(store).entries == 0


@pytest.mark.parametrize(
    "statement",
    ["UPDATE ledger SET kind = 'x'", "UPDATE ledger SET kind = kind WHERE seq = 2", "DELETE FROM ledger WHERE seq = 4"],
)
def test_the_database_refuses_to_change_or_delete_entries(
    either_store: SqlStore, meddle: Meddle, statement: str
) -> None:
    _decided(either_store)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        meddle(either_store, statement)
    assert ledger.verify(either_store).sound


def test_sqlite_refuses_to_replace_an_entry(store: SqlStore, meddle: Meddle) -> None:
    _decided(store)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        meddle(store, "REPLACE INTO ledger SELECT seq, prev_hash, hash, 'x', body FROM ledger WHERE seq = 2")
    assert ledger.verify(store).sound


def test_postgres_refuses_to_empty_the_ledger(postgres_store: SqlStore, meddle: Meddle) -> None:
    _decided(postgres_store)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        meddle(postgres_store, "TRUNCATE ledger")


@pytest.mark.parametrize(
    ("statement", "problems"),
    [
        (
            "UPDATE ledger SET body = replace(body, 'because 2', 'because 9') WHERE seq = 2",
            ["entry 2 was edited: its content does not match its hash"],
        ),
        ("UPDATE ledger SET kind = 'x' WHERE seq = 4", ["entry 4 was edited: its content does not match its hash"]),
        (
            "UPDATE ledger SET hash = prev_hash WHERE seq = 4",
            [
                "entry 4 was edited: its content does not match its hash",
                "the chain ends at entry 4, it was last known to end at entry 4",
            ],
        ),
        (
            "UPDATE ledger SET prev_hash = hash WHERE seq = 3",
            ["entry 3 does not follow the entry before it", "entry 3 was edited: its content does not match its hash"],
        ),
        (
            "DELETE FROM ledger WHERE seq = 1",
            ["entry 1 is missing before entry 2", "entry 2 does not follow the entry before it"],
        ),
        (
            "DELETE FROM ledger WHERE seq = 2",
            ["entry 2 is missing before entry 3", "entry 3 does not follow the entry before it"],
        ),
        ("DELETE FROM ledger WHERE seq = 4", ["the chain ends at entry 3, it was last known to end at entry 4"]),
        ("DELETE FROM ledger", ["the chain ends at entry 0, it was last known to end at entry 4"]),
        (
            "UPDATE ledger SET seq = 5 WHERE seq = 4",
            [
                "entry 4 is missing before entry 5",
                "entry 5 was edited: its content does not match its hash",
                "the chain ends at entry 5, it was last known to end at entry 4",
            ],
        ),
        (
            "INSERT INTO ledger SELECT 5, hash, hash, kind, body FROM ledger WHERE seq = 4",
            [
                "entry 5 was edited: its content does not match its hash",
                "the chain ends at entry 5, it was last known to end at entry 4",
            ],
        ),
        ("UPDATE ledger_head SET seq = 3", ["the chain ends at entry 4, it was last known to end at entry 3"]),
        (
            "DELETE FROM ledger_head",
            ["nothing tells where the chain was last known to end; it ends at entry 4"],
        ),
    ],
)
def test_what_was_done_around_the_database_is_found(
    either_store: SqlStore, meddle: Meddle, statement: str, problems: list[str]
) -> None:
    _decided(either_store)
    _drop_triggers(either_store, meddle)
    meddle(either_store, statement)
    found = ledger.verify(either_store)
    assert not found.sound
    assert found.problems == problems


def test_an_inserted_entry_with_a_right_hash_is_found(either_store: SqlStore, meddle: Meddle) -> None:
    _decided(either_store)
    with pytest.raises(RuntimeError), either_store.transaction():  # noqa: PT012
        ledger.decide(either_store, "promote", "forged", {})
        forged = either_store.get("ledger", {"seq": 5})
        raise RuntimeError
    either_store.append("ledger", forged)
    assert ledger.verify(either_store).problems == ["the chain ends at entry 5, it was last known to end at entry 4"]


def test_a_removed_tail_is_found_by_the_records_that_name_it(either_store: SqlStore, meddle: Meddle) -> None:
    _decided(either_store)
    either_store.append("model_version", version_row("v", 1))
    either_store.append("alias_move", {"model": "m", "alias": "champion", "seq": 1, "mv_id": "v", "decision": 4})
    _drop_triggers(either_store, meddle)
    meddle(either_store, "DELETE FROM ledger WHERE seq = 4")
    meddle(either_store, "UPDATE ledger_head SET seq = 3, hash = (SELECT hash FROM ledger WHERE seq = 3)")
    assert ledger.verify(either_store).problems == ["entry 4 is missing, a record of kind alias_move names it"]
