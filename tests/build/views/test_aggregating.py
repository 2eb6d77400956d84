"""Aggregates over windows: random histories against loops, in any order and in any batches."""

import itertools
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.build.views.window_oracle import Row, aggregated, counted

from assay.build.views.declared.aggregates import Aggregate
from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.matching import kept_rows
from assay.build.views.matching.aggregating import windowed
from assay.build.views.matching.matching import NOTHING, STATUSES, Matched, Mode
from assay.build.views.matching.wanted import Wanted

_TIMES = st.integers(-9, 9)
_KEYS = st.one_of(st.none(), st.integers(0, 2))
_TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "ab"]))
_FLOATS = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 0.1, -0.1, 1e16, -1e16, 1.0, 1e300, 1.7e308, 5e-324]),
    st.floats(allow_nan=False),
)
_WHOLE = st.one_of(st.none(), st.integers(-3, 3), st.integers(-(2**57), 2**57))
_COLUMNS = {"x": pa.float64(), "n": pa.int64(), "s": pa.large_string(), "e": pa.int64(), "b": pa.bool_()}
_OF: dict[str, list[str | None]] = {
    "sum": ["x", "n", "b"], "mean": ["x", "n", "b"], "count": [None, "x", "s"], "distinct": ["x", "n", "s"],
    "last": ["x", "s"], "min": ["x", "n", "s", "b"], "max": ["x", "n", "s", "b"],
}  # fmt: skip


@dataclass
class Case:
    """A view, its rows, label rows, and in which batches the rows come."""

    labels: list[Row]
    rows: list[Row]
    aggregates: dict[str, Aggregate]
    event: tuple[str, ...]
    known: bool
    strict: bool
    delay: int
    cuts: list[int]
    kept: str


@st.composite
def cases(draw: st.DrawFn) -> Case:
    label = st.fixed_dictionaries({"k": _KEYS, "j": _TEXTS, "t": st.one_of(st.none(), _TIMES)})
    row = st.fixed_dictionaries(
        {
            "k": _KEYS,
            "j": _TEXTS,
            "ts": _TIMES,
            "created": st.one_of(st.none(), _TIMES),
            "x": _FLOATS,
            "n": _WHOLE,
            "s": _TEXTS,
            "b": st.one_of(st.none(), st.booleans()),
            "e": st.one_of(st.none(), st.integers(0, 3)),
        }
    )
    rows: list[Row] = draw(st.lists(row, max_size=30))
    if draw(st.booleans()):  # all of one entity, so that windows are full
        rows = [{**one, "k": 1, "j": "a"} for one in rows]
    arrival = draw(st.permutations(range(len(rows))))
    rows = [{**one, "arrival": place} for one, place in zip(rows, arrival, strict=True)]
    aggregates = {}
    for place in range(draw(st.integers(1, 5))):
        kind: Any = draw(st.sampled_from(sorted(_OF)))
        aggregates[f"f{place}"] = Aggregate(kind, draw(st.sampled_from(_OF[kind])), draw(st.integers(1, 12)))
    return Case(
        draw(st.lists(label, max_size=12)) + [{"k": 1, "j": "a", "t": t} for t in draw(st.lists(_TIMES, max_size=6))],
        rows,
        aggregates,
        draw(st.sampled_from([(), ("ts",), ("e",), ("e", "s")])),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from([0, 0, 1, 3])),
        sorted(draw(st.lists(st.integers(0, len(rows)), max_size=3))),
        draw(st.sampled_from(["together", "together", "in parts", "on disk"])),
    )


@settings(max_examples=500, deadline=None)
@given(cases())
def test_each_window_has_what_loops_over_the_rows_find(case: Case) -> None:
    rules: Any = {
        "known": case.known, "strict": case.strict, "delay": case.delay, "event": case.event or ("ts",)
    }  # fmt: skip
    expected = aggregated(case.labels, case.rows, ["k", "j"], case.aggregates, **rules)
    found = _found(case)
    assert _exactly(found.values.to_pylist()) == _exactly(expected)
    longest = max(one.window_us for one in case.aggregates.values())
    later = ties = 0
    for place, label in enumerate(case.labels):
        has_key = label["k"] is not None and label["j"] is not None
        seen = counted(label, case.rows, ["k", "j"], **rules) if has_key and label["t"] is not None else []
        inside = [row for row in seen if label["t"] - longest < row["ts"]]
        newest = max(inside, key=_greatness, default=None)
        visible = [one for row in case.rows if seen for one in counted(label, [row], ["k", "j"], **rules)]
        ties += any(label["t"] - longest < row["ts"] for row in visible if row not in seen)
        written = [row["created"] for row in inside if row["created"] is not None]
        later += not case.known and any(one >= label["t"] if case.strict else one > label["t"] for one in written)
        status = "present" if newest else "missing" if has_key else "null_key"
        assert STATUSES[found.status[place]] == status
        assert found.ts[place] == (newest["ts"] if newest else NOTHING)
        assert found.created[place] == (newest["created"] if newest and newest["created"] is not None else NOTHING)
        assert found.arrival[place] == (newest["arrival"] if newest else NOTHING)
    assert (found.later, found.ties) == (later, ties)


def test_few_events_with_many_corrections_have_what_loops_over_the_rows_find() -> None:
    chance = random.Random(8)
    aggregates = {"l": Aggregate("last", "n", 9), "n": Aggregate("count", None, 4), "m": Aggregate("max", "n", 6)}
    for _ in range(400):
        rows: list[Row] = []
        for place in range(chance.randint(2, 9)):
            ts = chance.randint(0, 12)
            own = {"k": 1, "j": "a", "ts": ts, "created": ts + chance.randint(0, 9), "arrival": place, "n": place}
            rows.append({**own, "x": None, "s": None, "b": None, "e": chance.randint(0, 2)})
        labels = [{"k": 1, "j": "a", "t": chance.randint(0, 20)} for _ in range(4)]
        case = Case(labels, rows, aggregates, ("e",), True, False, 0, [], "together")
        expected = aggregated(labels, rows, ["k", "j"], aggregates, known=True, event=("e",))
        assert _found(case).values.to_pylist() == expected


def _greatness(row: Row) -> tuple[int, bool, int, int]:
    return row["ts"], row["created"] is not None, row["created"] or 0, row["arrival"]


def _exactly(rows: list[Row]) -> list[Row]:
    """Floats as their bits, but that 0 has no sign."""
    return [{name: (one + 0.0).hex() if isinstance(one, float) else one for name, one in row.items()} for row in rows]


def _found(case: Case) -> Matched:
    mode: Mode = "known" if case.known else "event"
    with pytest.MonkeyPatch.context() as patch:
        if case.kept == "in parts":
            patch.setattr(kept_rows, "TOGETHER", 4)
        if case.kept == "on disk":
            patch.setattr(kept_rows, "IN_MEMORY", 300)
        return windowed(_wanted(case.labels), _batches(case), _view(case), mode)


def _view(case: Case) -> FeatureView:
    view: FeatureView = feature_view(
        "scores", entity=["k", "j"], time="ts", created="created", source="rows", features=case.aggregates,
        strict=case.strict, event=case.event,
    )  # fmt: skip
    object.__setattr__(view, "delay_us", case.delay)
    return view


def _wanted(labels: list[Row]) -> Wanted:
    t = [one["t"] for one in labels]
    keys = pa.table({"k": _column(labels, "k", pa.int64()), "j": _column(labels, "j", pa.large_string())})
    known = [None not in (one["t"], one["k"], one["j"]) for one in labels]
    return Wanted(keys, np.array([one or 0 for one in t], np.int64), np.array(known, bool))


def _batches(case: Case) -> list[pa.Table]:
    rows = case.rows
    table = pa.table(
        {
            "k": _column(rows, "k", pa.int64()),
            "j": _column(rows, "j", pa.large_string()),
            TS: _column(rows, "ts", pa.int64()),
            CREATED: _column(rows, "created", pa.int64()),
            ARRIVAL: _column(rows, "arrival", pa.int64()),
            "ts": _column(rows, "ts", pa.int64()),
            **{name: _column(rows, name, kind) for name, kind in _COLUMNS.items()},
        }
    )
    ends = [0, *case.cuts, table.num_rows]
    return [table.slice(start, end - start) for start, end in itertools.pairwise(ends)]


def _column(rows: list[Row], name: str, kind: Any) -> pa.Array:
    return pa.array([row[name] for row in rows], kind)
