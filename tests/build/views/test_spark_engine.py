"""Spark gives what the fold gives on one table, bit for bit: random cases against two loops, and rules one by one."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.build.views.oracle import Row
from tests.build.views.oracle import joined as looked_up

from assay.build.features.declared import Features
from assay.build.views.declared.aggregates import count, mean, sum_of
from assay.build.views.declared.history import source_rows
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.engines.spark import joined
from assay.build.views.joining.references import Chosen, chosen
from assay.build.views.joining.training_set import training_set
from assay.build.views.log.log import append_rows
from assay.build.views.matching.matching import Mode, matched
from assay.build.views.matching.wanted import wanted
from assay.build.views.registry.registered import register, view_of
from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore

pytestmark = [
    pytest.mark.spark,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]

_VARIANTS = [(False, 0, None), (True, 0, 4), (False, 3, 4), (True, 3, None)]
_CASES = 126  # in two modes and four variants, more than a thousand
_KEYS, _TEXTS = [None, 0, 1, 2], [None, "", "a", "ab"]


@pytest.fixture(scope="module")
def session(spark_session: Any) -> Any:
    """Its zone is not UTC, which must not matter."""
    before = spark_session.conf.get("spark.sql.session.timeZone")
    spark_session.conf.set("spark.sql.session.timeZone", "America/New_York")
    yield spark_session
    spark_session.conf.set("spark.sql.session.timeZone", before)


def framed(session: Any, table: pa.Table) -> Any:
    """The table in Spark; what has no zone keeps none."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return session.createDataFrame(table, from_arrow_schema(table.schema, True))


def moments(values: list[int | None]) -> pa.Array:
    return pa.array(values, pa.timestamp("us"))


def random_rows(rng: np.random.Generator) -> tuple[list[Row], list[Row]]:
    """Many small cases in one table: the number of the case is a part of the key."""

    def one(case: int, **more: Any) -> Row:
        key = {"k": _KEYS[rng.integers(4)], "j": _TEXTS[rng.integers(4)]}
        return {"case": case, **key, **more}

    def time(share: float) -> int | None:
        return None if rng.random() < share else int(rng.integers(-6, 7))

    labels, rows = [], []
    for case in range(_CASES):
        labels += [one(case, t=time(0.1)) for _ in range(rng.integers(0, 12))]
        rows += [
            one(case, ts=time(0), created=time(0.2), v=None if rng.random() < 0.2 else int(rng.integers(0, 9)))
            for _ in range(rng.integers(0, 30))
        ]
    return labels, [{**row, "arrival": place} for place, row in enumerate(rows)]


@pytest.mark.parametrize("mode", ["event", "known"])
def test_a_thousand_random_cases_are_as_two_loops_find_them(session: Any, mode: Mode) -> None:
    labels, rows = random_rows(np.random.default_rng(6 if mode == "event" else 7))
    schema = {"case": pa.int64(), "k": pa.int64(), "j": pa.string()}
    label_table = pa.Table.from_pylist(labels, pa.schema({**schema, "t": pa.timestamp("us")}))
    times = {"ts": pa.timestamp("us"), "created": pa.timestamp("us")}
    table = pa.Table.from_pylist(rows, pa.schema({**schema, **times, "v": pa.int64(), "arrival": pa.int64()}))
    frame = framed(session, table)
    views = []
    for place, (strict, delay, ttl) in enumerate(_VARIANTS):
        view = feature_view(
            f"variant_{place}",
            entity=["case", "k", "j"],
            time="ts",
            created="created",
            source=frame,
            features=["v", "arrival"],
            strict=strict,
        )
        object.__setattr__(view, "ttl_us", ttl)
        object.__setattr__(view, "delay_us", delay)
        views.append(view)
    found = joined(framed(session, label_table), chosen(views, None, prefix=True), mode, "t").toArrow()
    assert found.select(label_table.column_names).to_pylist() == label_table.to_pylist()
    for place, (strict, delay, ttl) in enumerate(_VARIANTS):
        by_case = (
            looked_up(
                [label for label in labels if label["case"] == case],
                [row for row in rows if row["case"] == case],
                ["k", "j"],
                known=mode == "known",
                strict=strict,
                delay=delay,
                ttl=ttl,
            )
            for case in range(_CASES)
        )
        expected = [row for case in by_case for _, row in case]
        for name in ("v", "arrival"):
            assert found.column(f"variant_{place}__{name}").to_pylist() == [row and row[name] for row in expected]


def on_arrow(labels: pa.Table, views: list[FeatureView], mode: Mode) -> dict[str, pa.ChunkedArray]:
    """The same by the fold on one table."""
    found = {}
    for one in chosen(views, None):
        rows = source_rows(one.view)
        types = [rows.schema.field(name).type for name in one.view.entity]
        values = matched(wanted(labels, one.view.entity, types, "t"), [rows], one.view, mode).values
        found.update({output: values.column(name) for name, output in one.features.items()})
    return found


def same(frame: Any, labels: pa.Table, expected: dict[str, pa.ChunkedArray]) -> bool:
    """Whether a frame has the label rows in order and these columns, to the bit."""
    table = frame.toArrow()
    assert table.column_names == [*labels.column_names, *expected]
    there = {**{name: labels.column(name) for name in labels.column_names}, **expected}
    return all(
        table.column(name).combine_chunks().equals(column.cast(table.schema.field(name).type).combine_chunks())
        for name, column in there.items()
    )


def example(rng: np.random.Generator, n: int, m: int) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Label rows, flights by carrier, and weather by airport and day, of every type that a feature may have."""
    span = 10**13
    airports, carriers = np.array(["EWR", "JFK", "LGA", None], object), ["UA", "B6", "Ünï\u2028", ""]
    days = np.array(["2020-01-01", "2020-01-02", "1969-12-31"], "datetime64[D]")
    labels = pa.table(
        {
            "y": rng.random(n),
            "airport": rng.choice(airports, n),
            "day": pa.array(rng.choice(days, n)),
            "carrier": rng.choice(carriers, n),
            "t": pa.array(rng.integers(-span, span, n), pa.timestamp("us", "Asia/Tokyo"), mask=rng.random(n) < 0.05),
        }
    )
    flights = pa.table(
        {
            "carrier": rng.choice(carriers, m),
            "ts": moments(rng.integers(-span, span, m).tolist()),
            "loaded": pa.array(rng.integers(-span, span, m), pa.timestamp("us", "UTC"), mask=rng.random(m) < 0.1),
            "delay": rng.normal(size=m),
            "seats": pa.array(rng.integers(0, 400, m), pa.int16()),
            "left": moments(rng.integers(-span, span, m).tolist()),
        }
    )
    weather = pa.table(
        {
            "day": pa.array(rng.choice(days, m)),
            "airport": rng.choice(airports, m),
            "measured": pa.array(rng.integers(-span, span, m), pa.timestamp("us", "UTC")),
            "wind": pa.array(rng.normal(size=m).astype(np.float32), mask=rng.random(m) < 0.2),
            "note": rng.choice(["calm", "", "föhn"], m),
            "snow": rng.random(m) < 0.5,
        }
    )
    return labels, flights, weather


def views_of(flights: Any, weather: Any) -> list[FeatureView]:
    """Of two entities; one of single values in each of two ways, and one of windows."""
    measured = ["wind", "note", "snow"]
    windows = {"mean_delay": mean("delay", over="30d"), "sum_delay": sum_of("delay", over="9d"), "n": count(over="1h")}
    known: dict[str, Any] = {"created": "loaded", "ttl": "60d", "features": ["seats", "delay", "left"]}
    return [
        feature_view("flights", entity="carrier", time="ts", source=flights, **known),
        feature_view(
            "weather", entity=["airport", "day"], time="measured", source=weather, delay="1h", strict=True,
            features=measured,
        ),
        feature_view("windows", entity="carrier", time="ts", source=flights, created="loaded", features=windows),
    ]  # fmt: skip


def test_views_of_different_entities_give_what_one_table_gives_to_the_bit(session: Any) -> None:
    labels, flights, weather = example(np.random.default_rng(1), 700, 3000)
    views = views_of(flights, weather)
    in_spark = views_of(framed(session, flights), framed(session, weather))
    expected = on_arrow(labels, views, "event")
    mixed = chosen([*in_spark[:2], views[2]], None)
    assert same(joined(framed(session, labels), mixed, "event", "t", buckets=3), labels, expected)
    dated = [0, 2]
    known = on_arrow(labels, [views[place] for place in dated], "known")
    asked = chosen([in_spark[place] for place in dated], None)
    assert same(joined(framed(session, labels), asked, "known", "t"), labels, known)


def test_files_are_read_where_they_are_worked_at_and_their_order_counts(session: Any, tmp_path: Path) -> None:
    labels = pa.table({"k": [1, 2, 3, 1], "t": moments([5, 5, 5, 0])})
    for place, name in enumerate(["a", "b", "c"]):
        rows = pa.table({"k": [1, 2], "ts": moments([1, 2]), "v": [10 * place, 10 * place + 1]})
        pq.write_table(rows, tmp_path / f"{name}.parquet")
    view = feature_view("parts", entity="k", time="ts", source=str(tmp_path / "*.parquet"), features={"w": "v + 1"})
    found = training_set(framed(session, labels), [view, Features({"x": "w * 2", "y": "k"})], time="t", status=True)
    assert found.table["w"].to_pylist() == [21, 22, None, None], "of rows with the same time the last one written"
    assert found.table["x"].to_pylist() == [42, 44, None, None]
    assert found.table["parts__status"].to_pylist() == ["present", "present", "missing", "missing"]
    assert found.table["y"].to_pylist() == [1, 2, 3, 1]


def test_a_view_of_a_store_is_joined_as_it_came_to_be_known(session: Any, store: SqlStore) -> None:
    rows = pa.table({"k": [1, 1], "ts": moments([1, 2]), "v": ["old", "new"]})
    version = register(store, feature_view("logged", entity="k", time="ts", source=rows, features=["v"]))
    for place, arrived in enumerate([10, 20]):
        append_rows(store, version, source_rows(view_of(version), store).slice(place, 1), "source", arrived)
    labels = pa.table({"k": [1, 1, 1], "t": moments([9, 15, 25])})
    frame = framed(session, labels)
    assert training_set(frame, ["logged:v"], store=store, time="t").table["v"].to_pylist() == ["new"] * 3
    known = training_set(frame, ["logged:v"], store=store, time="t", as_of="known")
    assert known.table["v"].to_pylist() == [None, "old", "new"]
    unlogged = feature_view("unlogged", entity="k", time="ts", source=framed(session, rows), features=["v"])
    with pytest.raises(InvalidInput, match="nothing says when rows of 'unlogged' became known"):
        training_set(frame, [unlogged], store=store, time="t", as_of="known")
    assert not store.query("feature_view", {"name": "unlogged"}), "a frame ends with its session"


def test_rows_come_out_in_their_order_with_their_own_columns_however_they_are_partitioned(session: Any) -> None:
    labels = pa.table({"k": [1, 1, None, 1, 2] * 40, "t": moments([5] * 200), "a `column`": list(range(200))})
    rows = pa.table({"k": [1, 2, None], "ts": moments([1, 9, 1]), "v": ["a", "b", "c"], "not.read": [0, 0, 0]})
    view = feature_view("letters", entity="k", time="ts", source=framed(session, rows), features=["v"])
    frame = framed(session, labels).repartition(5)
    listed = frame.toArrow()
    found = joined(frame, chosen([view], None), "event", "t", status=True).toArrow()
    assert found.select(labels.column_names).to_pylist() == listed.to_pylist()
    expected = {1: ("a", "present"), 2: (None, "missing"), None: (None, "null_key")}
    assert [(row["v"], row["letters__status"]) for row in found.to_pylist()] == [
        expected[row["k"]] for row in listed.to_pylist()
    ]
    assert [row["letters__ts"] is None for row in found.to_pylist()] == [row["v"] is None for row in found.to_pylist()]


def test_empty_label_rows_and_empty_histories_give_the_whole_schema(session: Any) -> None:
    labels = pa.table({"k": pa.array([1, 2], pa.int32()), "t": moments([5, 6])})
    rows = pa.table({"k": [1], "ts": moments([1]), "v": [0.5]})
    for left, right in [(labels.slice(0, 0), rows), (labels, rows.slice(0, 0))]:
        view = feature_view("few", entity="k", time="ts", source=framed(session, right), features=["v"])
        found = joined(framed(session, left), chosen([view], None), "event", "t").toArrow()
        assert found.schema.types == [pa.int32(), pa.timestamp("us"), pa.float64()]
        assert found["v"].to_pylist() == [None] * left.num_rows


def test_keys_of_several_columns_and_kinds_meet_only_their_like(session: Any) -> None:
    days = pa.array([1, 1, 2], pa.date32())
    labels = pa.table(
        {"a": ["a", "ab", "a"], "b": ["bc", "c", "bc"], "d": days, "y": [b"\x00", b"", None], "f": [True] * 3}
    ).append_column("t", moments([5, 5, 5]))
    rows = labels.drop_columns(["t"]).append_column("ts", moments([1, 1, 1])).append_column("v", pa.array([1, 2, 3]))
    view = feature_view("all", entity=["a", "b", "d", "y", "f"], time="ts", source=framed(session, rows))
    found = joined(framed(session, labels), [Chosen(view, None, {"v": "v"})], "event", "t").toArrow()
    assert found["v"].to_pylist() == [1, 2, None]


def test_a_function_takes_frames_and_gives_one_or_its_table_is_sent(session: Any) -> None:
    labels = pa.table({"k": [1, 2], "t": moments([5, 5])})
    rows = pa.table({"k": [1, 1, 2], "ts": moments([1, 2, 3]), "v": [1, 2, 3]})

    def doubled(source: Any) -> Any:
        if isinstance(source, pa.Table):
            return source.set_column(2, "v", pa.array([2 * value for value in source["v"].to_pylist()]))
        return source.selectExpr("k", "ts", "v * 2 as v")

    for source in (framed(session, rows), rows):
        view = feature_view(entity="k", time="ts", source=source, features=["v"])(doubled)
        found = joined(framed(session, labels), chosen([view], None), "event", "t").toArrow()
        assert found["v"].to_pylist() == [4, 6]
    view = feature_view(entity="k", time="ts", source=framed(session, rows), features=["v"])(pa.table)
    with pytest.raises(InvalidInput, match="makes a Table of frames of Spark"):
        joined(framed(session, labels), chosen([view], None), "event", "t")


def test_what_cannot_be_joined_is_said_before_spark_begins(session: Any) -> None:
    labels = framed(session, pa.table({"k": ["1", "2"], "t": moments([5, 5])}))
    rows = framed(session, pa.table({"k": [1, 2], "ts": moments([1, 1]), "v": [1, 2]}))
    view = feature_view("numbers", entity="k", time="ts", source=rows, features=["v"])
    with pytest.raises(InvalidInput, match="is text in the rows and whole numbers in 'numbers'"):
        joined(labels, chosen([view], None), "event", "t")
    with pytest.raises(InvalidInput, match="no column 'when'"):
        joined(labels.selectExpr("int(k) k", "t"), chosen([view], None), "event", "when")

    def first(a: Any, b: Any) -> Any:
        return a

    with pytest.raises(InvalidInput, match="have a column '__row'"):
        joined(labels.selectExpr("int(k) k", "t", "1 as __row"), chosen([view], None), "event", "t")
    untimed = feature_view("untimed", entity="k", time="moment", source=rows, features=["v"])
    with pytest.raises(InvalidInput, match="no column 'moment'"):
        joined(labels.selectExpr("int(k) k", "t"), chosen([untimed], None), "event", "t")
    assert joined(labels.selectExpr("null k", "t"), chosen([view], None), "event", "t").columns == ["k", "t", "v"]
    both = feature_view(entity="k", time="ts", source={"a": rows, "b": "b.parquet"}, features=["v"])(first)
    with pytest.raises(InvalidInput, match="only a are frames of Spark"):
        joined(labels, chosen([both], None), "event", "t")
