"""The contract of `shelf.Shelf` as tests, for whoever writes another place for online rows.

Subclass `ShelfContract` in a test module and give it two fixtures: `shelf`, a fresh and empty one, and `second`,
another connection to the same. Only this module needs pytest; nothing of Assay imports it.
"""

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest

from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.matching.matching import EXPIRED, MISSING, NULL_KEY, PRESENT
from assay.build.views.online.rows import Answered
from assay.build.views.online.shelf import Change, Shelf, Want
from assay.build.views.online.store import OnlineStore, OnlineTable, Written
from assay.build.views.registry.registered import Declaration, ViewVersion
from assay.errors import InvalidInput

__all__ = ["ShelfContract", "online_rows", "view_version"]

_DAY = 86_400_000_000
_NOW = 1_700_000_000_000_000
_OTHERS = 2  # writers beside each other


class ShelfContract:
    """Each test is a sentence of the contract, or of what is built on it."""

    # --- bytes ------------------------------------------------------------------------------------------------------

    def test_of_a_view_that_was_never_written_nothing_is_there(self, shelf: Shelf) -> None:
        """Neither generations nor keys."""
        assert shelf.generations("v") == []
        assert shelf.get([Want(("v", "w"), [b"a"])]) == {"v": {}, "w": {}}
        shelf.drop("v")

    def test_what_is_put_comes_back_as_it_was_given(self, shelf: Shelf, second: Shelf) -> None:
        """Any bytes as keys and as data, from another connection too."""
        number = _current(shelf, "v")
        keys = [bytes([one, 0, 255 - one]) for one in range(256)] + [b"k" * 2000]
        changes = [Change(key, 0, place - 300 or 1, bytes([255, 0]) + key) for place, key in enumerate(keys)]
        assert shelf.put(number, changes) == [True] * len(keys)
        expected = {change.key: (change.revision, change.data) for change in changes}
        assert second.get([Want(("v",), keys)])["v"] == expected
        assert second.rows(number, keys) == expected
        assert shelf.rows(number, []) == {}

    def test_keys_of_several_views_and_entities_come_in_one_call(self, shelf: Shelf) -> None:
        """Each view has its own rows; a key that is not there is left out."""
        for place, view in enumerate(("v", "w", "x")):
            shelf.put(_current(shelf, view), [Change(b"a", 0, 7, b"%d" % place), Change(b"b", 0, 8, b"b%d" % place)])
        found = shelf.get([Want(("v", "w"), [b"a", b"none"]), Want(("x", "never"), [b"b"])])
        assert found == {"v": {b"a": (7, b"0")}, "w": {b"a": (7, b"1")}, "x": {b"b": (8, b"b2")}, "never": {}}

    def test_thousands_of_keys_come_in_one_call(self, shelf: Shelf) -> None:
        """Also more than a statement has places for."""
        number = _current(shelf, "v")
        keys = [b"%d" % place for place in range(5_000)]
        shelf.put(number, [Change(key, 0, 1, key) for key in keys])
        found = shelf.get([Want(("v",), [*keys, b"none"])])["v"]
        assert found == {key: (1, key) for key in keys}
        assert shelf.rows(number, keys) == found
        assert shelf.get([Want(("v",), keys)], known=[*range(2, 5_000), 1])["v"] == dict.fromkeys(keys, (1, None))

    def test_bytes_that_are_known_are_left_out(self, shelf: Shelf) -> None:
        """By their revision."""
        shelf.put(_current(shelf, "v"), [Change(b"a", 0, -5, b"A"), Change(b"b", 0, 2**63 - 1, b"B")])
        found = shelf.get([Want(("v",), [b"a", b"b"])], known=[-5, 77])["v"]
        assert found == {b"a": (-5, None), b"b": (2**63 - 1, b"B")}
        assert shelf.get([Want(("v",), [b"a"])], known=[-5])["v"] == {b"a": (-5, None)}

    def test_a_key_changes_only_while_it_is_as_it_was_read(self, shelf: Shelf) -> None:
        """Each key by itself: one that is refused keeps no other from being set."""
        number = _current(shelf, "v")
        assert shelf.put(number, [Change(b"a", 0, 1, b"one")]) == [True]
        changes = [Change(b"a", 0, 2, b"two"), Change(b"a", 9, 2, b"two"), Change(b"b", 0, 3, b"three")]
        assert shelf.put(number, changes) == [False, False, True]
        assert shelf.put(number, [Change(b"a", 1, 2, b"two"), Change(b"c", 1, 2, b"two")]) == [True, False]
        assert shelf.rows(number, [b"a", b"b", b"c"]) == {b"a": (2, b"two"), b"b": (3, b"three")}

    def test_a_key_is_taken_away_only_while_it_is_as_it_was_read(self, shelf: Shelf) -> None:
        """And one that is not there cannot be."""
        number = _current(shelf, "v")
        shelf.put(number, [Change(b"a", 0, 1, b"one"), Change(b"b", 0, 1, b"one")])
        changes = [Change(b"a", 2, 0, None), Change(b"b", 1, 0, None), Change(b"c", 1, 0, None)]
        assert shelf.put(number, changes) == [False, True, False]
        assert shelf.rows(number, [b"a", b"b", b"c"]) == {b"a": (1, b"one")}

    def test_a_generation_that_is_being_built_is_not_read_before_it_is_installed(
        self, shelf: Shelf, second: Shelf
    ) -> None:
        """Then it takes the place of the one before, whose rows are gone."""
        first = _current(shelf, "v")
        shelf.put(first, [Change(b"a", 0, 1, b"old"), Change(b"b", 0, 1, b"old")])
        shelf.put(_current(shelf, "w"), [Change(b"a", 0, 1, b"other")])
        number = shelf.begin("v")
        assert second.begin("v") == number
        shelf.put(number, [Change(b"a", 0, 2, b"new")])
        assert second.get([Want(("v",), [b"a"])])["v"] == {b"a": (1, b"old")}
        assert [(one.number, one.current) for one in second.generations("v")] == [(first, True), (number, False)]
        shelf.install("v", number)
        second.install("v", number)
        assert second.get([Want(("v", "w"), [b"a", b"b"])]) == {"v": {b"a": (2, b"new")}, "w": {b"a": (1, b"other")}}
        assert [(one.number, one.current) for one in shelf.generations("v")] == [(number, True)]
        assert shelf.rows(first, [b"a", b"b"]) == {}

    def test_a_generation_that_is_being_built_can_be_given_up(self, shelf: Shelf) -> None:
        """The current one stays; there need be none that is built."""
        first = _current(shelf, "v")
        shelf.put(first, [Change(b"a", 0, 1, b"old")])
        number = shelf.begin("v")
        shelf.put(number, [Change(b"a", 0, 2, b"new")])
        shelf.discard("v")
        shelf.discard("v")
        assert [one.number for one in shelf.generations("v")] == [first]
        assert shelf.rows(number, [b"a"]) == {}
        assert shelf.begin("v") != number
        assert shelf.get([Want(("v",), [b"a"])])["v"] == {b"a": (1, b"old")}

    def test_what_is_put_into_a_dropped_generation_is_lost_and_counts_as_done(self, shelf: Shelf) -> None:
        """A writer that was late need not know."""
        number = _current(shelf, "v")
        shelf.put(number, [Change(b"a", 0, 1, b"old")])
        shelf.drop("v")
        assert shelf.put(number, [Change(b"a", 1, 2, b"new"), Change(b"b", 0, 2, b"new")]) == [True, True]
        shelf.set_mark(number, b"mark")
        assert shelf.rows(number, [b"a", b"b"]) == {}
        assert shelf.generations("v") == []
        assert _current(shelf, "v") != number

    def test_a_mark_is_kept_with_its_generation(self, shelf: Shelf, second: Shelf) -> None:
        """Any bytes."""
        number = _current(shelf, "v")
        assert second.generations("v")[0].mark is None
        shelf.set_mark(number, b"\x00\xff")
        assert second.generations("v")[0].mark == b"\x00\xff"
        assert shelf.begin("v") != number
        assert [one.mark for one in shelf.generations("v")] == [b"\x00\xff", None]

    def test_of_writers_of_one_key_each_change_is_made_once(self, shelf: Shelf, second: Shelf) -> None:
        """A counter that many raise by compare and set misses no step."""
        number = _current(shelf, "v")

        def raised(own: Shelf) -> None:
            for _ in range(25):
                while True:
                    revision, data = own.rows(number, [b"a"]).get(b"a", (0, b"0"))
                    assert data is not None
                    if own.put(number, [Change(b"a", revision, revision + 1, b"%d" % (int(data) + 1))]) == [True]:
                        break

        with ThreadPoolExecutor(2 * _OTHERS) as pool:
            list(pool.map(raised, [shelf, second] * _OTHERS))
        assert shelf.rows(number, [b"a"]) == {b"a": (50 * _OTHERS, b"%d" % (50 * _OTHERS))}

    def test_closing_twice_is_harmless(self, second: Shelf) -> None:
        """As for every store."""
        second.close()
        second.close()

    # --- rows -------------------------------------------------------------------------------------------------------

    def test_an_older_write_does_not_replace_a_newer_one(self, shelf: Shelf) -> None:
        """It is counted; of equal times the later created, then the later arrival wins."""
        table = _table(shelf)
        assert table.write(online_rows([("a", _NOW - 10, None, 5)]), _NOW) == Written(1, 1, 0, 0, 0)
        assert table.write(online_rows([("a", _NOW - 20, None, 4)], first=1), _NOW) == Written(1, 0, 0, 1, 0)
        assert _values(table.read([("a",)], _NOW)) == [5]
        created = [("a", _NOW - 10, _NOW - 5, 6), ("a", _NOW - 10, _NOW - 6, 7)]
        assert table.write(online_rows(created, first=2), _NOW) == Written(2, 1, 0, 1, 0)
        assert _values(table.read([("a",)], _NOW)) == [6]
        table.write(online_rows([("a", _NOW - 10, _NOW - 5, 8)], first=4), _NOW)
        assert _values(table.read([("a",)], _NOW)) == [8]

    def test_a_row_from_the_future_does_not_hide_the_current_one(self, shelf: Shelf) -> None:
        """It waits, and is served when its time has come."""
        table = _table(shelf)
        rows = [("a", _NOW - 10, None, 1), ("a", _NOW + 10 * _DAY, None, 2)]
        assert table.write(online_rows(rows), _NOW) == Written(2, 1, 1, 0, 0)
        assert table.write(online_rows([("a", _NOW + 5, _NOW, 3)], first=2), _NOW + 1) == Written(1, 0, 1, 0, 0)
        assert _values(table.read([("a",)], _NOW + 4)) == [1]
        assert _values(table.read([("a",)], _NOW + 5)) == [3]
        assert _values(table.read([("a",)], _NOW + 10 * _DAY - 1)) == [3]
        assert _values(table.read([("a",)], _NOW + 10 * _DAY)) == [2]

    def test_a_value_older_than_the_ttl_is_expired_and_one_exactly_as_old_is_present(self, shelf: Shelf) -> None:
        """When it is read, whatever was so when it was written."""
        table = _table(shelf, ttl_us=_DAY)
        table.write(online_rows([("a", _NOW - 10 * _DAY, None, 1), ("b", _NOW - _DAY, None, 2)]), _NOW)
        found = table.read([("a",), ("b",), ("c",), (None,)], _NOW)
        assert [one.status for one in found] == [EXPIRED, PRESENT, MISSING, NULL_KEY]
        assert _values(found) == [None, 2, None, None]
        assert table.read([("b",)], _NOW + 1)[0].status == EXPIRED

    def test_a_null_in_the_newest_row_is_served_as_null(self, shelf: Shelf) -> None:
        """Older rows are not searched."""
        table = _table(shelf)
        table.write(online_rows([("a", _NOW - 2, None, 1), ("a", _NOW - 1, None, None)]), _NOW)
        (found,) = table.read([("a",)], _NOW)
        assert found.status == PRESENT
        assert found.row == (_NOW - 1, _NOW - 1, 1, None)

    def test_rows_without_a_key_or_a_created_are_counted_and_not_kept(self, shelf: Shelf) -> None:
        """Nothing could ever ask for them."""
        table = _table(shelf)
        rows = online_rows([(None, _NOW - 1, None, 1), ("a", _NOW - 1, None, 2)])
        unknown = pa.array([_NOW, None], pa.int64())
        rows = rows.set_column(rows.schema.get_field_index(CREATED), CREATED, unknown)
        assert table.write(rows, _NOW) == Written(2, 0, 0, 0, 2)
        assert table.read([("a",)], _NOW)[0].status == MISSING

    def test_the_same_rows_again_change_nothing(self, shelf: Shelf) -> None:
        """So whoever is not sure writes again."""
        table = _table(shelf)
        rows = online_rows([("a", _NOW - 3, None, 1), ("a", _NOW + 3, None, 2), ("b", _NOW - 1, None, 3)])
        assert table.write(rows, _NOW, {"arrival": 2}) == Written(3, 2, 1, 0, 0)
        assert table.write(rows, _NOW + 1) == Written(3, 0, 0, 3, 0)
        assert _values(table.read([("a",), ("b",)], _NOW + 4)) == [2, 3]
        assert table.mark() == {"arrival": 2}

    def test_writers_beside_each_other_leave_what_one_would(self, shelf: Shelf, second: Shelf) -> None:
        """Whatever the order, and whoever comes last."""
        rows = [(f"k{place % 7}", _NOW - place * 3 % 101, None, place) for place in range(120)]
        parts = [online_rows([row], first=place) for place, row in enumerate(rows)]
        parts = parts[::-7] + parts[::7] + parts  # in some order, and most of them twice
        tables = [_table(shelf), _table(second)] * _OTHERS

        def write(place: int) -> None:
            for part in parts[place :: len(tables)]:
                tables[place].write(part, _NOW)

        with ThreadPoolExecutor(len(tables)) as pool:
            list(pool.map(write, range(len(tables))))
        best: dict[str, tuple[int, int]] = {}
        for place, (key, ts, *_) in enumerate(rows):
            best[key] = max(best.get(key, (0, 0)), (ts, place))
        assert _values(tables[0].read([(key,) for key in best], _NOW)) == [place for _, place in best.values()]

    def test_a_rebuild_is_seen_when_it_is_whole_with_what_was_written_meanwhile(self, shelf: Shelf) -> None:
        """And one that was cut short is gone on with."""
        table = _table(shelf)
        table.write(online_rows([("a", _NOW - 5, None, 1), ("gone", _NOW - 5, None, 1)]), _NOW, {"arrival": 1})
        with pytest.raises(KeyboardInterrupt):
            _cut_short(table)
        assert table.mark() == {"arrival": 1}
        with table.rebuilt() as fresh:
            assert fresh.mark() == {"arrival": 0}
            fresh.write(online_rows([("b", _NOW - 5, None, 2)], first=2), _NOW, {"arrival": 2})
            table.write(online_rows([("c", _NOW - 5, None, 3)], first=3), _NOW)
            assert _values(table.read([("a",), ("gone",), ("b",), ("c",)], _NOW)) == [1, 1, None, 3]
        assert _values(table.read([("a",), ("gone",), ("b",), ("c",)], _NOW)) == [1, None, 2, 3]
        assert table.mark() == {"arrival": 2}

    def test_a_rebuild_that_cannot_be_gone_on_with_begins_anew(self, shelf: Shelf) -> None:
        """Nothing of it is left, and what is read meanwhile stays."""
        shelf.discard("v")
        table = _table(shelf)
        table.write(online_rows([("a", _NOW - 5, None, 1)]), _NOW, {"arrival": 1})
        with pytest.raises(KeyboardInterrupt):
            _cut_short(table)
        with table.rebuilt(lambda mark: mark["arrival"] > 0) as fresh:
            assert fresh.mark() is None
            fresh.write(online_rows([("b", _NOW - 5, None, 2)], first=2), _NOW, {"arrival": 2})
            assert _values(table.read([("a",), ("b",)], _NOW)) == [1, None]
        assert _values(table.read([("a",), ("b",)], _NOW)) == [None, 2]

    def test_an_erased_entity_is_missing_and_the_others_are_not(self, shelf: Shelf) -> None:
        """Also in a generation that is being built."""
        table = _table(shelf)
        rows = online_rows([("a", _NOW - 5, None, 1), ("b", _NOW - 5, None, 2)])
        table.write(rows, _NOW)
        with table.rebuilt() as fresh:
            fresh.write(rows, _NOW)
            assert table.erase([("a",), ("never",), (None,)]) == 1
        assert [one.status for one in table.read([("a",), ("b",)], _NOW)] == [MISSING, PRESENT]
        assert table.erase([("a",)]) == 0

    def test_versions_of_a_view_have_tables_of_their_own(self, shelf: Shelf) -> None:
        """A new version begins empty; dropping one leaves the other."""
        online = OnlineStore(shelf, 0)
        old, new = online.table(view_version()), online.table(view_version(version=2))
        old.write(online_rows([("a", _NOW - 5, None, 1)]), _NOW)
        assert new.read([("a",)], _NOW)[0].status == MISSING
        new.write(online_rows([("a", _NOW - 5, None, 2)]), _NOW)
        new.drop()
        assert _values([*old.read([("a",)], _NOW), *new.read([("a",)], _NOW)]) == [1, None]

    def test_a_key_of_another_type_is_refused_by_name(self, shelf: Shelf) -> None:
        """It would be missing for ever."""
        with pytest.raises(InvalidInput, match="the key 'k' of 'v' is 7, a int"):
            _table(shelf).read([(7,)], _NOW)


def view_version(
    version: int = 1,
    *,
    entity: pa.Schema | None = None,
    values: pa.Schema | None = None,
    **declared: Any,
) -> ViewVersion:
    """A version of a view "v" as a store would give it: by default the text key "k" and a whole number "x"."""
    keys = entity or pa.schema([("k", pa.large_string())])
    schema = pa.schema([*keys, *(values or pa.schema([("x", pa.int64())]))])
    options: dict[str, Any] = {
        "entity": keys.names, "time": "ts", "source": "v", "folder": "", "created": None, "ttl_us": None, "delay_us": 0,
        "strict": False, "event": [], "features": None, "expressions": {}, "aggregates": {}, "code": None,
        "owner": None, "description": "", "tags": [], "fresh_us": None, "checks": None,
    }  # fmt: skip
    options["schema"] = base64.b64encode(schema.serialize().to_pybytes()).decode()
    return ViewVersion("v", version, f"{version:064d}", "", "", Declaration(**(options | declared)))


def online_rows(rows: Sequence[tuple[str | None, int, int | None, int | None]], first: int = 0) -> pa.Table:
    """Rows (k, ts, created, x) as they were logged, arriving in this order; without created it is their ts."""
    return pa.table(
        {
            "k": pa.array([row[0] for row in rows], pa.large_string()),
            TS: pa.array([row[1] for row in rows], pa.int64()),
            CREATED: pa.array([row[1] if row[2] is None else row[2] for row in rows], pa.int64()),
            ARRIVAL: pa.array(range(first, first + len(rows)), pa.int64()),
            "x": pa.array([row[3] for row in rows], pa.int64()),
        }
    )


def _table(shelf: Shelf, **declared: Any) -> OnlineTable:
    return OnlineStore(shelf, 0).table(view_version(**declared))


def _cut_short(table: OnlineTable) -> None:
    with table.rebuilt() as fresh:
        fresh.write(online_rows([("a", _NOW - 5, None, 1)]), _NOW, {"arrival": 0})
        raise KeyboardInterrupt


def _values(found: list[Answered]) -> list[object]:
    return [None if one.row is None else one.row[3] for one in found]


def _current(shelf: Shelf, view: str) -> int:
    number = shelf.begin(view)
    shelf.install(view, number)
    return number
