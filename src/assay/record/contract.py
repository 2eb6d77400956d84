"""The contract of `store.Store` as tests, for whoever writes another store.

Subclass `StoreContract` in a test module and give it two fixtures: `store`, a fresh and empty store, and `second`,
another connection to the same one. Only this module needs pytest; nothing of Assay imports it.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa

from assay.errors import AlreadyExists, Conflict, InvalidInput, NotFound, StoreUnavailable
from assay.record import ledger
from assay.record.identity import Actor
from assay.record.models import registry
from assay.record.schema import METADATA, TABLES
from assay.record.store import Row, Store

__all__ = ["StoreContract"]

_T = TypeVar("_T")
_EVIDENCE = ("actor", "actor_kind", "source", "ts", "event_ts")


class StoreContract:
    """Each test is a sentence of the contract.

    `checks_types`: whether the database refuses a word in a column of numbers. SQLite does not.
    """

    checks_types = True

    # --- rows -----------------------------------------------------------------------------------------------------

    def test_every_column_of_every_kind_comes_back_as_it_was_given(self, store: Store) -> None:
        """`get` gives a fresh dictionary with every column, unchanged."""
        for table in METADATA.sorted_tables:  # parents first
            row = _full_row(table)
            if table.name != "ledger_head":  # has its only row from the start
                store.append(table.name, row)
                key = {column.name: row[column.name] for column in table.primary_key}
                assert store.get(table.name, key) == row

    def test_columns_left_out_are_none(self, store: Store) -> None:
        """A row has every column, also those nobody gave."""
        store.append("run", run_row("a"))
        found = store.get("run", {"run_id": "a"})
        assert set(found) == set(METADATA.tables["run"].c.keys())
        assert found["ended"] is None
        assert found["pid"] is None

    def test_changing_a_returned_row_changes_nothing(self, store: Store) -> None:
        """Rows are copies."""
        store.append("run", run_row("a"))
        store.get("run", {"run_id": "a"})["name"] = "changed"
        store.query("run")[0]["name"] = "changed"
        assert store.get("run", {"run_id": "a"})["name"] == "name"

    def test_append_fills_in_who_and_when(self, store: Store) -> None:
        """actor, actor_kind, source, ts and event_ts are filled in where the row leaves them out."""
        store.actor = Actor("robot", "service")
        before = store.clock.now()
        store.append("run", run_row("a"))
        found = store.get("run", {"run_id": "a"})
        assert (found["actor"], found["actor_kind"], found["source"]) == ("robot", "service", "native")
        assert before <= datetime.fromisoformat(found["ts"]) <= store.clock.now()
        assert found["event_ts"] is None

    def test_event_time_is_that_of_the_replay(self, store: Store) -> None:
        """In a replay event_ts is the simulated moment."""
        store.clock.advance(datetime(2013, 4, 1, 9, 30, tzinfo=UTC))
        store.append("run", run_row("a"))
        assert store.get("run", {"run_id": "a"})["event_ts"] == "2013-04-01T09:30:00.000000Z"

    def test_append_keeps_what_a_row_says_about_itself(self, store: Store) -> None:
        """What the row holds already is not replaced."""
        given = {"actor": "ann", "actor_kind": "human", "source": "imported", "ts": "t", "event_ts": "e"}
        store.append("run", run_row("a") | given)
        assert {name: store.get("run", {"run_id": "a"})[name] for name in _EVIDENCE} == given

    def test_an_existing_key_is_refused(self, store: Store) -> None:
        """AlreadyExists, and the row that stands is not changed."""
        store.append("run", run_row("a"))
        with pytest.raises(AlreadyExists, match="run_id=a"):
            store.append("run", run_row("a", name="other"))
        assert [row["name"] for row in store.query("run")] == ["name"]

    def test_another_unique_key_is_refused_as_well(self, store: Store) -> None:
        """Two rows with another id and the same version of a model are one too many."""
        store.append("model_version", version_row("a", 1))
        with pytest.raises(AlreadyExists):
            store.append("model_version", version_row("b", 1))

    def test_append_many_is_all_or_nothing(self, store: Store) -> None:
        """One taken key, and no row is added."""
        store.append("run", run_row("b"))
        with pytest.raises(AlreadyExists):
            store.append_many("run", [run_row(run_id) for run_id in "abc"])
        assert ids(store) == ["b"]

    def test_a_refused_append_many_inside_a_transaction_adds_no_row(self, store: Store) -> None:
        """A transaction goes on after a refusal that its block handles, without the refused rows."""
        with store.transaction():
            store.append("run", run_row("b"))
            with pytest.raises(AlreadyExists):
                store.append_many("run", [run_row(run_id) for run_id in "abc"])
            store.append("run", run_row("d"))
        assert ids(store) == ["b", "d"]

    def test_append_many_of_nothing_is_nothing(self, store: Store) -> None:
        """An empty list is harmless."""
        assert store.append_many("run", []) == 0

    def test_append_many_counts(self, store: Store) -> None:
        """The number of new rows."""
        assert store.append_many("run", (run_row(run_id) for run_id in "abc")) == 3

    def test_skip_existing_passes_over_what_is_there(self, store: Store) -> None:
        """Repeated delivery is harmless: the count is that of new rows, the first ones stand."""
        assert store.append_many("run", [run_row("a"), run_row("b")], skip_existing=True) == 2
        again = [run_row(run_id, name="again") for run_id in "abc"]
        assert store.append_many("run", again, skip_existing=True) == 1
        assert store.append_many("run", again, skip_existing=True) == 0
        assert [row["name"] for row in store.query("run", order_by=["run_id"])] == ["name", "name", "again"]

    def test_skip_existing_counts_many(self, store: Store) -> None:
        """Also where the rows need more than one statement."""
        rows = [metric_row("r", step) for step in range(3000)]
        store.append("run", run_row("r"))
        assert store.append_many("run_metric", rows[::2], skip_existing=True) == 1500
        assert store.append_many("run_metric", rows, skip_existing=True) == 1500
        assert len(store.query("run_metric")) == 3000

    def test_rows_of_one_call_have_the_same_columns(self, store: Store) -> None:
        """Otherwise a column would be lost in silence."""
        with pytest.raises(InvalidInput, match="different columns"):
            store.append_many("run", [run_row("a"), run_row("b", reason="because")])
        assert ids(store) == []

    def test_put_many_adds_or_replaces(self, store: Store, second: Store) -> None:
        """The row with the same key is replaced in the columns given; the others are added."""
        store.append("run", run_row("a"))
        store.put_many("run_tag", [{"run_id": "a", "key": key, "value": "1"} for key in "xy"])
        store.put_many("run_tag", [{"run_id": "a", "key": key, "value": "2"} for key in "yz"])
        found = second.query("run_tag", order_by=["key"])
        assert [(row["key"], row["value"]) for row in found] == [("x", "1"), ("y", "2"), ("z", "2")]

    def test_amend_all_changes_every_row_that_fits(self, store: Store) -> None:
        """And says how many; nothing without a condition, and no unknown column."""
        store.append_many("run", [run_row(run_id) for run_id in "abc"])
        assert store.amend_all("run", {"run_id in": ["a", "b", "z"]}, {"status": "failed", "reason": None}) == 2
        assert [row["status"] for row in store.query("run", order_by=["run_id"])] == ["failed", "failed", "running"]
        for where, changes in (({}, {"status": "x"}), ({"run_id": "a"}, {}), ({"run_id": "a"}, {"statuz": "x"})):
            with pytest.raises(InvalidInput):
                store.amend_all("run", where, changes)

    def test_remove_takes_away_what_fits(self, store: Store) -> None:
        """And says how many; without a condition it refuses."""
        store.append("run", run_row("a"))
        store.put_many("run_tag", [{"run_id": "a", "key": key, "value": "1"} for key in "xyz"])
        assert store.remove("run_tag", {"run_id": "a", "key in": ["x", "y", "no"]}) == 2
        assert store.remove("run_tag", {"run_id": "a", "key": "x"}) == 0
        with pytest.raises(InvalidInput, match="all rows"):
            store.remove("run_tag", {})
        assert len(store.query("run_tag")) == 1

    def test_neither_touches_the_ledger(self, store: Store) -> None:
        """What was decided stays."""
        ledger.decide(store, "promote", "m", {})
        for kind in ("ledger", "ledger_head"):
            with pytest.raises(InvalidInput, match="append-only"):
                store.remove(kind, {"seq": 1})
            with pytest.raises(InvalidInput, match="append-only"):
                store.put_many(kind, [{"seq": 1}])
            with pytest.raises(InvalidInput, match="append-only"):
                store.amend_all(kind, {"seq": 1}, {"hash": "x"})
        assert ledger.verify(store).sound

    def test_select_answers_a_question_over_tables(self, store: Store) -> None:
        """Within one's own transaction too."""
        tag, run = TABLES["run_tag"], TABLES["run"]
        statement = sa.select(run.c.name, tag.c.value).join(tag, tag.c.run_id == run.c.run_id)
        with store.transaction():
            store.append("run", run_row("a"))
            store.put_many("run_tag", [{"run_id": "a", "key": "x", "value": "1"}])
            assert store.select(statement) == [{"name": "name", "value": "1"}]

    def test_amend_changes_only_the_columns_named(self, store: Store) -> None:
        """Of one row."""
        store.append_many("run", [run_row("a"), run_row("b")])
        before = store.get("run", {"run_id": "a"})
        store.amend("run", {"run_id": "a"}, {"status": "failed", "reason": "no memory"})
        assert store.get("run", {"run_id": "a"}) == before | {"status": "failed", "reason": "no memory"}
        assert store.get("run", {"run_id": "b"})["status"] == "running"

    def test_amend_to_none(self, store: Store) -> None:
        """None becomes null."""
        store.append("run", run_row("a", reason="because"))
        store.amend("run", {"run_id": "a"}, {"reason": None})
        assert store.get("run", {"run_id": "a"})["reason"] is None

    def test_amend_without_such_a_row(self, store: Store) -> None:
        """NotFound."""
        with pytest.raises(NotFound, match="run_id=a"):
            store.amend("run", {"run_id": "a"}, {"status": "failed"})

    def test_amend_never_changes_two_rows(self, store: Store) -> None:
        """A key that names several rows is refused, and none is changed, inside a transaction as well."""
        store.append_many("run", [run_row("a"), run_row("b")])
        with pytest.raises(InvalidInput, match="does not name one run"):
            store.amend("run", {"name": "name"}, {"status": "failed"})
        with store.transaction(), pytest.raises(InvalidInput, match="does not name one run"):
            store.amend("run", {"name": "name"}, {"status": "failed"})
        assert {row["status"] for row in store.query("run")} == {"running"}

    def test_amend_of_nothing_is_refused(self, store: Store) -> None:
        """No column named is a mistake of the caller."""
        store.append("run", run_row("a"))
        with pytest.raises(InvalidInput, match="no changes"):
            store.amend("run", {"run_id": "a"}, {})

    def test_expect_holds(self, store: Store) -> None:
        """The change is made while the row holds the expected values, null among them."""
        store.append("run", run_row("a"))
        store.amend("run", {"run_id": "a"}, {"status": "failed"}, expect={"status": "running", "reason": None})
        assert store.get("run", {"run_id": "a"})["status"] == "failed"

    def test_expect_no_longer_holds(self, store: Store, second: Store) -> None:
        """Conflict, the message says what the row holds now, and nothing is changed."""
        store.append("run", run_row("a"))
        second.amend("run", {"run_id": "a"}, {"status": "stopped"})
        with pytest.raises(Conflict, match="status=stopped"):
            store.amend("run", {"run_id": "a"}, {"status": "failed"}, expect={"status": "running"})
        assert store.get("run", {"run_id": "a"})["status"] == "stopped"

    def test_expect_lets_one_of_many_through(self, store: Store) -> None:
        """Eight who expect the same: one changes it, seven meet a Conflict."""
        store.append("run", run_row("a"))

        def finish(number: int) -> bool:
            try:
                store.amend("run", {"run_id": "a"}, {"status": f"by {number}"}, expect={"status": "running"})
            except Conflict:
                return False
            return True

        assert sum(in_threads(finish, 8)) == 1

    def test_a_missing_key(self, store: Store) -> None:
        """NotFound, which is also a KeyError, names kind and key."""
        with pytest.raises(NotFound, match="no run with run_id=a"):
            store.get("run", {"run_id": "a"})
        with pytest.raises(KeyError):
            store.get("run", {"run_id": "a"})

    def test_a_key_that_names_two(self, store: Store) -> None:
        """`get` wants the whole key."""
        store.append_many("run", [run_row("a"), run_row("b")])
        with pytest.raises(InvalidInput, match="does not name one run"):
            store.get("run", {"name": "name"})

    # --- what is refused ------------------------------------------------------------------------------------------

    def test_an_unknown_kind(self, store: Store) -> None:
        """InvalidInput with the nearest spelling, from every verb."""
        calls: list[Callable[[], object]] = [
            lambda: store.append("runs", run_row("a")),
            lambda: store.append_many("runs", []),
            lambda: store.amend("runs", {"run_id": "a"}, {"name": "b"}),
            lambda: store.get("runs", {"run_id": "a"}),
            lambda: store.query("runs"),
        ]
        for call in calls:
            with pytest.raises(InvalidInput, match="did you mean 'run'"):
                call()

    def test_an_unknown_column(self, store: Store) -> None:
        """InvalidInput with the nearest spelling, wherever columns are named."""
        store.append("run", run_row("a"))
        calls: list[Callable[[], object]] = [
            lambda: store.append("run", run_row("b", statu="x")),
            lambda: store.amend("run", {"run_id": "a"}, {"statu": "x"}),
            lambda: store.amend("run", {"statu": "a"}, {"status": "x"}),
            lambda: store.amend("run", {"run_id": "a"}, {"status": "x"}, expect={"statu": "running"}),
            lambda: store.get("run", {"statu": "a"}),
            lambda: store.query("run", {"statu": "a"}),
            lambda: store.query("run", {"statu >=": "a"}),
            lambda: store.query("run", order_by=["-statu"]),
        ]
        for call in calls:
            with pytest.raises(InvalidInput, match="did you mean 'status'"):
                call()

    def test_an_unknown_operator(self, store: Store) -> None:
        """InvalidInput names those there are."""
        with pytest.raises(InvalidInput, match="prefix"):
            store.query("run", {"run_id like": "a%"})

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": None},  # a required column
            {"seed": "many"},  # a word where a number belongs
            {"seed": 2**70},  # larger than any column
            {"name": {"a": 1}},  # not a plain value
            {"name": "\ud800"},  # half a character
        ],
        ids=["null", "word", "large", "dictionary", "surrogate"],
    )
    def test_a_value_the_column_cannot_hold(self, store: Store, changes: Row) -> None:
        """InvalidInput, not an error of the database; nothing is written and the store works on."""
        if changes == {"seed": "many"} and not self.checks_types:
            pytest.skip("this database keeps any value in any column")
        with pytest.raises(InvalidInput):
            store.append("run", run_row("a") | changes)
        store.append("run", run_row("a"))
        with pytest.raises(InvalidInput):
            store.amend("run", {"run_id": "a"}, changes)
        with store.transaction():
            with pytest.raises(InvalidInput):
                store.append("run", run_row("b") | changes)
            store.append("run", run_row("c"))
        assert ids(store) == ["a", "c"]
        assert store.get("run", {"run_id": "a"})["name"] == "name"

    def test_a_word_in_a_value_does_not_change_the_error(self, store: Store) -> None:
        """A null is not taken for a taken key because the row holds the word `unique`."""
        with pytest.raises(InvalidInput, match="refused"):
            store.append("run", run_row("a", experiment_id="unique") | {"name": None})

    def test_a_row_about_nothing(self, store: Store) -> None:
        """A metric of a run that does not exist is refused."""
        with pytest.raises(InvalidInput, match="refused"):
            store.append("run_metric", metric_row("nobody", 0))

    def test_the_ledger_is_append_only(self, store: Store) -> None:
        """The database itself refuses to change an entry."""
        ledger.decide(store, "promote", "m", {})
        with pytest.raises(InvalidInput, match="append-only"):
            store.amend("ledger", {"seq": 1}, {"body": "{}"})
        assert ledger.verify(store).sound

    # --- queries --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ({}, "abcd"),
            ({"run_id": "b"}, "b"),
            ({"seed =": 2}, "b"),
            ({"seed !=": 2}, "ac"),  # null is neither equal nor unequal
            ({"seed <": 2}, "a"),
            ({"seed <=": 2}, "ab"),
            ({"seed >": 2}, "c"),
            ({"seed >=": 2}, "bc"),
            ({"seed >=": 2, "seed <": 3}, "b"),
            ({"seed": None}, "d"),
            ({"seed !=": None}, "abc"),
            ({"seed in": [1, 3, 9]}, "ac"),
            ({"seed in": (2,)}, "b"),
            ({"seed in": []}, ""),
            ({"started >=": "2013-02"}, "bcd"),
            ({"name prefix": "50%"}, "a"),
            ({"name prefix": "x_"}, "c"),
            ({"name prefix": "x"}, "cd"),
            ({"name prefix": "X"}, ""),
            ({"name prefix": "\\"}, ""),
            ({"name prefix": ""}, "abcd"),
            ({"name prefix": "x", "seed": None}, "d"),
            ({"name": "nobody"}, ""),
        ],
    )
    def test_conditions(self, store: Store, where: Row, expected: str) -> None:
        """Every operator, null, the empty list, and % _ as themselves."""
        names, seeds = ["50%", "500", "x_y", "xzy"], [1, 2, 3, None]
        for place, run_id in enumerate("abcd"):
            row = run_row(run_id, name=names[place], seed=seeds[place], started=f"2013-0{place + 1}-01")
            store.append("run", row)
        assert "".join(row["run_id"] for row in store.query("run", where, order_by=["run_id"])) == expected

    def test_text_is_not_a_list_of_values(self, store: Store) -> None:
        """Nor is a number."""
        for value in ("abc", 3):
            with pytest.raises(InvalidInput, match="a list of values"):
                store.query("run", {"run_id in": value})

    def test_null_is_neither_before_nor_after(self, store: Store) -> None:
        """None with another operator than = and != is refused."""
        for operator in ("<", "<=", ">", ">="):
            with pytest.raises(InvalidInput, match="only = and !="):
                store.query("run", {f"seed {operator}": None})

    def test_a_list_may_be_long(self, store: Store) -> None:
        """Longer than the number of values that a statement may have, for text and for numbers."""
        store.append_many("run", [run_row("a", seed=5), run_row("é'\"", seed=6), run_row("c", seed=7)])
        many = [str(number) for number in range(300_000)]
        found = store.query("run", {"run_id in": [*many, "é'\"", "c"]}, order_by=["run_id"])
        assert [row["run_id"] for row in found] == ["c", "é'\""]
        assert len(store.query("run", {"seed in": list(range(6, 300_000))})) == 2

    def test_order(self, store: Store) -> None:
        """Several columns, up and down; text by code point; null before every value."""
        rows = {"a": ("x", 1), "b": ("x", 2), "c": ("X", 3), "d": ("_", None), "e": ("é", None)}
        store.append_many("run", [run_row(run_id, name=n, seed=s) for run_id, (n, s) in rows.items()])

        def ordered(*by: str) -> str:
            return "".join(row["run_id"] for row in store.query("run", order_by=by))

        assert ordered("run_id") == "abcde"
        assert ordered("-run_id") == "edcba"
        assert ordered("name", "-run_id") == "cdbae"
        assert ordered("seed", "run_id") == "deabc"
        assert ordered("-seed", "run_id") == "cbade"

    def test_limit(self, store: Store) -> None:
        """The first rows in the order asked for."""
        store.append_many("run", [run_row(run_id) for run_id in "abc"])
        assert [row["run_id"] for row in store.query("run", order_by=["-run_id"], limit=2)] == ["c", "b"]
        assert store.query("run", limit=0) == []
        assert len(store.query("run", limit=9)) == 3

    # --- transactions ---------------------------------------------------------------------------------------------

    def test_a_transaction_is_seen_by_its_own_and_by_nobody_else_before_the_end(
        self, store: Store, second: Store
    ) -> None:
        """Own reads see own writes; others read on, without waiting, what was before."""
        with store.transaction():
            store.append("run", run_row("a"))
            assert ids(store) == ["a"]
            assert store.get("run", {"run_id": "a"})["name"] == "name"
            assert ids(second) == []
        assert ids(second) == ["a"]

    def test_a_failed_transaction_leaves_nothing(self, store: Store, second: Store) -> None:
        """All or nothing, and the error of the block comes out as it is."""
        store.append("run", run_row("a"))
        for error in (RuntimeError, FileNotFoundError, KeyboardInterrupt):
            with pytest.raises(error, match="mine"), store.transaction():  # noqa: PT012 - what stands before matters
                store.append("run", run_row("b"))
                store.amend("run", {"run_id": "a"}, {"status": "failed"})
                raise error("mine")
        assert ids(second) == ["a"]
        assert second.get("run", {"run_id": "a"})["status"] == "running"

    def test_an_inner_transaction_joins_the_outer(self, store: Store, second: Store) -> None:
        """The end of the inner one is no commit, and it falls with the outer one."""
        with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012
            with store.transaction():
                store.append("run", run_row("a"))
            assert ids(second) == []
            raise RuntimeError
        assert ids(store) == []
        with store.transaction(), store.transaction():
            store.append("run", run_row("b"))
        assert ids(second) == ["b"]

    def test_a_transaction_belongs_to_its_thread(self, store: Store) -> None:
        """Another thread does not see what one's open transaction wrote, nor does it join it."""
        with store.transaction():
            store.append("run", run_row("a"))
            assert in_threads(lambda _: ids(store), 1) == [[]]

    def test_a_transaction_holds_the_right_to_write(self, store: Store, second: Store) -> None:
        """What it read nobody else changes before it ends: no count is lost."""
        store.append("store_meta", {"key": "count", "value": "0"})

        def count(number: int) -> None:
            mine = (store, second)[number % 2]
            for _ in range(10):
                with mine.transaction():
                    value = int(mine.get("store_meta", {"key": "count"})["value"])
                    mine.amend("store_meta", {"key": "count"}, {"value": str(value + 1)})

        in_threads(count, 8)
        assert store.get("store_meta", {"key": "count"})["value"] == "80"

    def test_writers_who_cross_wait_for_each_other(self, store: Store, second: Store) -> None:
        """One changes a then b, the other b then a: neither fails."""
        store.append_many("run", [run_row("a"), run_row("b")])
        met = [threading.Event(), threading.Event()]

        def change(number: int) -> None:
            mine = (store, second)[number]
            order = ("a", "b") if number == 0 else ("b", "a")
            with mine.transaction():
                mine.amend("run", {"run_id": order[0]}, {"reason": f"by {number}"})
                met[number].set()
                met[1 - number].wait(timeout=0.3)
                mine.amend("run", {"run_id": order[1]}, {"reason": f"by {number}"})

        in_threads(change, 2)
        assert len({row["reason"] for row in store.query("run")}) == 1

    def test_what_a_savepoint_undoes_is_gone_and_the_rest_stays(self, store: Store) -> None:
        """Only what the block did is undone, the transaction goes on, the observer hears of what stayed."""
        told: list[str] = []
        store.observer = lambda _, key: told.append(key)

        def undone() -> None:
            with store.savepoint():
                store.append_many("run", [run_row("b"), run_row("c")])
                store.amend("run", {"run_id": "a"}, {"status": "failed"})
                raise ZeroDivisionError

        with store.transaction():
            store.append("run", run_row("a"))
            with pytest.raises(ZeroDivisionError):
                undone()
            with store.savepoint():
                store.append("run", run_row("d"))
        assert {row["run_id"]: row["status"] for row in store.query("run")} == {"a": "running", "d": "running"}
        assert told == ["a", "d"]

    def test_a_refusal_in_an_unguarded_part_ends_the_transaction(self, store: Store) -> None:
        """Nothing of it is kept, even where the block goes on."""

        def going_on() -> None:
            with store.transaction():
                store.append("run", run_row("a"))
                with store.unguarded(), pytest.raises(AlreadyExists):
                    store.append_many("run", [run_row("b"), run_row("a")])
                store.append("run", run_row("c"))

        with pytest.raises(StoreUnavailable):
            going_on()
        assert store.query("run") == []
        with store.transaction(), store.unguarded():
            store.append_many("run", [run_row("a"), run_row("b")])
        assert len(store.query("run")) == 2

    def test_the_observer_is_told_after_the_commit(self, store: Store, second: Store) -> None:
        """(kind, key) of each row that was appended, in order, when others can read it."""
        told: list[tuple[str, str, int]] = []
        store.observer = lambda kind, key: told.append((kind, key, len(ids(second))))
        store.append("run", run_row("a"))
        assert told == [("run", "a", 1)]
        told.clear()
        with store.transaction():
            store.append("run", run_row("b"))
            store.append_many("run_metric", [metric_row("b", 0), metric_row("b", 1)])
            store.amend("run", {"run_id": "b"}, {"status": "failed"})
            assert told == []
        assert told == [("run", "b", 2), ("run_metric", "b:loss 0:0", 2), ("run_metric", "b:loss 1:0", 2)]

    def test_the_observer_is_not_told_what_did_not_happen(self, store: Store) -> None:
        """Neither of a failed transaction, nor of a refused row, nor of one passed over."""
        store.append("run", run_row("a"))
        told: list[str] = []
        store.observer = lambda _, key: told.append(key)
        with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012
            store.append("run", run_row("b"))
            raise RuntimeError
        with store.transaction(), pytest.raises(AlreadyExists):
            store.append_many("run", [run_row("c"), run_row("a")])
        assert told == []
        store.append_many("run", [run_row("a"), run_row("d")], skip_existing=True)
        assert told == ["d"]

    # --- content --------------------------------------------------------------------------------------------------

    def test_text_of_any_script_and_length(self, store: Store, second: Store) -> None:
        """Unicode as it is, not normalised; a megabyte of it."""
        texts = {"a": "Ångström 日本語 🦊 \u0301e é \u202e", "b": "ü" * 1_000_000, "c": "", "d": "line\r\n\t'\"\\%"}
        for run_id, text in texts.items():
            store.append("run", run_row(run_id, name=text))
        assert {row["run_id"]: row["name"] for row in second.query("run")} == texts
        assert [row["run_id"] for row in store.query("run", {"name prefix": "Ångström 日"})] == ["a"]

    def test_numbers_are_exact(self, store: Store) -> None:
        """Floats to the last bit; integers of 64 bits where users give them."""
        values = [0.1 + 0.2, 1e-308, 5e-324, 1.7976931348623157e308, 1 / 3]
        store.append("run", run_row("a", seed=2**32 - 1))
        store.append_many("run_metric", [metric_row("a", 2**40 + i, v) for i, v in enumerate(values)])
        found = store.query("run_metric", order_by=["step"])
        assert [row["value"].hex() for row in found] == [value.hex() for value in values]
        assert found[0]["step"] == 2**40
        assert store.get("run", {"run_id": "a"})["seed"] == 2**32 - 1

    # --- many at once ---------------------------------------------------------------------------------------------

    def test_threads_write_at_the_same_time(self, store: Store, second: Store) -> None:
        """8 threads, 20 runs with a metric each: none fails, none is lost."""

        def work(number: int) -> None:
            mine = (store, second)[number % 2]
            for count in range(20):
                run_id = f"{number}-{count}"
                mine.append("run", run_row(run_id))
                mine.append("run_metric", metric_row(run_id, count))

        in_threads(work, 8)
        assert ids(store) == sorted(f"{number}-{count}" for number in range(8) for count in range(20))
        assert len(store.query("run_metric")) == 160

    def test_more_threads_than_connections(self, store: Store) -> None:
        """40 threads on one store: they wait for their turn."""
        in_threads(lambda number: store.append("run", run_row(f"{number:02}")), 40)
        assert len(ids(store)) == 40

    def test_the_same_delivery_twice_at_once(self, store: Store, second: Store) -> None:
        """Two deliver the same rows in opposite order: none fails, each row is new once."""
        store.append("run", run_row("a"))
        rows = [metric_row("a", step) for step in range(500)]

        def deliver(number: int) -> int:
            mine = (store, second)[number]
            return mine.append_many("run_metric", rows[:: 1 - 2 * number], skip_existing=True)

        assert sum(in_threads(deliver, 2)) == 500

    def test_decisions_from_many_threads_are_one_chain(self, store: Store, second: Store) -> None:
        """Numbers 1 to n, unbroken."""

        def decide(number: int) -> list[int]:
            mine = (store, second)[number % 2]
            return [ledger.decide(mine, "promote", f"m{number}", {"count": count}) for count in range(10)]

        numbers = [number for part in in_threads(decide, 8) for number in part]
        assert sorted(numbers) == list(range(1, 81))
        found = ledger.verify(store)
        assert found.sound, found.problems
        assert found.entries == 80

    def test_versions_from_two_threads_are_numbered_without_gaps(
        self, store: Store, second: Store, tmp_path: Path
    ) -> None:
        """1 to n, each once."""
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "weights").write_bytes(b"1")

        def register(number: int) -> list[int]:
            mine = (store, second)[number]
            made = [registry.register(mine, "m", tmp_path / "model", run=None, signature={}) for _ in range(10)]
            return [version.version for version in made]

        first, other = in_threads(register, 2)
        assert sorted(first + other) == list(range(1, 21))
        assert first == sorted(first)

    def test_closing_twice(self, second: Store) -> None:
        """Harmless."""
        second.close()
        second.close()


def run_row(run_id: str, **changes: object) -> Row:
    """The least that a run needs."""
    names = ("experiment_id", "name", "stage", "kind", "trigger_type", "started")
    return {name: name for name in names} | {"run_id": run_id, "status": "running"} | changes


def metric_row(run_id: str, step: int, value: float = 0.5) -> Row:
    """What a metric of a run sums up to; each step has a key of its own."""
    numbers = dict.fromkeys(("layer", "ts_ms", "count", "numbers", "last_ms", "last_step", "chunks"), 0)
    return {"run_id": run_id, "key": f"loss {step}", "step": step, "value": value} | numbers


def version_row(mv_id: str, version: int) -> Row:
    """The least that a version of the model `m` needs."""
    return {"mv_id": mv_id, "model": "m", "version": version, "hash": "0" * 64, "created": "now"}


def ids(store: Store) -> list[str]:
    """The ids of all runs in order."""
    return [row["run_id"] for row in store.query("run", order_by=["run_id"])]


def in_threads(work: Callable[[int], _T], count: int) -> list[_T]:
    """`work(0)` to `work(count - 1)` started together in threads; the first error of any comes out."""
    start = threading.Barrier(count, timeout=30)

    def begin(number: int) -> _T:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def _full_row(table: sa.Table) -> Row:
    values = {sa.Text: "käy", sa.Integer: 7, sa.BigInteger: 2**40, sa.Float: 0.1 + 0.2, sa.LargeBinary: b"\x00\xff"}
    return {column.name: values[type(column.type)] for column in table.c}
