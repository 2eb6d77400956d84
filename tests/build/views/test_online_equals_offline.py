"""Whatever happens in whatever order, online answers now as the offline knowledge-time join does, and as two loops do.

Materialising, pushing, late rows, equal rows, rows from the future, rows that go from the source and come back, time
that passes, a rebuild, writers that die between the log and the online store, and a write that is repeated.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace
from tests.build.views.oracle import Row, joined
from tests.build.views.window_oracle import aggregated

from assay.build.views.arriving import push as push_module
from assay.build.views.arriving.materialize import materialize_view
from assay.build.views.arriving.push import push
from assay.build.views.arriving.pushed_rows import pushed_rows
from assay.build.views.declared.aggregates import Aggregate, count, distinct, last, sum_of
from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.declared.view import feature_view
from assay.build.views.log import log_rewriting
from assay.build.views.log.log import append_rows, logged_rows, no_rows
from assay.build.views.matching.matching import STATUSES, matched
from assay.build.views.matching.wanted import Wanted
from assay.build.views.online.store import open_online
from assay.build.views.registry.registered import register, view_of
from assay.record import open_store

UNIT = 2_000_000  # microseconds, less than half of what clocks may differ by: what is forgotten matters
ZERO = 1_000 * UNIT
KEYS = [1, 2, 3]
DELAY, TTL, WINDOW = 2, 9, 5
WINDOWS = {
    "n": count(over=f"{WINDOW * 2}s"),
    "total": sum_of("value", over=f"{WINDOW * 2}s"),
    "kinds": distinct("value", over=f"{WINDOW * 4}s"),
    "newest": last("value", over=f"{WINDOW * 4}s"),
}

One = tuple[int | None, int, int | None, int | None]  # key, ts, created and value; times in units after ZERO
rows = st.lists(
    st.tuples(
        st.sampled_from([*KEYS, None]),
        st.integers(0, 30),
        st.one_of(st.none(), st.integers(0, 30)),
        st.one_of(st.none(), st.integers(0, 3)),
    ),
    min_size=1,
    max_size=6,
)


class Machine(RuleBasedStateMachine):
    """One view with its source, its log and its online table."""

    has_created = False
    has_windows = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "rows.parquet"
        self.store = open_store(Path(self.folder.name) / "store")
        self.online = open_online(self.store)
        self.source: list[One] = []
        self.held: Counter[One] = Counter()  # what the source held when it was materialised last
        self.gone: Counter[One] = Counter()  # what is logged and has gone from it, until it is left out
        self.expected: Counter[One] = Counter()  # what the log must hold
        self.now = ZERO
        self.is_behind = False
        how: dict[str, Any] = {"features": WINDOWS} if self.has_windows else {"ttl": f"{TTL * 2}s"}
        how |= {"created": "seen"} if self.has_created else {}
        self.write_source()
        view = feature_view("v", entity="key", time="at", source=str(self.path), delay=f"{DELAY * 2}s", **how)
        self.version = register(self.store, view)
        self.view = view_of(self.version)

    def teardown(self) -> None:
        self.online.close()
        self.store.close()
        self.folder.cleanup()

    @rule(some=rows)
    def the_source_gets_rows(self, some: list[One]) -> None:
        self.source += [self.told(one) for one in some]

    @precondition(lambda self: self.source)
    @rule(seed=st.integers(0, 99))
    def the_source_loses_some_rows_and_is_shuffled(self, seed: int) -> None:
        order = np.random.default_rng(seed).permutation(len(self.source))
        self.source = [self.source[place] for place in order[seed % 3 :]]

    @precondition(lambda self: self.source)
    @rule(place=st.integers(0, 99))
    def a_row_of_the_source_is_there_twice(self, place: int) -> None:
        self.source.append(self.source[place % len(self.source)])

    @rule(rebuild=st.booleans())
    def materialise(self, rebuild: bool) -> None:
        self.write_source()
        now = Counter(self.source)
        found = materialize_view(
            self.store, self.version, self.view, rebuild=rebuild, sample=9, now_us=lambda: self.now
        )
        assert found.source.logged == (now - self.held).total()
        assert found.source.gone == (self.held - now).total()
        self.gone += self.held - now
        self.expected += now - self.held
        self.held = now
        if rebuild:
            self.expected -= self.gone
            self.gone.clear()
        assert found.agreement is None or found.agreement.differing == 0, found.agreement
        self.is_behind = False

    @rule(some=rows)
    def push_rows(self, some: list[One]) -> None:
        some = [self.told(one) for one in some]
        found = push(self.version, self.table(some), store=self.store, online=self.online, now_us=self.now)
        assert found.rows == len(some) == found.applied + found.late + found.waiting + found.unusable
        self.pushed(some)
        self.is_behind = False

    @rule(some=rows)
    def somebody_logs_rows_and_dies_before_they_are_online(self, some: list[One]) -> None:
        some = [self.told(one) for one in some]
        append_rows(self.store, self.version, pushed_rows(self.version, self.table(some)), "push", self.now)
        self.pushed(some)
        self.is_behind = True

    @precondition(lambda self: not self.is_behind)
    @rule(seed=st.integers(0, 99))
    def somebody_writes_logged_rows_again_in_another_order(self, seed: int) -> None:
        parts = list(logged_rows(self.store, self.version))
        if parts:
            part = parts[seed % len(parts)]
            order = np.random.default_rng(seed).permutation(part.num_rows)
            self.online.table(self.version).write(part.take(pa.array(order)), self.now)

    @rule(units=st.integers(1, 8))
    def time_passes(self, units: int) -> None:
        self.now += units * UNIT

    @invariant()
    def the_log_holds_what_came(self) -> None:
        found = [self.told((one["key"], one["ts"], one["created"], one["value"])) for one in self.logged()]
        assert Counter(found) == +self.expected

    @precondition(lambda self: not self.is_behind)
    @invariant()
    def online_is_offline_now(self) -> None:
        answers = self.online.table(self.version).read([(key,) for key in KEYS], self.now)
        asked = Wanted(pa.table({"key": KEYS}), np.full(len(KEYS), self.now), np.ones(len(KEYS), bool))
        offline = matched(asked, self.parts(), self.view, "known")
        log = self.logged()
        labels = [{"key": key, "t": (self.now - ZERO) // UNIT} for key in KEYS]
        truth: Sequence[Any]
        served: Sequence[Any]
        if self.has_windows:
            windows = {name: _in_units(one) for name, one in WINDOWS.items()}
            truth = aggregated(labels, log, ["key"], windows, known=True, delay=DELAY)
            served = [dict(zip(WINDOWS, one.row[3:], strict=True)) if one.row else None for one in answers]
        else:
            truth = joined(labels, log, ["key"], known=True, delay=DELAY, ttl=TTL)
            truth = [(status, row and row["value"]) for status, row in truth]
            served = [(STATUSES[one.status], one.row and one.row[3]) for one in answers]
        values = offline.values.to_pylist()
        assert served == truth
        assert [STATUSES[one] for one in offline.status] == [STATUSES[one.status] for one in answers]
        assert values == truth if self.has_windows else [one["value"] for one in values] == [one for _, one in truth]

    # --- helpers ----------------------------------------------------------------------------------------------------

    def told(self, one: One) -> One:
        """A row as the view tells it: without a created where none is declared."""
        return one if self.has_created else (one[0], one[1], None, one[3])

    def pushed(self, some: list[One]) -> None:
        self.expected += Counter(some)

    def write_source(self) -> None:
        pq.write_table(self.table(self.source), self.path)

    def table(self, some: Sequence[One]) -> pa.Table:
        def times(place: int) -> pa.Array:
            units = [None if one[place] is None else ZERO + one[place] * UNIT for one in some]  # type: ignore[operator]
            return pa.array(units, pa.int64()).cast(pa.timestamp("us", "UTC"))

        columns = {"key": pa.array([one[0] for one in some], pa.int64()), "at": times(1)}
        columns |= {"seen": times(2)} if self.has_created else {}
        return pa.table({**columns, "value": pa.array([one[3] for one in some], pa.int64())})

    def parts(self) -> list[pa.Table]:
        found = list(logged_rows(self.store, self.version))
        return found or [no_rows(self.version)]

    def logged(self) -> list[Row]:
        """The rows of the log with times in units."""
        return [
            {
                "key": row["key"],
                "ts": (row[TS] - ZERO) // UNIT,
                "created": None if row[CREATED] is None else (row[CREATED] - ZERO) // UNIT,
                "arrival": row[ARRIVAL],
                "value": row["value"],
            }
            for part in logged_rows(self.store, self.version)
            for row in part.to_pylist()
        ]


def _in_units(one: Aggregate) -> Aggregate:
    return replace(one, window_us=one.window_us // UNIT)


@pytest.fixture(autouse=True)
def _parts_are_put_together_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_rewriting, "_MANY", 3)
    monkeypatch.setattr(push_module, "_LOOK_EVERY", 2)


@pytest.mark.parametrize("has_created", [False, True], ids=["arrival", "created"])
@pytest.mark.parametrize("has_windows", [False, True], ids=["single", "windows"])
def test_online_equals_offline_after_any_interleaving(has_windows: bool, has_created: bool) -> None:
    machine = type("OneMachine", (Machine,), {"has_created": has_created, "has_windows": has_windows})
    run_state_machine_as_test(machine, settings=settings(max_examples=8, stateful_step_count=14, deadline=None))


@pytest.mark.slow
@pytest.mark.parametrize("has_created", [False, True], ids=["arrival", "created"])
@pytest.mark.parametrize("has_windows", [False, True], ids=["single", "windows"])
def test_online_equals_offline_after_many_interleavings(has_windows: bool, has_created: bool) -> None:
    machine = type("OneMachine", (Machine,), {"has_created": has_created, "has_windows": has_windows})
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))
