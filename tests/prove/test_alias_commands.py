"""The guarded alias: it moves only where the gate let it, and its endpoint goes with it."""

import json

import pytest
from tests.prove.test_promotion import champions, versions
from tests.prove.worlds import judged

from assay.errors import Conflict, InvalidInput, Refused
from assay.prove.alias_commands import delete_alias, point_alias, set_alias_command
from assay.prove.promotion import promote
from assay.record import ledger
from assay.record.models.aliases import alias_history, alias_version, set_alias
from assay.record.models.versions import create_version
from assay.record.sqlstore import SqlStore


def _served(store: SqlStore) -> str:
    route = store.query("route", order_by=["-revision"], limit=1)[0]
    return str(json.loads(route["detail"])["variants"][0]["mv_id"])


def test_the_champion_moves_freely_until_one_was_promoted(store: SqlStore) -> None:
    versions(store, 2)
    assert point_alias(store, "late", "champion", 1).after == 1
    assert set_alias_command(store, "late", "champion", 2, expected="1", reason="better").reason == "better"
    assert store.query("route") == []
    taken = delete_alias(store, "late", "champion", expected="2")
    assert taken is not None
    assert (taken.before, taken.after) == (2, None)
    assert delete_alias(store, "late", "champion") is None


def test_a_pass_moves_the_guarded_alias_and_the_endpoint_follows(store: SqlStore) -> None:
    made = [*champions(store, 2), *versions(store, 1)]
    judged(store, made[2], made[1])
    with pytest.raises(Conflict, match="points to version 2"):
        point_alias(store, "late", "champion", 3, expected=1)
    move = point_alias(store, "late", "champion", 3, expected=2)
    assert (move.before, move.after) == (2, 3)
    assert _served(store) == made[2].mv_id
    assert ledger.entries(store)[0].kind == "promotion"
    assert point_alias(store, "late", "champion", 3).after == 3  # where it is already: no verdict is asked for


def test_a_fail_is_refused_and_what_is_not_known_is_a_conflict(store: SqlStore) -> None:
    made = versions(store, 5)
    judged(store, made[1], made[0])
    promote(store, "late", 2)
    judged(store, made[2], made[1], difference=-0.2)
    judged(store, made[3], made[1], rows=200)
    before = alias_history(store, "late")
    for move in (point_alias, set_alias):  # also below the command
        with pytest.raises(Refused, match="verdict on late/3 is fail"):
            move(store, "late", "champion", 3)
        with pytest.raises(Conflict, match="verdict on late/4 is inconclusive"):
            move(store, "late", "champion", 4)
        with pytest.raises(Conflict, match="late/5 has no verdict beside the present one, version 2"):
            move(store, "late", "champion", 5)
    with pytest.raises(Conflict, match="guarded"):
        delete_alias(store, "late", "champion")
    assert alias_history(store, "late") == before
    point_alias(store, "late", "challenger", 3)  # others are free
    assert alias_version(store, "late", "challenger").version == 3


def test_what_has_no_sealed_files_never_is_the_champion(store: SqlStore) -> None:
    champions(store, 2)
    create_version(store, "late", "s3://bucket/model")
    with pytest.raises(Conflict, match=r"no sealed files \(outside\)"):
        point_alias(store, "late", "champion", 3)


def test_an_override_says_why_and_is_in_the_ledger(store: SqlStore) -> None:
    made = [*champions(store, 2), *versions(store, 1)]
    with pytest.raises(InvalidInput, match="no reason"):
        point_alias(store, "late", "champion", 3, override=" ")
    assert point_alias(store, "late", "champion", 3, override="the other one is down").after == 3
    assert _served(store) == made[2].mv_id
    assert ledger.entries(store, kind="override")[0].detail["reason"] == "the other one is down"
    taken = delete_alias(store, "late", "champion", override="end of life")
    assert taken is not None
    assert taken.reason == "override: end of life"
    detail = ledger.entries(store, kind="alias")[0].detail
    assert detail == {"alias": "champion", "cleared": True, "reason": "end of life", "override": True}


def test_an_expected_version_is_a_number_none_or_any(store: SqlStore) -> None:
    versions(store, 1)
    with pytest.raises(InvalidInput, match="expected version"):
        set_alias_command(store, "late", "new", 1, expected="first")
    assert set_alias_command(store, "late", "new", 1, expected="none").before is None
