"""Leakage is found where it is, named in a sentence, and an honest strong feature raises no alarm."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from assay.build.data.finding import Findings
from assay.build.data.leakage import check_leakage
from assay.build.data.splits import split
from assay.errors import InvalidInput

START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 4000


def table(rows: int = ROWS, seed: int = 1) -> pa.Table:
    """Honest rows: two weak features, a category, a time; the label is drawn."""
    rng = np.random.default_rng(seed)
    size, colour = rng.normal(size=rows), rng.choice(["red", "green", "blue"], rows)
    return pa.table(
        {
            "id": [f"row {i}" for i in range(rows)],
            "person": [f"p{i}" for i in rng.integers(0, rows // 4, rows)],
            "hour": pa.array([START + timedelta(hours=i) for i in range(rows)], pa.timestamp("us", "UTC")),
            "size": size,
            "weight": rng.normal(size=rows),
            "colour": colour,
            "late": (rng.random(rows) < 1 / (1 + np.exp(1.5 - size))).astype(int),
        }
    )


def leaks(found: Findings) -> list[tuple[str, str, list[str]]]:
    return [(one.check, one.severity, one.columns) for one in found]


def check(whole: pa.Table, **options: object) -> Findings:
    return check_leakage(whole, label="late", key="id", group="person", time="hour", **options)  # type: ignore[arg-type]


def with_column(values: object, name: str = "leak") -> pa.Table:
    return table().append_column(name, pa.array(values))


LATE: NDArray[np.int64] = table()["late"].to_numpy()


def test_an_honest_table_and_a_split_by_time_of_new_people_have_none() -> None:
    assert check(table()) == []
    assert str(check(table())) == "no leakage found"
    whole = table(40_000)
    made = split(whole, "entity", group="person", time="hour")
    assert check_leakage(made, label="late", key="id", group="person", time="hour") == []
    assert check_leakage(split(whole), label="late") == []


def test_rows_that_stand_in_two_parts_are_counted() -> None:
    made = split(table())
    parts = {"train": made.train, "test": pa.concat_tables([made.test, made.train.slice(0, 50)])}
    (found,) = check_leakage(parts, label="late")
    assert (found.check, found.severity, found.rows, found.parts) == ("rows", "stop", 50, ["train", "test"])
    assert f"50 of {parts['test'].num_rows:,} rows" in found.sentence


def test_rows_that_were_multiplied_before_the_split_are_found_although_they_have_their_own_key() -> None:
    whole = table()
    rare = whole.filter(pa.array(LATE == 1))
    copies = rare.set_column(0, "id", pa.array([f"copy {i}" for i in range(rare.num_rows)]))
    made = split(pa.concat_tables([whole, copies]), "stratified", label="late")
    (found,) = check_leakage(made, label="late", key="id", features=["size", "weight", "colour"])
    assert (found.check, found.severity) == ("features", "stop")
    assert found.rows > 0.2 * made.test.num_rows * LATE.mean()


def test_rows_that_agree_by_chance_are_a_warning_and_their_features_none() -> None:
    whole = table().select(["colour", "late"])
    (found,) = check_leakage(split(whole), label="late")
    assert (found.check, found.severity) == ("rows", "warn")
    assert "it may be chance" in found.sentence
    computed = whole.append_column(
        "score", pa.array([{"red": 0.1, "green": 0.2, "blue": 0.3}[c.as_py()] for c in whole["colour"]])
    )
    assert leaks(check_leakage(split(computed), label="late")) == [("rows", "warn", [])]


def test_a_score_that_is_computed_from_categories_tells_no_rows_apart() -> None:
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 3, (3000, 5))
    whole = pa.table({f"c{i}": codes[:, i] for i in range(5)}).append_column(
        "score", pa.array(codes @ np.array([1.1, 3.7, 0.01, 9.3, 27.2]))
    )
    whole = whole.append_column("id", pa.array(range(3000)))
    whole = whole.append_column("late", pa.array(rng.integers(0, 2, 3000)))
    assert check_leakage(split(whole), label="late", key="id") == []


def test_a_group_and_a_key_on_both_sides_are_found() -> None:
    made = split(table())
    found = check_leakage(made, label="late", group="person", key="id")
    assert leaks(found) == [("group", "stop", ["person"])]
    both = set(made.train["person"].to_pylist()) & set(made.test["person"].to_pylist())
    assert found[0].rows == sum(person in both for person in made.test["person"].to_pylist())
    assert f"{len(both):,} values of person are in train and in test" in found[0].sentence
    again = {"train": made.train, "test": pa.concat_tables([made.test, made.train.slice(0, 3)])}
    assert ("key", "stop", ["id"]) in leaks(check_leakage(again, key="id"))


def test_a_missing_group_is_in_no_two_parts() -> None:
    whole = pa.table({"g": pa.array([None, "a", None, "b"]), "x": [1, 2, 3, 4]})
    assert check_leakage({"train": whole.slice(0, 2), "test": whole.slice(2)}, group="g") == []


def test_training_rows_from_after_the_first_test_row_are_time_travel() -> None:
    made = split(table(), "random")
    (found,) = check_leakage(made, label="late", time="hour")
    first = min(made.test["hour"].to_pylist())
    assert (found.check, found.severity) == ("later rows", "stop")
    assert found.rows == sum(hour > first for hour in made.train["hour"].to_pylist())
    assert check_leakage(split(table(), "time", time="hour"), label="late", time="hour") == []


def test_dates_after_the_event_are_asked_about() -> None:
    hours = table()["hour"].to_pylist()
    arrived = pa.array([hour + timedelta(hours=2) for hour in hours], pa.timestamp("us", "UTC"))
    booked = pa.array([hour - timedelta(days=2) for hour in hours], pa.timestamp("us", "UTC"))
    whole = table().append_column("arrived", arrived).append_column("booked", booked)
    (found,) = check_leakage(whole, time="hour", features=["arrived", "booked", "size"])
    assert leaks(Findings([found])) == [("later values", "warn", ["arrived"])]
    assert "arrived lies after hour in all 4,000 rows" in found.sentence


@pytest.mark.parametrize(
    "values",
    [
        LATE,
        LATE == 1,
        1 - LATE,
        np.where(LATE == 1, "yes", "no"),
        [None if value else "on time" for value in LATE],
        np.where(np.arange(ROWS) == 7, 1 - LATE, LATE),
    ],
    ids=["copy", "boolean", "turned", "words", "missing", "one wrong"],
)
def test_the_label_in_another_spelling_is_found(values: object) -> None:
    found = check(with_column(values))
    assert leaks(found) == [("label", "stop", ["leak"])]
    assert "each of its values stands for one label" in found[0].sentence


def separated(area: float, seed: int = 3) -> NDArray[np.float64]:
    """Normal values whose area under the ROC curve is known: Phi(d / sqrt 2)."""
    from scipy.stats import norm

    away = float(np.sqrt(2) * norm.ppf(area))
    return np.random.default_rng(100 + seed).normal(size=ROWS) + LATE * away


@pytest.mark.parametrize("area", [0.8, 0.95, 0.99])
def test_an_honest_strong_feature_raises_no_alarm(area: float) -> None:
    for seed in range(5):
        assert check(with_column(separated(area, seed))) == []


@pytest.mark.parametrize(("area", "severity"), [(0.997, "warn"), (0.9999, "stop")])
@pytest.mark.parametrize("turned", [1, -1])
def test_a_column_that_tells_the_label_nearly_perfectly_is_found(area: float, severity: str, turned: int) -> None:
    found = check(with_column(turned * separated(area)))
    assert leaks(found) == [("column", severity, ["leak"])]


def test_a_column_that_tells_the_label_in_the_middle_is_found() -> None:
    away = np.where(LATE == 1, 0.0, np.random.default_rng(3).choice([-3.0, 3.0], ROWS))
    found = check(with_column(away + np.random.default_rng(4).normal(size=ROWS) * 0.2))
    assert [(one.check, one.columns) for one in found] == [("column", ["leak"])]


def test_many_categories_are_measured_on_rows_they_were_not_fitted_on() -> None:
    assert check(with_column([f"c{i}" for i in range(ROWS)])) == []
    assert check(with_column([f"c{i // 2}" for i in range(ROWS)])) == []
    codes = np.random.default_rng(2).integers(0, 50, ROWS) * 2 + LATE
    assert leaks(check(with_column([f"c{code}" for code in codes]))) == [("column", "stop", ["leak"])]


def test_a_table_in_the_order_of_its_label_is_told_by_its_row_numbers() -> None:
    whole = table().take(pa.array(np.argsort(LATE, kind="stable")))
    found = check(whole.append_column("number", pa.array(range(ROWS))))
    assert ("column", "stop", ["number"]) in leaks(found)


def test_a_column_filled_in_only_afterwards_is_found_by_what_is_missing() -> None:
    rng = np.random.default_rng(6)
    known = np.where(rng.random(ROWS) < 0.02, 1 - LATE, LATE)
    found = check(with_column([float(x) if k else None for x, k in zip(rng.normal(size=ROWS), known, strict=True)]))
    assert leaks(found) == [("missing", "warn", ["leak"])]
    assert "(mostly 0 there)" in found[0].sentence
    by_chance = [x if x > -1 else None for x in rng.normal(size=ROWS)]
    assert check(with_column(by_chance)) == []


@pytest.mark.parametrize("classes", [3, 12])
def test_a_label_of_several_classes_is_checked_too(classes: int) -> None:
    rng = np.random.default_rng(8)
    kind = rng.integers(0, classes, ROWS)
    whole = table().append_column("kind", pa.array([f"k{k}" for k in kind]))
    whole = whole.append_column("code", pa.array(100 - kind))
    whole = whole.append_column("fine", pa.array(kind * 10 + rng.integers(0, 10, ROWS)))
    whole = whole.append_column("honest", pa.array(np.where(rng.random(ROWS) < 0.95, kind, 0)))
    found = check_leakage(whole, label="kind", features=["code", "fine", "honest", "size"])
    assert [(one.check, one.columns) for one in found] == [("label", ["code"]), ("column", ["fine"])]


def test_a_label_of_numbers_is_found_as_itself_as_a_curve_and_as_a_sum() -> None:
    rng = np.random.default_rng(9)
    casual, registered = rng.poisson(30, ROWS) * 1.0, rng.poisson(150, ROWS) * 1.0
    bikers = casual + registered
    whole = pa.table(
        {
            "bikers": bikers,
            "casual": casual,
            "registered": registered,
            "temp": 0.01 * bikers + rng.normal(size=ROWS),
            "copy": bikers,
            "log": np.log(bikers),
            "rounded": np.round(bikers / 2) * 2,
        }
    )
    found = check_leakage(whole, label="bikers")
    assert leaks(found) == [
        ("label", "stop", ["copy"]),
        ("column", "stop", ["log"]),
        ("sum", "stop", ["casual", "registered"]),
        ("column", "warn", ["rounded"]),
    ]
    assert "bikers is casual + registered: 100" in str(found)
    assert check_leakage(whole, label="bikers", features=["casual", "temp", "registered"])[0].columns == [
        "casual",
        "registered",
    ]
    assert check_leakage(whole, label="bikers", features=["registered", "temp"]) == []


def test_a_difference_that_decides_a_label_is_found() -> None:
    rng = np.random.default_rng(10)
    planned, arrived = rng.uniform(0, 1000, ROWS), rng.normal(0, 30, ROWS)
    whole = pa.table({"planned": planned, "arrived": planned + arrived, "noise": rng.normal(size=ROWS)})
    whole = whole.append_column("late", pa.array(arrived > 15))
    assert leaks(check_leakage(whole, label="late")) == [("sum", "warn", ["planned", "arrived"])]


def test_rows_without_a_label_and_columns_without_values_do_not_disturb() -> None:
    late = pa.array([None if i % 5 == 0 else int(value) for i, value in enumerate(LATE)])
    whole = with_column(LATE).set_column(6, "late", late).append_column("empty", pa.nulls(ROWS, pa.float64()))
    found = check(whole)
    assert leaks(found) == [("label", "stop", ["leak"])]
    assert found[0].of == ROWS * 4 // 5
    assert found.stops
    assert "<strong>stop</strong>" in found._repr_html_()


def test_too_few_rows_accuse_nobody() -> None:
    whole = pa.table({"x": [1, 2, 3, 4], "late": [0, 0, 1, 1]})
    assert check_leakage(whole, label="late") == []


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (table(), {"label": "lat"}, "no column 'lat'"),
        (table(), {"label": "late", "features": ["late"]}, "the label 'late' is among the features"),
        (table(), {"features": ["sizes"]}, "no column 'sizes'"),
        ({}, {}, "there are no parts"),
        ({"train": table(), "test": table().drop_columns(["size"])}, {}, "the parts differ in columns: size"),
        ({"train": table(), "test": table().slice(0, 0)}, {}, "the part 'test' has no rows"),
    ],
)
def test_what_cannot_be_checked_is_refused(data: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        check_leakage(data, **options)  # type: ignore[arg-type]
