"""The rule of online rows equals the knowledge-time join, whatever comes in which order."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.matching import NOTHING, latest
from assay.build.views.matching.wanted import Wanted
from assay.build.views.online.rows import KeptRow, Rule, answer, candidates, kept_rows

_moments = st.integers(0, 12)
_rows = st.lists(st.tuples(_moments, st.none() | _moments, st.none() | st.integers(0, 3)), max_size=12)


def table(rows: list[tuple[int, int | None, int | None]], first: int = 0) -> pa.Table:
    """Rows (ts, created, value) of one key in the one form, arriving in order."""
    return pa.table(
        {
            "k": pa.array([1] * len(rows), pa.int64()),
            TS: pa.array([row[0] for row in rows], pa.int64()),
            CREATED: pa.array([row[1] for row in rows], pa.int64()),
            ARRIVAL: pa.array(range(first, first + len(rows)), pa.int64()),
            "x": pa.array([row[2] for row in rows], pa.int64()),
        }
    )


def tuples(rows: pa.Table) -> list[KeptRow]:
    """The rows that are ever visible, as tuples."""
    found = zip(*[rows.column(name).to_pylist() for name in (TS, CREATED, ARRIVAL, "x")], strict=True)
    return [row for row in found if row[1] is not None]


def offline(rows: pa.Table, view: FeatureView, now: int) -> tuple[int, int, int | None]:
    """Status, ts and value of the join."""
    labels = Wanted(pa.table({"k": [1]}), np.array([now]), np.array([True]))
    found = latest(labels, [rows], view, "known")
    return int(found.status[0]), int(found.ts[0]), found.values.column("x")[0].as_py()


def online(rows: list[KeptRow], rule: Rule, now: int) -> tuple[int, int, int | None]:
    """Status, ts and value of a read."""
    found = answer(rows, rule, now)
    return (found.status, NOTHING, None) if found.row is None else (found.status, found.row[0], found.row[3])


@given(
    writes=st.lists(st.tuples(st.integers(0, 4), _rows), max_size=5),
    again=st.booleans(),
    delay=st.integers(0, 3),
    strict=st.booleans(),
    ttl=st.none() | st.integers(1, 6),
)
def test_a_read_equals_the_join_for_a_label_row_of_that_moment(
    writes: list[tuple[int, list[tuple[int, int | None, int | None]]]],
    again: bool,
    delay: int,
    strict: bool,
    ttl: int | None,
) -> None:
    """After every write, at every later moment, with what was forgotten; a repeated write changes nothing."""
    view = FeatureView("v", ("k",), "ts", None, "created", ttl, delay, strict)
    rule = Rule(delay, int(strict), ttl)
    kept: list[KeptRow] = []
    arrived = table([])
    clock = 0
    for passes, rows in writes:
        clock += passes
        part = table(rows, arrived.num_rows)
        arrived = pa.concat_tables([arrived, part])
        chosen = candidates(part, np.zeros(part.num_rows, np.int64), rule, clock)
        kept = kept_rows([*kept, *tuples(part.take(pa.array(chosen)))], rule, clock)
        if again:
            assert kept_rows([*kept, *tuples(part)], rule, clock) == kept
        for now in range(clock, 20):
            assert online(kept, rule, now) == offline(arrived, view, now)


@given(rows=_rows, delay=st.integers(0, 3), strict=st.booleans(), horizon=_moments)
def test_what_is_chosen_from_a_table_is_what_would_be_kept_of_it(
    rows: list[tuple[int, int | None, int | None]], delay: int, strict: bool, horizon: int
) -> None:
    """Two keys in turn: each is chosen from by itself, in the same order."""
    rule, given_rows = Rule(delay, int(strict), None), table(rows)
    codes = np.arange(len(rows)) % 2
    chosen = candidates(given_rows, codes, rule, horizon)
    found = [int(place) for place in chosen]
    expected = []
    for code in (0, 1):
        own = given_rows.filter(pa.array(codes == code))
        expected += [row[2] for row in kept_rows(tuples(own), rule, horizon)]
    assert found == expected
