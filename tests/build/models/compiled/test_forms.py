"""Forms say what their estimators say: on ordinary rows, at splits to the last bit, with gaps and with unseen texts."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge, SGDClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from assay.build.models.compiled.linear import LinearForm, LinearModel
from assay.build.models.compiled.parity import as_tuples, border_rows, compare
from assay.build.models.compiled.trees import TreesForm, TreesModel
from assay.build.models.compiling import compiled_of
from assay.build.models.inputs import Column
from assay.build.models.table_model import TableModel
from assay.errors import InvalidInput

Rows = NDArray[np.object_]
COLUMNS = [
    Column("origin", "string"),
    Column("dest", "string"),
    *(Column(name, "double") for name in ("distance", "wind", "temp")),
]
NUMBERS = [2, 3, 4]


def flights(count: int = 600, *, gaps: bool = True) -> tuple[Rows, NDArray[np.float64]]:
    """Rows of two texts and three numbers, and a number that depends on them."""
    random = np.random.default_rng(1)
    rows = np.empty((count, 5), dtype=object)
    for place, known in enumerate((3, 40)):
        rows[:, place] = [f"v{one:02d}" for one in random.integers(0, known, count)]
    numbers = random.normal(size=(count, 3)).round(2)
    target = numbers[:, 0] - 2 * (numbers[:, 1] > 0.3) + np.array([int(one[1:]) % 5 - 2 for one in rows[:, 1]]) / 2
    if gaps:
        numbers[random.random(numbers.shape) < 0.05] = np.nan
        rows[random.random(count) < 0.05, 1] = None
    rows[:, 2:] = numbers
    return rows, target + 0.3 * random.normal(size=count)


def ordinal() -> ColumnTransformer:
    unseen = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    return ColumnTransformer([("text", unseen, [0, 1])], remainder="passthrough")


def one_hot(*numbers: Any, **settings: Any) -> ColumnTransformer:
    encode = OneHotEncoder(**{"handle_unknown": "ignore", **settings})
    fill = make_pipeline(*(numbers or (SimpleImputer(strategy="median"), StandardScaler())))
    return ColumnTransformer([("text", encode, [0, 1]), ("numbers", fill, NUMBERS)])


def fitted(pipeline: Any, kind: str, *, gaps: bool = True) -> tuple[TableModel, Rows]:
    rows, target = flights(gaps=gaps)
    wanted = {
        "number": target,
        "count": np.exp(target / 4).round(),
        "two": np.where(target > 0, "late", "good"),
        "three": np.digitize(target, [-1, 1]),
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(rows, wanted)
    return TableModel("model", pipeline, COLUMNS), rows


LINEAR: dict[str, tuple[Callable[[], Any], str]] = {
    "one-hot and scaled": (lambda: Pipeline([("p", one_hot()), ("m", LogisticRegression())]), "two"),
    "rare texts together": (lambda: make_pipeline(one_hot(max_categories=8), LogisticRegression()), "two"),
    "first dropped": (lambda: make_pipeline(one_hot(drop="first", min_frequency=5), LogisticRegression()), "two"),
    "three classes": (lambda: make_pipeline(one_hot(), LogisticRegression()), "three"),
    "by gradients": (lambda: make_pipeline(one_hot(), SGDClassifier(loss="log_loss", random_state=0)), "two"),
    "with indicators": (
        lambda: make_pipeline(one_hot(SimpleImputer(add_indicator=True), MaxAbsScaler()), Ridge()),
        "number",
    ),
    "between 0 and 1": (lambda: make_pipeline(one_hot(SimpleImputer(), MinMaxScaler()), LinearRegression()), "number"),
    "robust": (lambda: make_pipeline(one_hot(RobustScaler(), SimpleImputer()), Ridge()), "number"),
    "counts": (lambda: make_pipeline(one_hot(), PoissonRegressor()), "count"),
    "by the target": (
        lambda: make_pipeline(
            ColumnTransformer([("text", TargetEncoder(random_state=0), [0, 1]), ("numbers", SimpleImputer(), NUMBERS)]),
            StandardScaler(),
            LogisticRegression(),
        ),
        "two",
    ),
}
TREES: dict[str, tuple[Callable[[], Any], str]] = {
    "categories": (
        lambda: make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=20, categorical_features=[0, 1])),
        "two",
    ),
    "categories, three classes": (
        lambda: make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=5, categorical_features=[1])),
        "three",
    ),
    "numbers": (lambda: make_pipeline(ordinal(), HistGradientBoostingRegressor(max_iter=20)), "number"),
    "counts": (
        lambda: make_pipeline(ordinal(), HistGradientBoostingRegressor(loss="poisson", max_iter=20)),
        "count",
    ),
    "a forest": (lambda: make_pipeline(one_hot(), RandomForestClassifier(20, random_state=0)), "two"),
    "a forest with gaps": (lambda: make_pipeline(ordinal(), RandomForestClassifier(20, random_state=0)), "three"),
    "very random trees": (lambda: make_pipeline(one_hot(), ExtraTreesRegressor(20, random_state=0)), "number"),
    "boosting": (
        lambda: make_pipeline(one_hot(), GradientBoostingClassifier(n_estimators=20, random_state=0)),
        "three",
    ),
    "boosting of numbers": (
        lambda: make_pipeline(one_hot(), GradientBoostingRegressor(n_estimators=20, random_state=0)),
        "number",
    ),
    "one tree": (lambda: make_pipeline(ordinal(), DecisionTreeClassifier(max_depth=5)), "two"),
    "one leaf": (lambda: make_pipeline(ordinal(), DecisionTreeRegressor(min_samples_leaf=600)), "number"),
}


@pytest.mark.parametrize("which", LINEAR)
def test_a_linear_pipeline_is_one_sum(which: str) -> None:
    make, kind = LINEAR[which]
    model, rows = fitted(make(), kind)
    name, form = compiled_of(model.estimator, model)
    assert name == "linear"
    assert isinstance(form, LinearForm)
    proof = compare(model, LinearModel(form), rows, border_rows(rows, COLUMNS, []))
    assert proof.worst is None
    assert proof.flips == 0
    assert proof.difference < 1e-12
    assert proof.border > 100


@pytest.mark.parametrize("which", TREES)
def test_trees_are_a_graph_that_splits_where_they_split(which: str) -> None:
    make, kind = TREES[which]
    model, rows = fitted(make(), kind)
    name, form = compiled_of(model.estimator, model)
    assert name == "trees"
    assert isinstance(form, TreesForm)
    proof = compare(model, TreesModel(form), rows, border_rows(rows, COLUMNS, form.splits))
    assert proof.worst is None
    assert proof.flips == 0
    assert proof.difference < 1e-12


def test_single_precision_flips_a_row_at_a_split_and_the_form_does_not() -> None:
    """The thresholds of scikit-learn's boosting are doubles: a graph of floats sends the number beside one astray."""
    values = np.array([0.1, 0.1 + 1e-9] * 200)
    rows = values.astype(object)[:, None]
    wanted = (values > 0.1).astype(int)
    estimator = HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=1).fit(values[:, None], wanted)
    model = TableModel("model", estimator, [Column("x", "double")])
    _, form = compiled_of(estimator, model)
    assert isinstance(form, TreesForm)
    assert np.float32(0.1) == np.float32(0.1 + 1e-9), "in single precision the two classes are the same number"
    said = TreesModel(form).predict(rows)
    np.testing.assert_allclose(said, model.answers(rows), rtol=0, atol=1e-15)
    np.testing.assert_array_equal(said[:, 1] > 0.5, wanted.astype(bool))


def test_what_rounds_in_single_precision_itself_is_rounded_likewise() -> None:
    values = np.linspace(0, 1, 301)
    estimator = DecisionTreeRegressor().fit(values[:, None], np.sin(20 * values))
    model = TableModel("model", estimator, [Column("x", "double")])
    _, form = compiled_of(estimator, model)
    assert isinstance(form, TreesForm)
    rows = values.astype(object)[:, None]
    borders = border_rows(rows, model.columns, form.splits)
    assert sum(len(one.rows) for one in borders) > 300 * 4
    assert compare(model, TreesModel(form), rows, borders).difference == 0.0


def test_rows_come_as_tuples_arrays_of_objects_or_a_matrix() -> None:
    rows, target = flights(gaps=False)
    numbers = rows[:, 2:].astype(np.float64)
    for estimator in (Ridge(), HistGradientBoostingRegressor(max_iter=5)):
        model = TableModel("model", estimator.fit(numbers, target), COLUMNS[2:])
        _, form = compiled_of(estimator, model)
        answering = LinearModel(form) if isinstance(form, LinearForm) else TreesModel(form)
        wanted = estimator.predict(numbers)
        for given in (numbers, rows[:, 2:], as_tuples(rows[:, 2:])):
            np.testing.assert_allclose(answering.predict(given), wanted, rtol=1e-12)
        np.testing.assert_allclose(answering.predict(as_tuples(rows[:2, 2:])), wanted[:2], rtol=1e-12)


def test_many_rows_are_answered_in_parts() -> None:
    model, rows = fitted(TREES["categories"][0](), "two")
    _, form = compiled_of(model.estimator, model)
    many = np.concatenate([rows] * 4)
    assert isinstance(form, TreesForm)
    np.testing.assert_allclose(TreesModel(form).predict(many), model.answers(many), atol=1e-15)


def test_a_form_refuses_what_its_model_refuses() -> None:
    encode = ColumnTransformer([("text", OneHotEncoder(), [0, 1])], remainder="passthrough")
    model, rows = fitted(make_pipeline(encode, LogisticRegression()), "two", gaps=False)
    _, form = compiled_of(model.estimator, model)
    assert isinstance(form, LinearForm)
    answering = LinearModel(form)
    gap, unseen = rows[:1].copy(), rows[:1].copy()
    gap[0, 2], unseen[0, 1] = np.nan, "nowhere"
    for bad in (gap, unseen):
        with pytest.raises(ValueError, match=r"."):
            model.answers(bad)
        for given in (bad, as_tuples(bad)):
            with pytest.raises(ValueError, match="the model refuses"):
                answering.predict(given)
    proof = compare(model, answering, rows, border_rows(rows, COLUMNS, []))
    assert (proof.worst, proof.flips) == (None, 0)
    assert proof.refused > 50


def test_a_form_that_answers_what_its_model_refuses_is_found_out() -> None:
    encode = ColumnTransformer([("text", OneHotEncoder(), [0, 1])], remainder="passthrough")
    model, rows = fitted(make_pipeline(encode, LogisticRegression()), "two", gaps=False)
    lenient, _ = fitted(LINEAR["one-hot and scaled"][0](), "two", gaps=False)
    _, form = compiled_of(lenient.estimator, lenient)
    assert isinstance(form, LinearForm)
    proof = compare(model, LinearModel(form), rows, border_rows(rows, COLUMNS, []))
    assert proof.worst is not None
    assert "the model refuses rows with" in proof.worst
    assert not proof.within(1.0)


def test_a_form_of_another_model_flips_rows() -> None:
    model, rows = fitted(LINEAR["one-hot and scaled"][0](), "two")
    other, _ = fitted(make_pipeline(one_hot(), LogisticRegression(C=1e-3)), "two")
    _, form = compiled_of(other.estimator, other)
    assert isinstance(form, LinearForm)
    proof = compare(model, LinearModel(form), rows, border_rows(rows, COLUMNS, []))
    assert proof.flips > 10
    assert proof.difference > 0.05
    assert not proof.within(0.9)
    elsewhere = compare(model, LinearModel(form), rows, border_rows(rows, COLUMNS, []), threshold=2.0)
    assert elsewhere.flips == 0, "no probability is on the other side of a threshold that none reaches"


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        (make_pipeline(one_hot(SimpleImputer(), KBinsDiscretizer()), Ridge()), "a KBinsDiscretizer is not compiled"),
        (make_pipeline(one_hot(SimpleImputer(), FunctionTransformer(np.abs)), Ridge()), "it could do anything"),
        (
            make_pipeline(one_hot(SimpleImputer(), MinMaxScaler(clip=True)), Ridge()),
            "a clip of numbers cannot be part of one sum",
        ),
    ],
)
def test_what_is_not_known_is_refused_by_name(pipeline: Any, said: str) -> None:
    model, _ = fitted(pipeline, "number")
    with pytest.raises(InvalidInput) as refused:
        compiled_of(model.estimator, model)
    assert said in str(refused.value)
