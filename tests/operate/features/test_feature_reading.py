"""Reading features of entities: types, statuses, several views, on-request features, one call for a batch."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay import features
from assay.build.features.declared import Features
from assay.build.views.arriving.push import push
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.training_set import training_set
from assay.build.views.online.store import open_online
from assay.errors import InvalidInput, NotFound, StoreUnavailable
from assay.operate.features.reading import FeatureReader, get
from assay.record.clock import to_us
from assay.record.sqlstore import SqlStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Reading = Callable[..., FeatureReader]
ANN: list[Mapping[str, object]] = [{"customer": "ann"}]


@pytest.fixture
def reading(store: SqlStore) -> Iterator[Reading]:
    """A function that makes readers, closed after the test."""
    made: list[FeatureReader] = []

    def read(*given: Any, **more: Any) -> FeatureReader:
        made.append(FeatureReader(store, *given, **more))
        return made[-1]

    yield read
    for one in made:
        one.close()


def customers(name: str = "spend", **more: Any) -> FeatureView:
    """A view of two customers; the newest row of "ann" is an hour old, that of "bob" ten days."""
    rows = {
        "customer": ["ann", "ann", "bob"],
        "at": [NOON - 5 * HOUR, NOON - HOUR, NOON - 240 * HOUR],
        "total": [5.0, 7.5, 1.25],
        "orders": [1, 2, 9],
    }
    view: FeatureView = feature_view(name, entity="customer", time="at", source=pa.table(rows), **more)
    return view


def brought(store: SqlStore, view: FeatureView, now: datetime = NOON) -> FeatureView:
    """The view, registered, with all rows of its source pushed at a moment."""
    push(view, view.source, store=store, now_us=to_us(now))
    return view


def test_values_come_with_the_status_and_the_time_of_each_view(store: SqlStore, reading: Reading) -> None:
    brought(store, customers(ttl="1d"))
    reader = reading(["spend:total", "spend:orders"])
    assert (reader.entity, reader.columns) == (["customer"], ["total", "orders"])
    found = reader.read([{"customer": one} for one in ("ann", "bob", "eve", None)], to_us(NOON))
    assert found.now_us == to_us(NOON)
    assert found.values == [{"total": 7.5, "orders": 2}, *[{"total": None, "orders": None}] * 3]
    assert [one["spend@1"] for one in found.status] == ["present", "expired", "missing", "null_key"]
    assert [one["spend@1"] for one in found.ts] == [to_us(NOON - HOUR), None, None, None]
    reader.close()


def test_a_value_exactly_ttl_old_is_present_and_a_microsecond_later_expired(store: SqlStore) -> None:
    view = brought(store, customers(ttl="1d"))
    end = NOON - HOUR + timedelta(days=1)
    assert get(ANN, [view], store=store, now=end) == [{"total": 7.5, "orders": 2}]
    later = end + timedelta(microseconds=1)
    assert get(ANN, [view], store=store, now=later) == [{"total": None, "orders": None}]


def test_an_older_row_does_not_replace_a_newer_one_and_a_future_one_hides_nothing(store: SqlStore) -> None:
    view = brought(store, customers())
    late = {"customer": ["ann", "ann"], "at": [NOON - 3 * HOUR, NOON + HOUR], "total": [1.0, 99.0], "orders": [1, 99]}
    push("spend", pa.table(late), store=store, now_us=to_us(NOON))
    assert get(ANN, [view], store=store, now=NOON)[0]["orders"] == 2
    assert get(ANN, [view], store=store, now=NOON + HOUR)[0]["orders"] == 99


def test_views_of_several_entities_are_read_in_one_call(
    store: SqlStore, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought(store, customers())
    brought(store, customers("habits"))
    rows = pa.table({"shop": [7, 8], "day": [date(2026, 3, 1)] * 2, "at": [NOON - HOUR] * 2, "stock": [30, 40]})
    brought(store, feature_view("shops", entity=["shop", "day"], time="at", source=rows))
    reader = reading(["spend:total", "shops:stock", "habits:orders"])
    calls: list[object] = []
    read = reader.online.shelf.get

    def counted(*given: Any) -> Any:
        calls.append(given)
        return read(*given)

    monkeypatch.setattr(reader.online.shelf, "get", counted)
    keys: list[Mapping[str, object]] = [
        {"customer": "ann", "shop": 8, "day": date(2026, 3, 1)},
        {"customer": "bob", "shop": None, "day": None},
    ]
    found = reader.read(keys, to_us(NOON))
    assert found.values == [{"total": 7.5, "stock": 40, "orders": 2}, {"total": 1.25, "stock": None, "orders": 9}]
    assert list(found.values[0]) == reader.columns
    assert reader.entity == ["customer", "shop", "day"]
    assert [one["shops@1"] for one in found.status] == ["present", "null_key"]
    assert len(calls) == 1


def test_values_have_the_types_of_the_view(store: SqlStore) -> None:
    moment = datetime(1969, 7, 20, 20, 17, 40, 123456, tzinfo=UTC)
    columns = {
        "whole": pa.array([2**62, None]),
        "small": pa.array([-3, None], pa.int8()),
        "real": pa.array([0.1, float("nan")]),
        "single": pa.array([0.1, None], pa.float32()),
        "text": pa.array(["Zoë\x00", None]),
        "word": pa.array(["a", None]).dictionary_encode(),
        "flag": pa.array([True, None]),
        "data": pa.array([b"\xff\x00", None]),
        "day": pa.array([date(1890, 1, 2), None]),
        "naive": pa.array([moment.replace(tzinfo=None), None], pa.timestamp("us")),
        "zoned": pa.array([moment, None], pa.timestamp("us", "Europe/Paris")),
        "fine": pa.array([-1_500, None], pa.int64()).cast(pa.timestamp("ns")),
        "span": pa.array([timedelta(days=-2, microseconds=5), None], pa.duration("us")),
        "price": pa.array([Decimal("1.10"), None], pa.decimal128(9, 2)),
        "vector": pa.array([[0.5, None], None], pa.list_(pa.float64())),
    }
    table = pa.table({"id": [1, 2], "at": [NOON] * 2, **columns})
    view = brought(store, feature_view("kinds", entity="id", time="at", source=table))
    found = get([{"id": 1}, {"id": 2.0}], [view], store=store, now=NOON)
    assert found[1] == dict.fromkeys(columns)
    expected = {
        "whole": 2**62,
        "small": -3,
        "real": 0.1,
        "single": float(np.float32(0.1)),
        "text": "Zoë\x00",
        "word": "a",
        "flag": True,
        "data": b"\xff\x00",
        "day": date(1890, 1, 2),
        "naive": moment,
        "zoned": moment,
        "fine": datetime(1969, 12, 31, 23, 59, 59, 999998, tzinfo=UTC),
        "span": timedelta(days=-2, microseconds=5),
        "price": Decimal("1.10"),
        "vector": [0.5, None],
    }
    assert found[0] == expected
    assert [type(one) for one in found[0].values()] == [type(one) for one in expected.values()]


def test_keys_whose_texts_put_together_are_equal_are_different(store: SqlStore) -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), ("a:1", "1:b"), ("a", "1:1:b"), ("ü", ""), ("s1:a", "'")]
    table = pa.table({"k": [one for one, _ in pairs], "l": [two for _, two in pairs], "at": [NOON] * 7, "x": range(7)})
    view = brought(store, feature_view("pairs", entity=["k", "l"], time="at", source=table))
    found = get([{"k": one, "l": two} for one, two in pairs], [view], store=store, now=NOON)
    assert [one["x"] for one in found] == list(range(7))


@pytest.mark.parametrize("key", [-(2**63), -1, 0, 2**63 - 1])
def test_very_large_and_negative_keys_are_found(store: SqlStore, key: int) -> None:
    table = pa.table({"id": [key], "at": [NOON], "x": [5]})
    view = brought(store, feature_view("big", entity="id", time="at", source=table))
    found = get([{"id": key}, {"id": np.int64(key)}, {"id": float("nan")}], [view], store=store, now=NOON)
    assert [one["x"] for one in found] == [5, 5, None]


def test_features_computed_on_request_are_those_of_training(store: SqlStore, reading: Reading) -> None:
    view = brought(store, customers())
    made = Features({"share": "amount / total", "high": "share > 2"})
    rows = [{"customer": "ann", "amount": 30.0}, {"customer": "bob", "amount": 1.0}, {"customer": "eve", "amount": 1.0}]
    found = get(rows, ["spend:total", made], store=store, now=NOON)
    assert found == [
        {"total": 7.5, "share": 4.0, "high": True},
        {"total": 1.25, "share": 0.8, "high": False},
        {"total": None, "share": None, "high": None},
    ]
    labels = pa.table({name: [row[name] for row in rows] for name in ("customer", "amount")} | {"t": [NOON] * 3})
    offline = training_set(labels, [f"{view.name}:total", made], store=store)
    assert offline.table.select(["total", "share", "high"]).to_pylist() == found
    assert [get([row], ["spend:total", made], store=store, now=NOON)[0] for row in rows] == found
    reader = reading(["spend:total", made])
    assert reader.columns == ["total", "share", "high"]
    with pytest.raises(InvalidInput, match="a column 'total' already"):
        reader.read([{"customer": "ann", "amount": 3.0, "total": 1.0}])


def test_aggregates_are_read_and_change_as_rows_leave_their_windows(store: SqlStore, reading: Reading) -> None:
    made = {"n": features.count(over="4h"), "mean": features.mean("total", over="1d")}
    view = feature_view(
        "sums", entity="customer", time="at", source=customers().source.drop_columns(["orders"]), features=made
    )
    reader = reading([brought(store, view)])
    asked: list[Mapping[str, object]] = [{"customer": "ann"}, {"customer": "eve"}, {"customer": None}]
    found = reader.read(asked, to_us(NOON))
    assert found.values == [{"n": 1, "mean": 6.25}, {"n": 0, "mean": None}, {"n": None, "mean": None}]
    assert [one["sums@1"] for one in found.status] == ["present", "missing", "null_key"]
    assert [one["sums@1"] for one in found.ts] == [to_us(NOON - HOUR), None, None]
    later = [reader.read(asked, to_us(NOON + hours * HOUR)).values[0] for hours in (2, 3, 19, 23, 1)]
    assert [one["n"] for one in later] == [1, 0, 0, 0, 1]
    assert [one["mean"] for one in later] == [6.25, 6.25, 7.5, None, 6.25]
    row = {"customer": ["ann"], "at": [NOON + 2 * HOUR], "total": [0.5]}
    push(view, pa.table(row), store=store, now_us=to_us(NOON + 2 * HOUR))
    assert reader.read(asked, to_us(NOON + 3 * HOUR)).values[0] == {"n": 1, "mean": 13 / 3}


def test_threads_read_from_one_reader(store: SqlStore, reading: Reading) -> None:
    ids = list(range(200))
    table = pa.table({"id": ids, "at": [NOON] * 200, "x": ids})
    plain = feature_view("plain", entity="id", time="at", source=table)
    summed = feature_view(
        "summed", entity="id", time="at", source=table, features={"s": features.sum_of("x", over="1d")}
    )
    reader = reading([brought(store, plain), brought(store, summed)])

    def read(start: int) -> list[dict[str, Any]]:
        return [reader.read([{"id": place % 200}], to_us(NOON)).values[0] for place in range(start, start + 200)]

    with ThreadPoolExecutor(4) as pool:
        for start, found in enumerate(pool.map(read, range(8))):
            assert found == [{"x": place % 200, "s": place % 200} for place in range(start, start + 200)]


def test_a_version_that_is_named_is_read_and_a_new_one_begins_empty(store: SqlStore, reading: Reading) -> None:
    brought(store, customers())
    features.register(store, customers(ttl="90d"))
    assert get(ANN, ["spend@1:total"], store=store, now=NOON) == [{"total": 7.5}]
    assert get(ANN, ["spend:total"], store=store, now=NOON) == [{"total": None}]
    both = reading(["spend@1:total", "spend@2:orders"]).read(ANN, to_us(NOON))
    assert both.status == [{"spend@1": "present", "spend@2": "missing"}]


def test_the_clock_of_the_store_says_when_it_is(store: SqlStore, reading: Reading) -> None:
    view = brought(store, customers())
    assert reading([view]).read(ANN).now_us >= to_us(NOON)
    store.clock.advance(NOON + HOUR)
    assert reading([view]).read(ANN).now_us == to_us(NOON + HOUR)


def test_names_are_prefixed_where_they_would_collide(store: SqlStore, reading: Reading) -> None:
    brought(store, customers())
    brought(store, customers("habits"))
    with pytest.raises(InvalidInput, match="two features would be called 'total'"):
        reading(["spend:*", "habits:*"])
    reader = reading(["spend:total", "habits:total"], prefix=True)
    assert reader.read(ANN, to_us(NOON)).values == [{"spend__total": 7.5, "habits__total": 7.5}]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"costumer": "ann"}, "a row has no 'customer', which is a key of 'spend'"),
        ({"customer": 5}, "the key 'customer' of 'spend' is 5, a int"),
        ({"customer": NOON}, "the key 'customer' of 'spend' is"),
    ],
)
def test_a_row_without_its_key_is_refused_by_name(store: SqlStore, row: dict[str, object], said: str) -> None:
    view = brought(store, customers())
    with pytest.raises(InvalidInput, match=said):
        get([row], [view], store=store)


@pytest.mark.parametrize("key", [True, 1.5, "1", b"1", 2**63, date(2026, 1, 1)])
def test_what_is_no_whole_number_is_refused_as_a_key_of_whole_numbers(store: SqlStore, key: object) -> None:
    table = pa.table({"id": [1], "at": [NOON], "x": [5]})
    view = brought(store, feature_view("numbered", entity="id", time="at", source=table))
    with pytest.raises(InvalidInput, match="expected: whole numbers"):
        get([{"id": key}], [view], store=store)


def test_views_whose_keys_of_one_name_have_other_types_are_not_read_together(store: SqlStore, reading: Reading) -> None:
    brought(store, customers())
    table = pa.table({"customer": [1], "at": [NOON], "x": [5]})
    brought(store, feature_view("numbered", entity="customer", time="at", source=table))
    with pytest.raises(InvalidInput, match="'customer' is text in one view and whole numbers in 'numbered'"):
        reading(["spend:total", "numbered:x"])


def test_unknown_features_and_naive_moments_are_refused(store: SqlStore) -> None:
    view = brought(store, customers())
    with pytest.raises(NotFound, match="did you mean 'spend'"):
        get([], ["spent:total"], store=store)
    with pytest.raises(InvalidInput, match="did you mean 'spend@1:total'"):
        get([], ["spend:totals"], store=store)
    with pytest.raises(InvalidInput, match="without a time zone"):
        get([], [view], store=store, now=NOON.replace(tzinfo=None))
    assert get([], [view], store=store, now=NOON) == []


def test_the_online_store_is_where_it_is_said_to_be(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(address: str | None = None) -> str:
        with open_online(store, address) as online:
            return online.location

    assert place() == str(tmp_path / "store" / "online.db")
    (tmp_path / "assay.toml").write_text('name = "p"\nonline = "live/rows.db"\n')
    monkeypatch.chdir(tmp_path)
    assert place() == str(tmp_path / "live" / "rows.db")
    monkeypatch.setenv("ASSAY_ONLINE", str(tmp_path / "other.db"))
    assert place() == str(tmp_path / "other.db")
    assert place(str(tmp_path / "third.db")) == str(tmp_path / "third.db")
    with pytest.raises(InvalidInput, match="at ftp://"):
        open_online(store, "ftp://host")


def test_the_clocks_of_readers_may_be_behind_by_as_much_as_is_said(
    store: SqlStore, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So long the row before is kept: without it such a reader would find nothing."""
    view = customers()
    reader = reading([view])

    def pushed_every_second(first: int) -> None:
        for second in range(first, first + 10):
            at = NOON + timedelta(seconds=second)
            row = {"customer": ["ann"], "at": [at], "total": [0.5], "orders": [second]}
            push(view, pa.table(row), store=store, now_us=to_us(at))

    def orders(second: int) -> Any:
        return reader.read(ANN, to_us(NOON + timedelta(seconds=second))).values[0]["orders"]

    pushed_every_second(0)
    assert [orders(second) for second in (9, 4, 3)] == [9, 4, None]
    monkeypatch.setenv("ASSAY_CLOCK_SKEW", "8s")
    pushed_every_second(10)
    assert [orders(second) for second in (19, 12, 11, 10)] == [19, 12, 11, None]


def test_a_store_on_postgresql_has_its_online_rows_in_the_same_database(postgres_store: SqlStore) -> None:
    view = brought(postgres_store, customers())
    assert get(ANN, [view], store=postgres_store, now=NOON) == [{"total": 7.5, "orders": 2}]
    with open_online(postgres_store) as online:
        assert online.location.startswith("postgresql+psycopg:")


@pytest.mark.parametrize("address", ["redis://u:secret@127.0.0.1:1/0", "postgresql://u:secret@127.0.0.1:1/x"])
def test_an_online_store_that_does_not_answer_is_named_without_its_password(store: SqlStore, address: str) -> None:
    with pytest.raises(StoreUnavailable, match="the online store failed") as refused:
        open_online(store, address)
    assert "secret" not in str(refused.value)
