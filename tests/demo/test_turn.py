from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from assay.demo.pipeline import LABEL
from assay.demo.replay import start_of
from assay.demo.turn import FAST, FULL, Size, Turn, unused_model_name
from assay.prove.policy import parse_policy
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

POLICY = parse_policy('name = "p"\n[metrics.brier]\nmargin = 0.01\n', "policy.toml")


@pytest.fixture
def turn(store: SqlStore, features: pa.Table) -> Turn:
    return Turn(store, "flights-late", 0, Size(0.5, 0.25, ("small",), 100), POLICY, features)


def test_what_is_not_known_yet_is_hidden(turn: Turn) -> None:
    moment = start_of(date(2013, 8, 1))
    known = turn.known_by(date(2013, 8, 1))
    everything = turn.features.slice(0, known.num_rows)
    for name in set(known.column_names) - {LABEL}:
        assert known[name].equals(everything[name])
    rows = known.select(["departure", "arrived", LABEL]).to_pylist()
    assert all(row["departure"] < moment for row in rows)
    assert turn.features["departure"][known.num_rows].as_py() >= moment
    truth = everything[LABEL].to_pylist()
    for row, label in zip(rows, truth, strict=True):
        arrived = row["arrived"] is not None and row["arrived"] <= moment
        assert row[LABEL] == (label if arrived else None)
    in_the_air = [row for row in rows if row["arrived"] is not None and row["arrived"] > moment]
    assert in_the_air, "the case occurs"


def test_at_the_end_everything_is_known_that_ever_will_be(turn: Turn) -> None:
    assert turn.known_by(date(2014, 2, 1)).equals(turn.features)
    assert turn.known_by(date(2013, 1, 1)).num_rows == 0


def test_a_share_of_the_flights_is_replayed_the_same_for_the_same_seed(turn: Turn) -> None:
    replayed = turn.replayed()
    assert replayed.num_rows == pytest.approx(turn.features.num_rows / 4, rel=0.05)
    assert turn.replayed().equals(replayed)
    assert pc.is_in(replayed["departure"], turn.features["departure"]).to_pylist() == [True] * replayed.num_rows
    turn.seed = 1
    assert not turn.replayed().equals(replayed)
    turn.size = FULL
    assert turn.replayed().equals(turn.features)
    assert FAST.replay_share < FULL.replay_share


def test_each_demo_in_a_store_has_a_name_of_its_own(store: SqlStore) -> None:
    names = []
    for _ in range(3):
        names.append(unused_model_name(store))
        with start_run(store, names[-1]):
            pass
    assert names == ["flights-late", "flights-late-2", "flights-late-3"]
