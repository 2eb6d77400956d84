"""Features declared once give the same in training and in serving, and what could not is refused."""

import pickle
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from assay.build.features.declared import Definition, Features
from assay.build.features.fitted import Frequency, TargetMean, TextParts
from assay.errors import InvalidInput

Floats = NDArray[np.float64]


def table(rows: int = 400) -> pa.Table:
    rng = np.random.default_rng(1)
    shop = rng.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.15, 0.05])
    rate = np.array([{"a": 0.1, "b": 0.3, "c": 0.6, "d": 0.9}[one] for one in shop])
    return pa.table(
        {
            "when": pa.array([datetime(2026, 3, 1 + i % 28, i % 24, 30, tzinfo=UTC) for i in range(rows)]),
            "distance": rng.uniform(1, 10, rows),
            "hours": pa.array([None if i % 50 == 0 else 1.0 + i % 3 for i in range(rows)]),
            "shop": shop,
            "note": [f"parcel {'broken box' if r > 0.5 else 'fine'} number {i % 7}" for i, r in enumerate(rate)],
            "late": (rng.random(rows) < rate).astype(int),
        }
    )


def speed(distance: Floats, hours: Floats) -> Floats:
    return distance / hours


ALL: dict[str, Definition] = {
    "hour": 'hour("when"::timestamp)',
    "weekday": 'isodow("when"::timestamp)',
    "speed": speed,
    "fast": "speed > 4",
    "shop_frequency": Frequency("shop"),
    "shop_rate": TargetMean("shop"),
    "text": TextParts("note", 3),
}


def test_definitions_build_on_each_other_and_nulls_stay_null() -> None:
    found = Features(
        {"speed": speed, "fast": "speed > 4", "sign": "case when fast then 'quick' else 'slow' end"}
    ).apply(table())
    assert found.column_names[-3:] == ["speed", "fast", "sign"]
    first = found.slice(1, 1).to_pylist()[0]
    assert first["speed"] == first["distance"] / first["hours"]
    assert first["fast"] == (first["speed"] > 4)
    assert found["speed"][0].as_py() is None
    assert found["fast"][0].as_py() is None


def test_a_row_alone_gives_what_it_gives_among_others() -> None:
    features = Features(ALL).fit(table(), "late")
    together = features.apply(table())
    assert features.columns == together.column_names[6:]
    for place in (0, 7, 399):
        alone = features.apply(table().slice(place, 1)).select(features.columns).to_pylist()[0]
        for name, value in alone.items():
            among = together[name][place].as_py()
            assert value is among is None or value == pytest.approx(among, rel=1e-9), name
    features.check(table())


def test_a_copy_in_another_process_gives_the_same() -> None:
    features = Features(ALL).fit(table(), "late")
    again = pickle.loads(pickle.dumps(features))
    assert again.apply(table()).equals(features.apply(table()))


def test_times_are_read_in_utc_and_may_come_as_text() -> None:
    features = Features({"hour": 'hour("when"::timestamp)'})
    moment = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    for column in (
        pa.array([moment], pa.timestamp("us", "UTC")),
        pa.array([moment], pa.timestamp("us", "Asia/Tokyo")),
        pa.array(["2026-03-01 23:30:00"]),
    ):
        assert features.apply(pa.table({"when": column}))["hour"].to_pylist() == [23]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("avg(distance) over ()", "looks at other rows"),
        ("distance - (select max(distance) from the_rows)", "reads a table"),
        ("random()", r"calls random\(\)"),
        ("date_diff('day', \"when\"::date, current_date)", "reads the clock"),
        ("now()", r"calls now\(\)"),
        ("distance +", "is no SQL expression"),
        ("1) as x, (2", "more than an expression"),
        ("1) from the_rows; drop table x; select (1", "is"),
    ],
)
def test_sql_that_is_not_of_the_row_alone_is_refused(expression: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as raised:
        Features({"it": expression})
    assert "'it'" in str(raised.value)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("sum(distance)", "cannot be computed"),
        ("distances", "the feature 'it' cannot be computed: .*\"distances\""),
        ("unnest([1, 2])", "800 values for 400 rows"),
        (lambda distance: distance[:3], "gives 3 values for 400 rows"),
        (lambda distances: distances, "no column 'distances'"),
        (lambda distance: distance["x"], "cannot be computed: IndexError"),
        (Frequency("shops"), "no column 'shops'"),
    ],
)
def test_what_cannot_be_computed_is_named(definition: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Features({"it": definition}).fit_apply(table(), "late")  # type: ignore[dict-item]


def test_a_function_that_looks_at_other_rows_is_found_by_check() -> None:
    features = Features({"centred": lambda distance: distance - distance.mean()})
    with pytest.raises(InvalidInput, match=r"'centred' is 0\.0 for a row alone"):
        features.check(table())


def test_names_are_not_taken_twice_and_what_is_fitted_waits() -> None:
    with pytest.raises(InvalidInput, match="a column 'shop' already"):
        Features({"shop": "distance"}).apply(table())
    with pytest.raises(InvalidInput, match="were not fitted"):
        Features({"f": Frequency("shop")}).apply(table())
    with pytest.raises(InvalidInput, match=r"target_mean\(shop\) learns from the label"):
        Features({"f": TargetMean("shop")}).fit(table())


def test_functions_in_a_list_name_their_features() -> None:
    assert Features([speed]).apply(table()).column_names[-1] == "speed"


def test_frequencies_are_shares_of_training_rows_and_new_values_have_none() -> None:
    features = Features({"f": Frequency("shop")}).fit(table())
    shares = dict(zip(table()["shop"].to_pylist(), features.apply(table())["f"].to_pylist(), strict=True))
    assert sum(shares.values()) == pytest.approx(1.0)
    assert features.apply(pa.table({"shop": ["a", "z", None]}))["f"].to_pylist() == [shares["a"], 0.0, 0.0]


def test_a_training_row_does_not_answer_for_itself() -> None:
    rows = 300
    rng = np.random.default_rng(2)
    alone = pa.table({"id": [f"i{i}" for i in range(rows)], "late": rng.integers(0, 2, rows)})
    features = Features({"mean": TargetMean("id")})
    inside = features.fit_apply(alone, "late")["mean"].to_numpy()
    assert abs(np.corrcoef(inside, alone["late"].to_numpy())[0, 1]) < 0.2
    naive = features.apply(alone)["mean"].to_numpy()
    assert np.corrcoef(naive, alone["late"].to_numpy())[0, 1] > 0.9


def test_target_means_follow_the_label_of_any_kind() -> None:
    found = Features({"mean": TargetMean("shop")}).fit(table(), "late").apply(table())
    means = dict(zip(found["shop"].to_pylist(), found["mean"].to_pylist(), strict=True))
    assert means["a"] < means["b"] < means["c"] < means["d"]
    counts = table().append_column("count", pa.array(np.arange(400)))
    assert Features({"m": TargetMean("shop")}).fit_apply(counts, "count").column_names[-1] == "m"
    kinds = table().append_column("kind", pa.array(np.arange(400) % 3))
    assert Features({"m": TargetMean("shop")}).fit_apply(kinds, "kind").column_names[-3:] == ["m_0", "m_1", "m_2"]
