from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from assay.errors import Conflict, InvalidInput, NotFound
from assay.record import ledger
from assay.record.clock import moment
from assay.record.models.aliases import (
    alias_at,
    alias_history,
    alias_log,
    alias_version,
    alias_version_at,
    clear_alias,
    set_alias,
)
from assay.record.models.registered_models import create_registered_model, registered_model, rename_registered_model
from assay.record.models.versions import create_version
from assay.record.sqlstore import SqlStore


@pytest.fixture
def store(either_store: SqlStore) -> SqlStore:
    create_registered_model(either_store, "churn")
    for _ in range(3):
        create_version(either_store, "churn", "s3://bucket/model")
    return either_store


def test_a_move_says_from_where_to_where_who_when_and_why(store: SqlStore) -> None:
    first = set_alias(store, "churn", "new", 1, expected=None, reason="first try")
    second = set_alias(store, "churn", "new", 2, expected=1, reason="better")
    third = clear_alias(store, "churn", "new", expected=2)
    assert [(move.before, move.after, move.reason) for move in (first, second)] == [
        (None, 1, "first try"),
        (1, 2, "better"),
    ]
    assert third is not None
    assert (third.before, third.after) == (2, None)
    assert alias_log(store, "churn") == alias_history(store, "churn", "new") == [first, second, third]
    assert clear_alias(store, "churn", "new") is None
    entries = {entry.seq: entry for entry in ledger.entries(store)}
    assert [entries[move.decision].subject for move in (first, second, third)] == ["churn/1", "churn/2", "churn/2"]
    assert entries[second.decision].detail == {"alias": "new", "cleared": False, "reason": "better"}
    assert ledger.verify(store).sound


def test_it_says_where_an_alias_pointed_at_any_moment(store: SqlStore) -> None:
    first = set_alias(store, "churn", "new", 1)
    second = set_alias(store, "churn", "new", 3)
    gone = clear_alias(store, "churn", "new")
    assert gone is not None
    just = timedelta(microseconds=1)
    then = [moment(first.ts) - just, moment(first.ts), moment(second.ts), moment(gone.ts)]
    assert [alias_version_at(store, "churn", "new", one) for one in then] == [None, 1, 3, None]
    assert alias_at(store, "churn", "new", second.ts).version == 3
    assert alias_at(store, "churn", "new", "2001-01-01").version is None
    with pytest.raises(InvalidInput, match="no moment"):
        alias_at(store, "churn", "new", "tuesday")


def test_a_move_from_where_it_is_not_is_a_conflict_with_the_present_version(store: SqlStore) -> None:
    set_alias(store, "churn", "new", 1)
    with pytest.raises(Conflict, match="points to version 1"):
        set_alias(store, "churn", "new", 2, expected=3)
    with pytest.raises(Conflict, match="points to version 1"):
        set_alias(store, "churn", "new", 2, expected=None)
    with pytest.raises(Conflict, match="points to no version"):
        clear_alias(store, "churn", "other", expected=1)
    assert len(alias_history(store, "churn")) == 1


@pytest.mark.parametrize("name", ["", "a b", "a/b", "latest", "LaTest", "v1", "V20", "x" * 256, "ü!"])
def test_a_name_that_is_reserved_or_no_name_is_refused(store: SqlStore, name: str) -> None:
    with pytest.raises(InvalidInput):
        set_alias(store, "churn", name, 1)
    assert alias_history(store, "churn") == []


def test_what_is_not_there_is_named(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="version=9"):
        set_alias(store, "churn", "new", 9)
    with pytest.raises(NotFound, match="other"):
        set_alias(store, "other", "new", 1)
    with pytest.raises(InvalidInput, match="alias new not found"):
        alias_version(store, "churn", "new")
    assert alias_version(store, "churn", "latest").version == 3


def test_of_ten_who_move_at_once_from_the_same_place_one_wins(store: SqlStore) -> None:
    def move(turn: int, to: int) -> int | None:
        try:
            done = set_alias(store, "churn", "new", to, expected=before[turn])
        except Conflict:
            return None
        return done.after

    before: list[int | None] = [None, 1, 2]
    for turn in range(3):  # all ten want the same, so that the next turn knows where it stands
        with ThreadPoolExecutor(10) as pool:
            done = list(pool.map(lambda _, turn=turn: move(turn, turn + 1), range(10)))
        assert [to for to in done if to is not None] == [turn + 1]
    history = alias_history(store, "churn", "new")
    assert [(one.before, one.after) for one in history] == [(None, 1), (1, 2), (2, 3)]
    pointing = None
    for one in history:  # replaying the history gives the state, at each of its moments and now
        assert one.before == pointing
        pointing = one.after
        assert alias_version_at(store, "churn", "new", moment(one.ts)) == pointing
    assert registered_model(store, "churn").aliases == {"new": pointing}


def test_aliases_go_with_a_new_name(store: SqlStore) -> None:
    set_alias(store, "churn", "new", 2)
    rename_registered_model(store, "churn", "leave")
    assert alias_version(store, "leave", "new").version == 2
    assert [move.after for move in alias_history(store, "leave")] == [2]
    assert rename_registered_model(store, "leave", "churn").aliases == {"new": 2}
