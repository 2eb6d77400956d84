"""Which row a label row takes: random histories against two loops, in any order and in any batches."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.build.views.oracle import Row, joined

from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.matching.matching import NOTHING, STATUSES, Mode, latest
from assay.build.views.matching.wanted import Wanted

_TIMES = st.integers(-6, 6)
_KEYS = st.one_of(st.none(), st.integers(0, 2))
_TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "ab"]))


@dataclass
class Case:
    """A view, its rows, label rows, and in which batches the rows come."""

    labels: list[Row]
    rows: list[Row]
    known: bool
    strict: bool
    delay: int
    ttl: int | None
    cuts: list[int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    label = st.fixed_dictionaries({"k": _KEYS, "j": _TEXTS, "t": st.one_of(st.none(), _TIMES)})
    row = st.fixed_dictionaries(
        {
            "k": _KEYS,
            "j": _TEXTS,
            "ts": _TIMES,
            "created": st.one_of(st.none(), _TIMES),
            "v": st.one_of(st.none(), st.integers(0, 9)),
        }
    )
    rows: list[Row] = draw(st.lists(row, max_size=30))
    arrival = draw(st.permutations(range(len(rows))))
    rows = [{**one, "arrival": place} for one, place in zip(rows, arrival, strict=True)]
    return Case(
        draw(st.lists(label, max_size=12)),
        rows,
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from([0, 0, 1, 3])),
        draw(st.one_of(st.none(), st.integers(1, 8))),
        sorted(draw(st.lists(st.integers(0, len(rows)), max_size=3))),
    )


@settings(max_examples=1000, deadline=None)
@given(cases())
def test_each_label_row_takes_what_two_loops_find(case: Case) -> None:
    expected = joined(
        case.labels, case.rows, ["k", "j"], known=case.known, strict=case.strict, delay=case.delay, ttl=case.ttl
    )
    mode: Mode = "known" if case.known else "event"
    found = latest(_wanted(case.labels), _batches(case), _view(case), mode)
    assert [STATUSES[code] for code in found.status] == [status for status, _ in expected]
    assert found.values.column("v").to_pylist() == [row and row["v"] for _, row in expected]
    assert found.arrival.tolist() == [row["arrival"] if row else NOTHING for _, row in expected]
    assert found.ts.tolist() == [row["ts"] if row else NOTHING for _, row in expected]
    assert found.created.tolist() == [
        row["created"] if row and row["created"] is not None else NOTHING for _, row in expected
    ]
    assert found.ties == sum(_tied(case, label, row) for label, (_, row) in zip(case.labels, expected, strict=True))
    assert found.later == sum(
        row is not None
        and row["created"] is not None
        and (row["created"] >= label["t"] if case.strict else row["created"] > label["t"])
        for label, (_, row) in zip(case.labels, expected, strict=True)
    )


def _tied(case: Case, label: Row, used: Row | None) -> bool:
    if used is None:
        return False
    same = [row for row in case.rows if all(row[name] == used[name] for name in ("k", "j", "ts"))]
    alone = [
        joined([label], [row], ["k", "j"], known=case.known, strict=case.strict, delay=case.delay)[0][1] for row in same
    ]
    return sum(row is not None for row in alone) > 1


def _view(case: Case) -> FeatureView:
    view: FeatureView = feature_view(
        "scores", entity=["k", "j"], time="ts", created="created", source="rows", features=["v"], strict=case.strict
    )
    object.__setattr__(view, "ttl_us", case.ttl)
    object.__setattr__(view, "delay_us", case.delay)
    return view


def _wanted(labels: list[Row]) -> Wanted:
    t = [one["t"] for one in labels]
    keys = pa.table({"k": _column(labels, "k", pa.int64()), "j": _column(labels, "j", pa.large_string())})
    known = [None not in (one["t"], one["k"], one["j"]) for one in labels]
    return Wanted(keys, np.array([one or 0 for one in t], np.int64), np.array(known, bool))


def _batches(case: Case) -> list[pa.Table]:
    table = pa.table(
        {
            "k": _column(case.rows, "k", pa.int64()),
            "j": _column(case.rows, "j", pa.large_string()),
            TS: _column(case.rows, "ts", pa.int64()),
            CREATED: _column(case.rows, "created", pa.int64()),
            ARRIVAL: _column(case.rows, "arrival", pa.int64()),
            "v": _column(case.rows, "v", pa.int64()),
        }
    )
    ends = [0, *case.cuts, table.num_rows]
    return [table.slice(start, end - start) for start, end in itertools.pairwise(ends)]


def _column(rows: list[Row], name: str, kind: Any) -> pa.Array:
    return pa.array([row[name] for row in rows], kind)
