"""Cleaning: what each rule does, fitted on training rows only, the same for one row as for many."""

import math
import pickle
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from assay.build.data.cleaner import Cleaner
from assay.build.data.cleaning import Cleaning
from assay.build.data.cleaning_rows import RowCleaner
from assay.build.data.cleaning_rules import (
    AnyRule,
    Categories,
    DropMissing,
    DropRepeated,
    Fill,
    Outliers,
    Repair,
)
from assay.build.data.cleaning_transformer import CleaningTransformer
from assay.build.models.packaging import load_model, matrix, package_model
from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run


def cleaned(values: list[Any], *rules: AnyRule, kind: pa.DataType | None = None, training: bool = False) -> list[Any]:
    table = pa.table({"x": pa.array(values, kind)})
    found: list[Any] = Cleaning(rules).fit(table).apply(table, training=training)["x"].to_pylist()
    return found


def test_missing_values_are_filled_with_what_the_training_rows_say() -> None:
    numbers = [1, 2, 6, None, 3]
    assert cleaned(numbers, Fill("x")) == [1, 2, 6, 2.5, 3]
    assert cleaned(numbers, Fill("x", "mean")) == [1, 2, 6, 3, 3]
    assert cleaned([2, 1, None, 1, 2], Fill("x", "most frequent")) == [2, 1, 1, 1, 2], "of equals the smaller"
    assert cleaned(["b", None, "b"], Fill("x", "most frequent")) == ["b"] * 3
    assert cleaned([True, None], Fill("x", "most frequent")) == [True, True]
    assert cleaned([1, None], Fill("x", "value", -1)) == [1, -1]
    assert cleaned([1.0, math.nan], Fill("x", "value", 0)) == [1, 0], "NaN is missing"
    assert cleaned(["a", None], Fill("x", "value", "none")) == ["a", "none"]


def test_an_indicator_says_where_values_were_missing() -> None:
    table = pa.table({"x": [1, None], "y": ["a", "b"]})
    found = Cleaning([Fill("x", indicator=True)]).fit(table)
    assert found.outputs == ("x", "y", "x_missing")
    assert found.apply(table)["x_missing"].to_pylist() == [0, 1]
    with pytest.raises(InvalidInput, match="the table has a column 'x_missing'"):
        Cleaning([Fill("x", indicator=True)]).fit(found.apply(table))


def test_outliers_are_clipped_or_missing_by_a_range_or_quantiles() -> None:
    numbers = [*range(101), 10_000, None]
    assert cleaned(numbers, Outliers("x", 0, 100))[-2:] == [100, None]
    assert cleaned(numbers, Outliers("x", high=100, become="missing"))[-2:] == [None, None]
    assert cleaned(numbers, Outliers("x", low=50))[:2] == [50, 50]
    assert cleaned(numbers, Outliers("x", quantiles=(0.0, 0.99)))[-2] == pytest.approx(99.99)


def test_categories_that_mean_the_same_become_the_same() -> None:
    towns = ["Berlin", "berlin ", "BERLIN", "Berlin", "New  York", "", None]
    assert cleaned(towns, Categories("x")) == ["Berlin", "berlin", "BERLIN", "Berlin", "New York", None, None]
    assert cleaned(towns, Categories("x", casefold=True))[:5] == ["Berlin"] * 4 + ["New York"]
    assert cleaned(towns, Categories("x", casefold=True, map={"new york": "NYC"}))[4] == "NYC"
    assert cleaned(towns, Categories("x", casefold=True, fewest=2))[:5] == ["Berlin"] * 4 + ["other"]
    fitted = Cleaning([Categories("x", fewest=1, other="?")]).fit(pa.table({"x": ["a"]}))
    assert fitted.apply(pa.table({"x": ["a", "never seen", None]}))["x"].to_pylist() == ["a", "?", None]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("12", 12), (" 1,234.5 ", 1234.5), ("$5", 5), ("12 %", 0.12), ("-3e2", -300), ("1'000", 1000), (".5", 0.5)),
        *((text, None) for text in ("1,2", "unknown", "", "nan", "inf", "1e999", "1-2")),
    ],
)
def test_numbers_in_text_are_read(text: str, number: float | None) -> None:
    assert cleaned([text], Repair("x", "number")) == [pytest.approx(number) if number is not None else None]


def test_marks_between_thousands_may_be_points() -> None:
    assert cleaned(["1.234,5", "7,5", "1.2"], Repair("x", "number", decimal=",")) == [1234.5, 7.5, None]


def test_times_booleans_and_codes_are_repaired() -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert cleaned(["2026-01-31 12:00", "2026-01-31T13:00+01:00", "soon"], Repair("x", "time")) == [noon, noon, None]
    assert cleaned(["31.01.2026 12"], Repair("x", "time", form="%d.%m.%Y %H")) == [noon]
    assert cleaned([noon.date()], Repair("x", "time")) == [noon.replace(hour=0)]
    assert cleaned(["Yes", "n", " TRUE", "0", "perhaps"], Repair("x", "boolean")) == [True, False, True, False, None]
    assert cleaned([1, 2, None], Repair("x", "text")) == ["1", "2", None]
    assert cleaned([12.0, 1.5], Repair("x", "text")) == ["12", "1.5"]


def test_rows_are_dropped_in_training_only() -> None:
    table = pa.table({"x": [1, 1, None, 2], "y": ["a", "a", "b", "c"]})
    cleaner = Cleaning([DropMissing(("x",)), DropRepeated()]).fit(table)
    assert cleaner.apply(table, training=True).to_pydict() == {"x": [1, 2], "y": ["a", "c"]}
    assert cleaner.apply(table).equals(table), "each served row gets an answer"
    assert cleaned([1, None, None], DropRepeated(("x",)), training=True) == [1, None]


def test_rules_learn_from_what_the_rules_before_them_left() -> None:
    values = ["1", "2", "3", "1000000", None, "3"]
    rules: list[AnyRule] = [
        Repair("x", "number"),
        Outliers("x", high=10, become="missing"),
        DropRepeated(("x",)),
        Fill("x", "mean"),
    ]
    assert cleaned(values, *rules) == [1, 2, 3, 2, 2, 3]


def test_the_report_says_what_changed_in_how_many_rows_and_why() -> None:
    table = pa.table({"age": ["20", "40", "unknown", None], "y": [0, 1, 1, None]})
    rules: list[AnyRule] = [
        DropMissing(("y",), why="no label"),
        Repair("age", "number"),
        Fill("age", why="few are missing"),
    ]
    report = Cleaning(rules).fit(table).report
    assert str(report).splitlines() == [
        "4 rows, 3 after",
        "  y: rows with missing values dropped, 1 of 4 rows (no label)",
        "  age: read as number, 1 of them could not be read, 3 of 3 rows",
        "  age: missing values become 30.0, 1 of 3 rows (few are missing)",
    ]
    assert [(one.column, one.changed, one.rows) for one in report.changes] == [
        ("y", 1, 4),
        ("age", 3, 3),
        ("age", 1, 3),
    ]
    served = Cleaning(rules).fit(table).changes(pa.table({"age": ["1", "x"], "y": [1, None]}))
    assert (served.rows_after, served.changes[0].changed, served.changes[2].changed) == (2, 0, 1)


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        (Fill("z"), "no column 'z'"),
        (Fill("text"), "which 'fill' does not read"),
        (Fill("empty"), "has no value in the training rows"),
        (Fill("n", "value", "many"), "'many' cannot stand in column 'n'"),
        (Outliers("text", 0, 1), "which 'outliers' does not read"),
        (Categories("n"), "which 'categories' does not read"),
        (Repair("flag", "time"), "which 'repair' does not read"),
        (DropMissing(("z",)), "no column 'z'"),
        (DropRepeated(("z",)), "no column 'z'"),
    ],
)
def test_what_a_rule_cannot_learn_from_is_told(rule: AnyRule, what: str) -> None:
    table = pa.table(
        {"n": [1, 2], "text": ["a", "b"], "empty": pa.array([None, None], pa.int64()), "flag": [True, False]}
    )
    with pytest.raises(InvalidInput, match=what):
        Cleaning([rule]).fit(table)


def test_rules_that_say_nothing_or_two_things_are_refused() -> None:
    for wrong in (
        lambda: Fill("x", "value"),
        lambda: Fill("x", "mean", 3),
        lambda: Outliers("x"),
        lambda: Outliers("x", 0, 1, (0.1, 0.9)),
        lambda: Outliers("x", 1, 0),
        lambda: Outliers("x", quantiles=(-0.1, 0.9)),
        lambda: Outliers("x", 0, 1, become="clip"),  # type: ignore[arg-type] # on purpose
        lambda: Repair("x", "numbr"),  # type: ignore[arg-type] # on purpose
        lambda: Cleaning(["median"]),  # type: ignore[list-item] # on purpose
    ):
        with pytest.raises(InvalidInput):
            wrong()


def test_a_misspelled_word_is_told_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="what fills 'x' is 'meadian'") as raised:
        Fill("x", "meadian")  # type: ignore[arg-type] # on purpose
    assert raised.value.hint == "did you mean 'median'?"


def test_served_rows_are_refused_where_they_cannot_be_read() -> None:
    cleaner = Cleaning([Fill("n"), Categories("kind")]).fit(pa.table({"n": [1.0, 2.0], "kind": ["a", "b"]}))
    with pytest.raises(InvalidInput, match="no column 'kind'"):
        cleaner.apply(pa.table({"n": [1.0]}))
    with pytest.raises(InvalidInput, match="column 'n' is of type string, and was number in training"):
        cleaner.apply(pa.table({"n": ["many"], "kind": ["a"]}))
    assert cleaner.apply(pa.table({"n": ["3"], "kind": pa.array([None], pa.null())})).to_pydict() == {
        "n": [3],
        "kind": [None],
    }
    with pytest.raises(InvalidInput, match=r"the array is of shape \(1, 1\)"):
        cleaner.transform(np.array([[1.0]], dtype=object))
    with pytest.raises(InvalidInput, match="column 'n' of the array is not all number"):
        cleaner.transform(np.array([[1.0, "a"], ["x", "b"]], dtype=object))
    with pytest.raises(InvalidInput, match="not fitted on a column 'knd'") as raised:
        cleaner.only(["knd"])
    assert raised.value.hint == "did you mean 'kind'?"


# Whatever rows and rules: drawn.
TEXTS = st.one_of(
    st.none(), st.sampled_from(["a", " a", "A", "b  c", "", "1", "2.5", "yes", "2026-01-31"]), st.text(max_size=3)
)
NUMBERS = st.one_of(st.none(), st.floats(-1e9, 1e9), st.sampled_from([0.0, 1.0, math.nan]))
ROWS = st.lists(st.tuples(TEXTS, NUMBERS, st.one_of(st.none(), st.booleans())), min_size=1, max_size=8)
NAMES = ["text", "n", "flag"]


@st.composite
def rules_for(draw: st.DrawFn, table: pa.Table) -> Cleaning:
    """Rules that the table can teach."""
    rules: list[AnyRule] = []
    if draw(st.booleans()):
        casefold, fewest = draw(st.booleans()), draw(st.integers(0, 3))
        rules.append(Categories("text", draw(st.booleans()), casefold, draw(st.sampled_from([{}, {"a": "b"}])), fewest))
    if draw(st.booleans()):
        rules.append(Repair("text", draw(st.sampled_from(["number", "time", "boolean"]))))
    elif draw(st.booleans()):
        rules.append(Fill("text", "value", "none", indicator=draw(st.booleans())))
    if draw(st.booleans()):
        become: Any = draw(st.sampled_from(["clipped", "missing"]))
        options = [Outliers("n", -5, 5, become=become), Outliers("n", quantiles=(0.2, 0.8), become=become)]
        rules.append(draw(st.sampled_from(options)))
    if draw(st.booleans()) and table["n"].to_pandas().dropna().size:
        rules.insert(
            0, Fill("n", draw(st.sampled_from(["median", "mean", "most frequent"])), indicator=draw(st.booleans()))
        )
    if draw(st.booleans()):
        rules.append(Fill("flag", "value", True, indicator=draw(st.booleans())))
    if draw(st.booleans()):
        rules.append(DropRepeated())
    return Cleaning(rules)


def table_of(rows: list[tuple[Any, ...]]) -> pa.Table:
    kinds = [pa.string(), pa.float64(), pa.bool_()]
    return pa.table([pa.array([row[i] for row in rows], kind) for i, kind in enumerate(kinds)], names=NAMES)


@settings(max_examples=60)
@given(ROWS, ROWS, st.data())
def test_rows_one_at_a_time_are_cleaned_as_the_whole(
    training: list[Any], served: list[Any], data: st.DataObject
) -> None:
    cleaner = data.draw(rules_for(table_of(training))).fit(table_of(training))
    table = table_of(served)
    whole = cleaner.apply(table)
    single = pa.concat_tables([cleaner.apply(table.slice(row, 1)) for row in range(table.num_rows)])
    assert str(whole.to_pylist()) == str(single.to_pylist())
    assert whole.column_names == list(cleaner.outputs)


@settings(max_examples=60)
@given(ROWS, ROWS, st.data())
def test_a_few_rows_of_objects_are_cleaned_as_arrow_does(
    training: list[Any], served: list[Any], data: st.DataObject
) -> None:
    cleaner = data.draw(rules_for(table_of(training))).fit(table_of(training)).only(NAMES)
    rows = matrix(table_of(served), NAMES)
    quick = RowCleaner(cleaner)
    assert quick.ready
    found, expected = quick(rows), cleaner.transform(rows)
    assert found is not None
    assert str(found.tolist()) == str(expected.tolist())


@settings(max_examples=60)
@given(ROWS, st.data())
def test_cleaning_what_is_clean_changes_nothing(training: list[Any], data: st.DataObject) -> None:
    table = table_of(training)
    cleaning = data.draw(rules_for(table))
    # A map may go on (a to b, b to c), and what fills may be no category of the training rows.
    once = [rule for rule in cleaning.rules if not isinstance(rule, Categories) or not (rule.map or rule.fewest)]
    cleaner = Cleaning([_once(rule) for rule in once]).fit(table)
    first = cleaner.apply(table)
    assert str(cleaner.apply(first).to_pylist()) == str(first.to_pylist())


def _once(rule: AnyRule) -> AnyRule:
    """Without what adds a column, or makes missing what was filled before."""
    if isinstance(rule, Fill):
        return msgspec.structs.replace(rule, indicator=False)
    return msgspec.structs.replace(rule, become="clipped") if isinstance(rule, Outliers) else rule


@settings(max_examples=60)
@given(ROWS, st.data())
def test_a_cleaner_is_data(training: list[Any], data: st.DataObject) -> None:
    cleaner = data.draw(rules_for(table_of(training))).fit(table_of(training))
    read = msgspec.json.decode(msgspec.json.encode(cleaner), type=Cleaner)
    assert read == cleaner
    assert read.hash == cleaner.hash
    assert pickle.loads(pickle.dumps(cleaner)) == cleaner


def shop(seed: int, rows: int = 300) -> pa.Table:
    random = np.random.default_rng(seed)
    age = [None if x < 0.05 else "unknown" if x > 0.97 else f" {int(20 + 50 * x)}" for x in random.random(rows)]
    income = np.where(random.random(rows) < 0.005, 1e9, random.normal(3000, 500, rows))
    return pa.table(
        {
            "age": age,
            "town": random.choice(["Berlin", "berlin ", "Paris", "Rome"], rows),
            "income": pa.array(income, mask=random.random(rows) < 0.1),
            "buys": (random.random(rows) < 0.3).astype(int),
        }
    )


FEATURES = ["age", "town", "income"]
RULES = Cleaning(
    [
        Repair("age", "number"),
        Fill("age", indicator=True),
        Categories("town", casefold=True),
        Outliers("income", quantiles=(0.01, 0.99)),
        Fill("income"),
    ]
)


def pipeline(step: CleaningTransformer) -> Pipeline:
    encode = ColumnTransformer([("town", OneHotEncoder(handle_unknown="ignore"), [1])], remainder="passthrough")
    return Pipeline([("clean", step), ("encode", encode), ("model", DecisionTreeClassifier(max_depth=4))])


def test_a_pipeline_learns_its_cleaning_from_its_training_rows_alone() -> None:
    table, labels = shop(0), shop(0)["buys"].to_numpy()
    rows = matrix(table, FEATURES)
    model = pipeline(RULES.transformer(FEATURES))
    for fold in (slice(0, 150), slice(150, 300)):
        fitted = clone(model).fit(rows[fold], labels[fold])
        expected = RULES.fit(table.slice(fold.start, 150).select(FEATURES))
        assert fitted["clean"].cleaner_.hash == expected.hash
    before = RULES.fit(table.slice(0, 150)).hash
    other = pa.concat_tables([table.slice(0, 150), shop(9)])
    assert RULES.fit(other.slice(0, 150)).hash == before, "rows of the test never change what was learned"
    assert RULES.fit(other).hash != before


def test_it_is_packaged_loaded_and_serves_the_same(store: SqlStore) -> None:
    table = shop(1)
    dropping = Cleaning((DropRepeated(), *RULES.rules))
    cleaner = dropping.fit(table)
    labels = table["buys"].to_numpy()
    for step in (RULES.transformer(FEATURES), cleaner.transformer(FEATURES)):
        model = pipeline(step).fit(matrix(table, FEATURES), labels)
        with start_run(store, "shop", "train") as run:
            version = package_model(store, "buyers", model, table, FEATURES, run=run)
        loaded = load_model(store, version)
        fresh = shop(2)
        expected = model.predict_proba(matrix(fresh, FEATURES))[:, 1]
        assert np.array_equal(loaded.predict_table(fresh), expected)
        for row in range(20):
            one = np.array(
                [fresh.select(FEATURES).slice(row, 1).to_pylist()[0][name] for name in FEATURES], dtype=object
            )
            assert loaded.predict(one.reshape(1, -1))[0] == pytest.approx(expected[row], abs=1e-12)


def test_frames_stay_frames_and_names_come_out() -> None:
    table = shop(3).select(FEATURES)
    step = RULES.transformer().fit(table)
    assert step.get_feature_names_out().tolist() == [*FEATURES, "age_missing"]
    expected = step.transform(table)
    frame = table.to_pandas().set_index(pd.Index(range(100, 400)))
    found = step.transform(frame)
    assert isinstance(found, pd.DataFrame)
    assert found.index[0] == 100
    assert str(pa.table(found.reset_index(drop=True)).to_pylist()) == str(expected.to_pylist())
    polars = step.transform(pl.from_arrow(table))
    assert isinstance(polars, pl.DataFrame)
    assert polars.to_arrow()["age"].to_pylist() == expected["age"].to_pylist()


def test_what_a_pipeline_cannot_do_is_told() -> None:
    with pytest.raises(InvalidInput, match="cannot drop rows"):
        Cleaning([DropRepeated()]).transformer().fit(shop(0))
    with pytest.raises(InvalidInput, match="3 columns without names"):
        RULES.transformer().fit(matrix(shop(0), FEATURES))
