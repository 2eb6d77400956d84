import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.operate.serving_helpers import ENDPOINT, prediction

from assay.operate.labels.covering import label_coverage
from assay.operate.labels.known import LABELS, labels_table, newest_labels
from assay.operate.labels.recording import Label, UnitLabel, record_labels
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.record.sqlstore import SqlStore

HAPPENED = datetime(2013, 8, 2, tzinfo=UTC)
KNOWN = ["prediction_id", "unit", "event", "value", "event_ts", "revision"]


def _log(store: SqlStore, *predictions: tuple[str, str | None], **changes: object) -> None:
    with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
        moment = {"event_ts": "2013-08-01T12:00:00.000000Z"}
        writer.append([prediction(id, unit=unit, **{**moment, **changes}) for id, unit in predictions])


def _values(
    store: SqlStore, name: str = "label", as_of: datetime | None = None, window: timedelta | None = None
) -> list[tuple[object, ...]]:
    table = labels_table(store, ENDPOINT, name=name, as_of=as_of, window=window)
    return [tuple(row.values()) for row in table.select(["prediction_id", "unit", "event", "value"]).to_pylist()]


def test_labels_of_predictions_and_of_units_stand_in_one_table(store: SqlStore) -> None:
    record_labels(store, [Label("a", 3.5, HAPPENED), Label("later", 1, HAPPENED)])
    assert _values(store) == [], "they came before the predictions"
    _log(store, ("a", "u"), ("b", "u"))
    unit = [UnitLabel(ENDPOINT, "u", "order 7", 20, HAPPENED), UnitLabel("elsewhere", "u", "order 7", 1, HAPPENED)]
    assert record_labels(store, [*unit, UnitLabel(ENDPOINT, "u", "order 7", 25, HAPPENED, 1)]) == 3
    assert _values(store) == [("a", "u", None, 3.5), (None, "u", "order 7", 25.0)]
    assert _values(store, name="other") == []
    day = timedelta(days=1)
    of_unit = [("a", "u", "order 7", 25.0), ("b", "u", "order 7", 25.0)]
    assert _values(store, window=day) == [of_unit[0], ("a", "u", None, 3.5), of_unit[1]]
    assert _values(store, window=day / 3) == [("a", "u", None, 3.5)]


Delivery = tuple[Label | UnitLabel, ...]


def _deliveries() -> st.SearchStrategy[list[Delivery]]:
    """What really happened, some of it revised, cut into deliveries in order."""
    revisions = st.lists(st.integers(0, 3), min_size=1, max_size=3)
    return st.lists(st.tuples(st.sampled_from("abcde"), st.booleans(), revisions), min_size=1, max_size=6).map(
        _in_order
    )


def _in_order(found: Sequence[tuple[str, bool, list[int]]]) -> list[Delivery]:
    labels: dict[tuple[object, ...], Label | UnitLabel] = {}
    for number, (name, is_unit, values) in enumerate(found):
        for revision, value in enumerate(values):
            if is_unit:
                labels[number, revision] = UnitLabel(ENDPOINT, f"u{name}", str(number), value, HAPPENED, revision)
            else:
                labels.setdefault((name, revision), Label(name, value, HAPPENED, revision))
    ordered = sorted(labels.values(), key=lambda one: one.revision)
    return [tuple(ordered[start : start + 3]) for start in range(0, len(ordered), 3)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=_deliveries(), seed=st.integers(0, 1000))
def test_duplicate_reordered_and_early_labels_give_the_same_table_as_in_order(
    deliveries: list[Delivery], seed: int, tmp_path_factory: pytest.TempPathFactory, store: SqlStore
) -> None:
    from assay.record.location import open_store

    draw, predictions = random.Random(seed), [(name, f"u{name}") for name in "abcd"]
    one, other = (open_store(tmp_path_factory.mktemp(name)) for name in ("one", "other"))
    _log(one, *predictions)
    for delivery in deliveries:
        record_labels(one, delivery)
    again = draw.sample(deliveries, k=len(deliveries) // 2)
    mixed = [label for delivery in [*deliveries, *again] for label in delivery]
    draw.shuffle(mixed)
    half = len(mixed) // 2
    record_labels(other, mixed[:half])
    _log(other, *predictions)
    record_labels(other, mixed[half:])
    assert labels_table(one, ENDPOINT).select(KNOWN).equals(labels_table(other, ENDPOINT).select(KNOWN))
    one.close()
    other.close()


def test_as_of_a_moment_the_earlier_state_comes_back(store: SqlStore) -> None:
    _log(store, ("a", "u"), ("b", None))
    states: list[tuple[datetime, list[tuple[object, ...]]]] = []
    deliveries: list[list[Label | UnitLabel]] = [
        [Label("a", 1, HAPPENED)],
        [UnitLabel(ENDPOINT, "u", "e", 1, HAPPENED, 1), Label("b", 0, HAPPENED)],
        [UnitLabel(ENDPOINT, "u", "e", 5, HAPPENED, 0), Label("a", 0, HAPPENED, 1)],
    ]
    for number, delivery in enumerate(deliveries):
        store.clock.advance(HAPPENED + timedelta(days=number))
        record_labels(store, delivery)
        states.append((HAPPENED + timedelta(days=number), _values(store)))
    assert _values(store, as_of=HAPPENED - timedelta(microseconds=1)) == []
    for moment, state in states:
        assert _values(store, as_of=moment) == state
    assert states[1][1] == [("a", "u", None, 1.0), ("b", None, None, 0.0), (None, "u", "e", 1.0)]
    assert states[2][1] == [("a", "u", None, 0.0), ("b", None, None, 0.0), (None, "u", "e", 1.0)]


def test_coverage_tells_variants_apart_whose_labels_get_lost(store: SqlStore) -> None:
    champion, challenger = [(f"a{n}", f"u{n}") for n in range(200)], [(f"b{n}", f"v{n}") for n in range(200)]
    _log(store, *champion)
    _log(store, *challenger, variant="challenger")
    _log(store, *[(f"c{n}", None) for n in range(50)], reason="forced")
    record_labels(store, [Label(id, 1, HAPPENED) for id, _ in champion[:150]])
    units = [UnitLabel(ENDPOINT, str(unit), "e", 1, HAPPENED) for _, unit in challenger[:90]]
    record_labels(store, [*units, UnitLabel(ENDPOINT, "v150", "e", 1, datetime(2013, 7, 1, tzinfo=UTC))])
    found = label_coverage(store, ENDPOINT)
    assert (found.predictions, found.labelled) == (400, 240)
    assert found.variants == {"challenger": 0.45, "champion": 0.75}
    assert [(one.day, one.variant, one.predictions, one.labelled) for one in found.days] == [
        ("2013-08-01", "challenger", 200, 90),
        ("2013-08-01", "champion", 200, 150),
    ]
    assert found.p < 1e-8
    assert label_coverage(store, ENDPOINT, name="other").p == 1


def test_the_newest_labels_are_those_of_the_table_without_a_look_into_the_log(store: SqlStore) -> None:
    _log(store, ("a", "u"))
    labels: list[Label | UnitLabel] = [Label("a", 1, HAPPENED), Label("nobody", 2, HAPPENED)]
    labels += [UnitLabel(ENDPOINT, "u", "e", 3, HAPPENED), UnitLabel("elsewhere", "u", "e", 4, HAPPENED)]
    store.clock.advance(HAPPENED)
    record_labels(store, labels)
    store.clock.advance(HAPPENED + timedelta(days=1))
    record_labels(store, [Label("a", 5, HAPPENED, 2), UnitLabel(ENDPOINT, "u", "e", 6, HAPPENED, 1)])
    record_labels(store, [Label("a", 7, HAPPENED, 1)])

    def known(as_of: datetime) -> set[tuple[object, ...]]:
        table = newest_labels(store, ENDPOINT, name="label", as_of=as_of)
        assert table.schema.equals(LABELS)
        return {tuple(row.values()) for row in table.select(["prediction_id", "unit", "event", "value"]).to_pylist()}

    assert known(HAPPENED) == {("a", None, None, 1.0), ("nobody", None, None, 2.0), (None, "u", "e", 3.0)}
    later = {("a", None, None, 5.0), ("nobody", None, None, 2.0), (None, "u", "e", 6.0)}
    assert known(HAPPENED + timedelta(days=2)) == later
    assert known(HAPPENED - timedelta(days=2)) == set()
