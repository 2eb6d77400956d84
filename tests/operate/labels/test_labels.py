import itertools
import math
from datetime import UTC, datetime, timedelta

import pytest

from assay.errors import Conflict, InvalidInput
from assay.operate.labels import recording as room
from assay.operate.labels.recording import Label, labels_known, record_labels
from assay.record.sqlstore import SqlStore

HAPPENED = datetime(2013, 8, 1, 12, tzinfo=UTC)
MOMENTS = [datetime(2013, 8, day, tzinfo=UTC) for day in (2, 3, 4)]


def _label(prediction_id: str, value: float, revision: int = 0) -> Label:
    return Label(prediction_id, value, HAPPENED, revision)


IN_ORDER = [_label("a", 0), _label("b", 1), _label("a", 1, 1), _label("c", 0), _label("a", 0, 2)]
KNOWN = {"a": 0.0, "b": 1.0, "c": 0.0}


def test_each_prediction_has_its_label(either_store: SqlStore) -> None:
    assert record_labels(either_store, IN_ORDER) == 5
    assert labels_known(either_store, ["a", "b", "c", "unknown"]) == KNOWN
    assert labels_known(either_store, ["b"]) == {"b": 1.0}
    assert labels_known(either_store, []) == {}


def test_any_order_of_delivery_gives_the_same_labels(store: SqlStore) -> None:
    for number, order in enumerate(itertools.permutations(IN_ORDER)):
        named = [Label(f"{number}-{one.prediction_id}", one.value, HAPPENED, one.revision) for one in order]
        record_labels(store, named[:2])
        record_labels(store, named[2:])
        assert labels_known(store, [f"{number}-{name}" for name in KNOWN]) == {
            f"{number}-{name}": value for name, value in KNOWN.items()
        }


def test_what_is_delivered_again_counts_once(either_store: SqlStore) -> None:
    assert record_labels(either_store, IN_ORDER[:2]) == 2
    assert record_labels(either_store, [*IN_ORDER[:3], IN_ORDER[2]]) == 1, "also twice in one delivery"
    assert record_labels(either_store, IN_ORDER) == 2
    again = [_label("new", 1), _label("b", 0)]
    with pytest.raises(Conflict, match="revision 0 of the label of prediction b is 1 already, not 0"):
        record_labels(either_store, again)
    assert labels_known(either_store, ["new", "b"]) == {"b": 1.0}, "nothing of that delivery is kept"
    with pytest.raises(Conflict, match="revision 0 of the label of prediction d is 1 already, not 2"):
        record_labels(either_store, [_label("d", 1), _label("d", 2)])
    assert labels_known(either_store, list(KNOWN)) == KNOWN


def test_a_label_may_come_before_anybody_asks_for_it(store: SqlStore) -> None:
    assert labels_known(store, ["a"]) == {}
    record_labels(store, [_label("a", 1)])
    assert labels_known(store, ["a"]) == {"a": 1.0}


def test_the_past_stays_as_it_was_known(store: SqlStore) -> None:
    for moment, label in zip(MOMENTS, [_label("a", 0), _label("b", 1), _label("a", 1, 1)], strict=True):
        store.clock.advance(moment)
        record_labels(store, [label])
    record_labels(store, [_label("a", 0)])  # delivered again: it is known since the first time
    states = [{}, {"a": 0.0}, {"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 1.0}]
    times = [MOMENTS[0] - timedelta(microseconds=1), *MOMENTS]
    assert [labels_known(store, ["a", "b"], as_of=time) for time in times] == states
    assert labels_known(store, ["a", "b"]) == states[-1]


def test_names_keep_several_outcomes_of_one_prediction_apart(store: SqlStore) -> None:
    record_labels(store, [_label("a", 1), Label("a", 0, HAPPENED, name="cancelled")])
    assert labels_known(store, ["a"]) == {"a": 1.0}
    assert labels_known(store, ["a"], name="cancelled") == {"a": 0.0}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_finite_number_is_refused_and_nothing_is_kept(store: SqlStore, value: float) -> None:
    with pytest.raises(InvalidInput, match=r"the label of b is .*\n  expected: a finite number"):
        record_labels(store, [_label("a", 1), _label("b", value)])
    assert store.query("label") == []


def test_a_moment_without_a_time_zone_is_refused_and_nothing_is_kept(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="the label of b happened at 2013-08-01 00:00:00, which has no time zone"):
        record_labels(store, [_label("a", 1), Label("b", 1, datetime(2013, 8, 1))])
    assert store.query("label") == []


def test_more_labels_than_one_statement_takes_are_kept_and_found(store: SqlStore) -> None:
    many = [_label(str(number), number % 2) for number in range(12_345)]
    assert record_labels(store, iter(many)) == len(many)
    assert record_labels(store, many) == 0
    assert labels_known(store, [one.prediction_id for one in many]) == {one.prediction_id: one.value for one in many}


def test_a_delivery_is_kept_whole_or_not_at_all(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_BATCH", 2)
    bad = Label("d", 1, HAPPENED, revision=2**70)
    with pytest.raises(InvalidInput):
        record_labels(store, [*IN_ORDER[:3], bad])
    assert store.query("label") == []
