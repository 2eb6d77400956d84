"""What is kept for aggregates gives what the knowledge-time join gives, whatever comes in which order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.build.views.declared.aggregates import Aggregate
from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.aggregating import windowed
from assay.build.views.matching.matching import MISSING, PRESENT
from assay.build.views.matching.wanted import Wanted
from assay.build.views.online import window_rows
from assay.build.views.online.rows import Answered
from assay.build.views.online.window_rows import WindowRows

_AGGREGATES = {
    "n": Aggregate("count", None, 2),
    "total": Aggregate("sum", "x", 5),
    "different": Aggregate("distinct", "x", 5),
    "newest": Aggregate("last", "x", 9),
}
_VALUES = pa.schema([("x", pa.int64()), ("e", pa.int64())])
_moments = st.integers(0, 15)
_row = st.tuples(_moments, st.none() | _moments, st.none() | st.integers(0, 3), st.none() | st.integers(0, 2))
_writes = st.lists(st.tuples(st.integers(0, 4), st.lists(_row, max_size=8)), max_size=5)
Row = tuple[int, int | None, int | None, int | None]


def table(rows: Sequence[Row], first: int = 0) -> pa.Table:
    """Rows (ts, created, x, e) of one key, arriving in order."""
    columns = [[row[place] for row in rows] for place in range(4)]
    arrival = list(range(first, first + len(rows)))
    names = ["k", TS, CREATED, ARRIVAL, "x", "e"]
    lists: list[list[Any]] = [[1] * len(rows), columns[0], columns[1], arrival, columns[2], columns[3]]
    return pa.table({name: pa.array(one, pa.int64()) for name, one in zip(names, lists, strict=True)})


def view_with(event: tuple[str, ...] = (), delay: int = 0, strict: bool = False) -> FeatureView:
    """A view of aggregates over the key "k"."""
    return FeatureView(
        "v", ("k",), "ts", None, "created", None, delay, strict, event, tuple(_AGGREGATES), {}, _AGGREGATES
    )


def offline(rows: pa.Table, view: FeatureView, moments: range) -> list[tuple[int, int, list[Any]]]:
    """Status, ts and values of the join at each moment."""
    labels = Wanted(pa.table({"k": [1] * len(moments)}), np.array(moments), np.ones(len(moments), bool))
    found = windowed(labels, [rows], view, "known")
    values = zip(*[found.values.column(name).to_pylist() for name in _AGGREGATES], strict=True)
    return list(zip(found.status.tolist(), found.ts.tolist(), map(list, values), strict=True))


def online(kept: WindowRows, data: bytes | None, now: int) -> tuple[int, int, list[Any]]:
    """Status, ts and values of a read."""
    held = kept.held([b"k"], now)
    revision = hash(data)
    known = b"k" in held and held[b"k"].revision == revision
    found = {} if data is None else {b"k": (revision, None if known else data)}
    (answered,) = kept.answers([b"k"], found, now, held)
    assert answered.row is not None
    return answered.status, answered.row[0], list(answered.row[3:])


def written(
    kept: WindowRows, data: bytes | None, part: pa.Table, now: int, horizon: int
) -> tuple[bytes | None, tuple[int, int]]:
    """What is kept after a write, and how many rows came in: visible now, and later."""
    chosen = kept.few(part, np.zeros(part.num_rows, np.int64), horizon)
    if not len(chosen):
        return data, (0, 0)
    few = part.take(pa.array(chosen))
    folded = kept.folded([data], few, np.zeros(len(chosen), np.int64), now, horizon)
    return (folded[0].data, (folded[0].applied, folded[0].waiting)) if folded else (data, (0, 0))


@settings(max_examples=60)
@given(writes=_writes, delay=st.integers(0, 3), strict=st.booleans(), again=st.booleans(), down=st.booleans())
def test_a_read_equals_the_join_for_a_label_row_of_that_moment(
    writes: list[tuple[int, list[Row]]], delay: int, strict: bool, again: bool, down: bool
) -> None:
    """After every write, at every later moment, in either order; a repeated write changes nothing."""
    view = view_with(delay=delay, strict=strict)
    kept = WindowRows(view, _VALUES)
    data: bytes | None = None
    arrived = table([])
    clock = 0
    for passes, rows in writes:
        clock += passes
        part = table(rows, arrived.num_rows)
        arrived = pa.concat_tables([arrived, part])
        data, _ = written(kept, data, part, clock, clock)
        if again:
            assert written(kept, data, part, clock, clock) == (data, (0, 0))
        moments = range(clock, 32)[:: -1 if down else 1]
        assert [online(kept, data, now) for now in moments] == offline(arrived, view, moments)


@settings(max_examples=60)
@given(writes=_writes)
def test_versions_of_one_event_with_times_of_their_own_replace_each_other(writes: list[tuple[int, list[Row]]]) -> None:
    """A correction that moves an event out of the window takes it away, whichever version comes first."""
    view = view_with(event=("e",))
    kept = WindowRows(view, _VALUES)
    data: bytes | None = None
    arrived = table([])
    clock = 0
    for passes, rows in writes:
        clock += passes
        timely: list[Row] = [
            (ts, max(ts, created or 0, clock - 8), x, e) for ts, created, x, e in rows
        ]  # at most 8 late
        part = table(timely, arrived.num_rows)
        arrived = pa.concat_tables([arrived, part])
        data, _ = written(kept, data, part, clock, clock)
        moments = range(clock, 32)
        assert [online(kept, data, now) for now in moments] == offline(arrived, view, moments)


def test_rows_that_have_left_all_windows_are_forgotten_at_the_next_write() -> None:
    kept = WindowRows(view_with(), _VALUES)
    data, counts = written(kept, None, table([(1, 1, 5, None), (8, 8, 6, None)]), 8, 8)
    assert counts == (2, 0)
    later, counts = written(kept, data, table([(20, 12, 7, None)], first=2), 12, 12)
    assert counts == (0, 1)
    assert data is not None
    assert later is not None
    kept_ts = [kept._unpacked(one).column(TS).to_pylist() for one in (data, later)]
    assert kept_ts == [[1, 8], [8, 20]]
    gone, _ = written(kept, later, table([(21, 40, 7, None)], first=3), 45, 45)
    assert gone == later  # what is too old itself touches nothing
    one = table([(60, 50, 7, None)], first=4)
    assert kept._unpacked(written(kept, later, one, 60, 60)[0]).column(TS).to_pylist() == [60]


def test_a_key_that_was_never_written_counts_nothing() -> None:
    kept = WindowRows(view_with(), _VALUES)
    (found, none) = kept.answers([b"k", None], {}, 5, {})
    assert found.status == MISSING
    assert found.row is not None
    assert found.row[3:] == (0, None, 0, None)
    assert none.row is None


def test_a_hot_read_works_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two writes everything is looked up, as far as it was worked out."""
    kept = WindowRows(view_with(), _VALUES)
    data, _ = written(kept, None, table([(ts, ts, ts, None) for ts in range(10)]), 9, 9)
    assert data is not None
    cold = kept.answers([b"k"], {b"k": (7, data)}, 9, {})
    asked = []
    monkeypatch.setattr(window_rows, "windowed", lambda *given: asked.append(given))
    hot = [kept.answers([b"k"], {b"k": (7, None)}, now, kept.held([b"k"], now)) for now in range(9, 30)]
    assert hot[0] == cold
    assert [one[0].status for one in hot] == [PRESENT] * 9 + [MISSING] * 12
    assert asked == []


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_a_read_that_works_few_moments_out_gives_what_one_does_that_works_out_all(
    ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where what is remembered ends, it is worked out again."""
    view = view_with()
    part = table([(ts, ts + ts % 3, ts, None) for ts in range(12)])
    monkeypatch.setattr(window_rows, "_AHEAD", ahead)
    kept = WindowRows(view, _VALUES)
    data, _ = written(kept, None, part, 2, 2)
    assert [online(kept, data, now) for now in range(2, 30)] == offline(part, view, range(2, 30))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_rows, "_HELD", 30)
    kept = WindowRows(view_with(), _VALUES)
    data, _ = written(kept, None, table([(ts, ts, ts, None) for ts in range(10)]), 9, 9)
    assert data is not None
    for place in range(20):
        key = b"%d" % place
        (found,) = kept.answers([key], {key: (7, data)}, 9, {})
        assert isinstance(found, Answered)
        assert sum(len(line.moments) for line in kept._lines.values()) == kept._size <= 30
    assert kept.held([b"19"], 9)
    assert not kept.held([b"0"], 9)
