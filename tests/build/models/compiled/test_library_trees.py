"""Forms of LightGBM and XGBoost answer as the libraries do: gaps, categories, borders, and numbers of any size."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier, LGBMRanker, LGBMRegressor
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRanker, XGBRegressor, XGBRFRegressor

from assay.build.models.compiled.parity import Parity, as_tuples, border_rows, compare
from assay.build.models.compiled.trees import TreesForm, TreesModel
from assay.build.models.compiling import compiled_of
from assay.build.models.flavours.flavour import Given, Kept
from assay.build.models.folder import flavour_of
from assay.build.models.inputs import Column
from assay.build.models.table_model import TableModel
from assay.errors import InvalidInput

Floats = NDArray[np.float64]
COLUMNS = [Column(name, "double") for name in ("wind", "temp", "rain", "gate")]
LGB: dict[str, Any] = {"n_estimators": 15, "verbose": -1, "num_threads": 1, "min_data_per_group": 5}
XGB: dict[str, Any] = {"n_estimators": 15, "nthread": 1}
GATES: dict[str, Any] = {"feature_types": ["q", "q", "q", "c"], "enable_categorical": True}
ONE_UNIT = 2.0**-23


@pytest.fixture(autouse=True)
def _quiet_libraries() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def numbers(seed: int = 0, count: int = 400) -> tuple[Floats, Floats]:
    """Rows with gaps, with zeros in the rain, and with a gate that is a category; and a number that depends on them."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, 4))
    rows[random.random(count) < 0.3, 2] = 0.0
    rows[:, 3] = random.integers(0, 12, count)
    rows[:, :2][random.random((count, 2)) < 0.1] = np.nan
    known = np.nan_to_num(rows)
    target = known[:, 0] + np.sin(3 * known[:, 1]) + (rows[:, 3] % 3 == 0) + known[:, 2]
    return rows, target + random.normal(size=count) / 2


ROWS, DELAY = numbers()
LATE = (DELAY > 0.5).astype(int)
KIND = np.digitize(DELAY, [-0.5, 1.0])
COUNT = np.exp(DELAY / 3).round()


def as_kept(estimator: Any) -> TableModel:
    """The model as it is loaded from its file: the one that a form stands in for."""
    flavour = flavour_of(estimator)
    saved = flavour.save(Given(estimator, COLUMNS))
    return TableModel("m", flavour.load(Kept(saved.content, COLUMNS, saved.classes)), COLUMNS, saved.classes)


def proof(model: TableModel, rows: Any = ROWS) -> tuple[Parity, TreesForm]:
    name, form = compiled_of(model.estimator, model)
    assert name == "trees"
    assert isinstance(form, TreesForm)
    sample = rows.astype(object)
    return compare(model, TreesModel(form), sample, border_rows(sample, model.columns, form.splits)), form


LIGHTGBM: dict[str, Callable[[], Any]] = {
    "two classes": lambda: LGBMClassifier(**LGB).fit(ROWS, LATE),
    "two classes, categories": lambda: LGBMClassifier(**LGB).fit(ROWS, LATE, categorical_feature=[3]),
    "three classes, categories": lambda: LGBMClassifier(**LGB).fit(ROWS, KIND, categorical_feature=[3]),
    "each class for itself": lambda: LGBMClassifier(objective="multiclassova", **LGB).fit(ROWS, KIND),
    "a steep sigmoid": lambda: LGBMClassifier(sigmoid=2.5, **LGB).fit(ROWS, LATE),
    "numbers": lambda: LGBMRegressor(**LGB).fit(ROWS, DELAY),
    "counts": lambda: LGBMRegressor(objective="poisson", **LGB).fit(ROWS, COUNT),
    "zero is a gap": lambda: LGBMClassifier(zero_as_missing=True, **LGB).fit(ROWS, LATE),
    "gaps are zero": lambda: LGBMRegressor(use_missing=False, **LGB).fit(ROWS, DELAY),
    "a forest": lambda: LGBMRegressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, **LGB).fit(ROWS, DELAY),
    "dropped trees": lambda: LGBMRegressor(boosting_type="dart", **LGB).fit(ROWS, DELAY),
    "one leaf": lambda: LGBMRegressor(min_child_samples=400, **LGB).fit(ROWS, DELAY),
    "a bare booster": lambda: lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(ROWS, LATE), num_boost_round=9
    ),
}
XGBOOST: dict[str, Callable[[], Any]] = {
    "two classes": lambda: XGBClassifier(**XGB).fit(ROWS, LATE),
    "two classes, categories": lambda: XGBClassifier(**GATES, **XGB).fit(ROWS, LATE),
    "three classes, categories": lambda: XGBClassifier(**GATES, **XGB).fit(ROWS, KIND),
    "numbers, categories": lambda: XGBRegressor(**GATES, **XGB).fit(ROWS, DELAY),
    "counts": lambda: XGBRegressor(objective="count:poisson", **XGB).fit(ROWS, COUNT),
    "a quantile": lambda: XGBRegressor(objective="reg:quantileerror", quantile_alpha=0.3, **XGB).fit(ROWS, DELAY),
    "a forest": lambda: XGBRFRegressor(**XGB).fit(ROWS, DELAY),
    "a base score of one's own": lambda: XGBClassifier(base_score=0.9, **XGB).fit(ROWS, LATE),
    "one leaf": lambda: XGBRegressor(gamma=1e9, **XGB).fit(ROWS, DELAY),
    "a bare booster": lambda: xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(ROWS, LATE), num_boost_round=9
    ),
}


@pytest.mark.parametrize("which", LIGHTGBM)
def test_lightgbm_is_compiled_in_double_precision(which: str) -> None:
    found, form = proof(as_kept(LIGHTGBM[which]()))
    assert (found.worst, found.flips, found.refused, form.single) == (None, 0, 0, False)
    assert found.difference < 1e-15
    assert found.border > (50 if which == "one leaf" else 500)


@pytest.mark.parametrize("which", XGBOOST)
def test_xgboost_is_compiled_in_its_own_single_precision(which: str) -> None:
    model = as_kept(XGBOOST[which]())
    found, form = proof(model)
    assert (found.worst, found.flips, found.refused, form.single) == (None, 0, 0, True)
    if model.classes or which == "counts":
        assert found.difference <= ONE_UNIT, "an exponential may be rounded the other way"
    else:
        assert found.difference == 0.0, "sums are the same to the last bit"


def test_trees_after_the_best_are_left_out() -> None:
    noise = np.random.default_rng(1).normal(size=len(ROWS))
    half = len(ROWS) // 2
    held_out: list[Any] = [(ROWS[half:], noise[half:])]
    stopping = XGBRegressor(n_estimators=60, early_stopping_rounds=3, nthread=1)
    stopping.fit(ROWS[:half], noise[:half], eval_set=held_out, verbose=False)
    early = LGBMRegressor(**{**LGB, "n_estimators": 60}, early_stopping_round=3)
    early.fit(ROWS[:half], noise[:half], eval_set=held_out)
    assert stopping.best_iteration < 56
    assert early.best_iteration_ < 56
    estimators: tuple[Any, ...] = (stopping, early)
    for estimator in estimators:
        assert proof(as_kept(estimator))[0].difference < 1e-15
        assert proof(TableModel("m", estimator, COLUMNS))[0].difference < 1e-15


TEXTS = [Column("origin", "string"), *COLUMNS[:3]]


@pytest.mark.parametrize("encoder", ["ordinal", "one-hot"])
@pytest.mark.parametrize(
    "estimator",
    [
        LGBMClassifier(**LGB),
        LGBMRegressor(**LGB, categorical_feature=[0]),
        XGBClassifier(**XGB),
        XGBRegressor(**XGB),
        XGBRegressor(feature_types=["c", "q", "q", "q"], enable_categorical=True, **XGB),
    ],
)
def test_a_pipeline_is_compiled_with_what_prepares_its_columns(encoder: str, estimator: Any) -> None:
    if encoder == "one-hot" and getattr(estimator, "feature_types", None):
        estimator = XGBRegressor(**XGB, max_depth=3)  # types are of four columns, and there are more
    rows = ROWS.astype(object)
    rows[:, 1:] = ROWS[:, :3]
    rows[:, 0] = [f"gate {int(one)}" for one in ROWS[:, 3]]
    rows[::50, 0] = None
    encode = (
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        if encoder == "ordinal"
        else OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    )
    prepare = ColumnTransformer(
        [("text", encode, [0]), ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), [1, 2, 3])],
        sparse_threshold=0,
    )
    pipeline = make_pipeline(prepare, estimator)
    pipeline.fit(rows, LATE if hasattr(estimator, "predict_proba") else DELAY)
    found, form = proof(TableModel("m", pipeline, TEXTS), rows)
    assert (found.worst, found.flips) == (None, 0)
    assert found.difference <= (ONE_UNIT if form.single else 1e-15)
    assert form.splits, "what is scaled has borders too"


def test_numbers_that_are_categories_lose_what_is_behind_the_point() -> None:
    gates = np.array([-1e10, -1.0, -0.5, -0.0, 0.9, 1.0, 1.9999999999, 2.0, 10.5, 11.0, 12.0, 1e10, 1e300, np.nan])
    rows = np.repeat(ROWS[:1], len(gates), axis=0)
    rows[:, 3] = gates
    for estimator in (LIGHTGBM["two classes, categories"](), XGBOOST["two classes, categories"]()):
        model = as_kept(estimator)
        _, form = proof(model)
        answering = TreesModel(form)
        wanted = model.answers(rows.astype(object))
        for given_as in (rows, rows.astype(object), as_tuples(rows.astype(object))):
            np.testing.assert_allclose(answering.predict(given_as), wanted, rtol=0, atol=ONE_UNIT)
        assert len(np.unique(wanted.round(6), axis=0)) > 1, "gates make a difference"


def test_columns_that_no_tree_asks_for_are_left_out_of_any_kind_of_rows() -> None:
    estimator = LGBMRegressor(**LGB).fit(np.column_stack([ROWS[:, :2], np.zeros((400, 2))]), DELAY)
    _, form = compiled_of(estimator, TableModel("m", estimator, COLUMNS))
    assert isinstance(form, TreesForm)
    assert [one.place for one in form.numbers] == [0, 1]
    wanted = estimator.predict(ROWS)
    for rows in (ROWS, ROWS.astype(object), as_tuples(ROWS.astype(object))):
        np.testing.assert_array_equal(TreesModel(form).predict(rows), wanted)


def test_lightgbm_takes_numbers_beside_zero_for_zero() -> None:
    tiny = float(np.float32(1e-35))
    values = np.array([-1.0, -1e-36, 0.0, 1e-36, 1.0] * 40)
    estimator = LGBMRegressor(**{**LGB, "min_child_samples": 1, "min_data_in_bin": 1}).fit(
        values[:, None], np.sign(values) * (np.abs(values) > tiny)
    )
    model = TableModel("m", estimator, COLUMNS[:1])
    _, form = compiled_of(estimator, model)
    assert isinstance(form, TreesForm)
    edges = [edge for one in (-tiny, tiny) for edge in (np.nextafter(one, -1), one, np.nextafter(one, 1))]
    rows = np.array([*edges, -1e-300, 1e-300, -5e-324, 0.0, -0.0, np.nan])[:, None]
    np.testing.assert_array_equal(TreesModel(form).predict(rows), estimator.predict(rows))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "linear leaves": (lambda: LGBMRegressor(linear_tree=True, **LGB).fit(np.nan_to_num(ROWS), DELAY), "linear_tree"),
    "a ranking": (lambda: LGBMRanker(**LGB).fit(ROWS, KIND, group=[40] * 10), r"a ranking of LightGBM \(lambdarank\)"),
    "squares": (lambda: LGBMRegressor(reg_sqrt=True, **LGB).fit(ROWS, DELAY), "reg_sqrt"),
    "shares": (lambda: LGBMRegressor(objective="cross_entropy", **LGB).fit(ROWS, LATE), "'cross_entropy'"),
    "their own": (lambda: LGBMRegressor(objective=squared, **LGB).fit(ROWS, DELAY), "an objective of one's own"),
    "XGBoost's dropped trees": (lambda: XGBRegressor(booster="dart", **XGB).fit(ROWS, DELAY), "booster='dart'"),
    "XGBoost's sums": (lambda: XGBRegressor(booster="gblinear", **XGB).fit(ROWS, DELAY), "booster='gblinear'"),
    "XGBoost's ranking": (
        lambda: XGBRanker(**XGB).fit(ROWS, KIND, qid=np.arange(400) // 40),
        r"a ranking of XGBoost \(rank:ndcg\)",
    ),
    "several numbers": (lambda: XGBRegressor(**XGB).fit(ROWS, np.column_stack([DELAY, LATE])), "several outputs"),
    "a hinge": (lambda: XGBClassifier(objective="binary:hinge", **XGB).fit(ROWS, LATE), "'binary:hinge'"),
}


def squared(wanted: NDArray[Any] | None, said: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    assert wanted is not None
    return said - wanted, np.ones_like(said)


@pytest.mark.parametrize("which", REFUSED)
def test_what_is_not_compiled_is_refused_with_the_reason(which: str) -> None:
    make, reason = REFUSED[which]
    estimator = make()
    with pytest.raises(InvalidInput, match=reason):
        compiled_of(estimator, TableModel("m", estimator, COLUMNS))


def test_a_border_that_is_wrong_by_the_least_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """XGBoost asks for less, and a graph for at most: without the step between the two a row at a split goes astray."""
    model = as_kept(XGBOOST["numbers, categories"]())
    monkeypatch.setattr("assay.build.models.compiled.xgboost_trees.np.nextafter", lambda written, _: written)
    _, form = compiled_of(model.estimator, model)
    monkeypatch.undo()
    assert isinstance(form, TreesForm)
    sample = ROWS.astype(object)
    found = compare(model, TreesModel(form), sample, border_rows(sample, COLUMNS, form.splits))
    assert found.difference > 1e-3


EDGES = [0.0, -0.0, 1.0, -1.0, 0.1, 1e-36, -1e-36, 1e-310, 2.5, 3e38, 1e39, -1e39, 1e300, 16777217.0, float("nan")]
values = st.one_of(st.sampled_from(EDGES), st.floats(-5, 5), st.floats(allow_infinity=False))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    asked=st.lists(st.tuples(values, values, values, values), min_size=1, max_size=30),
    seed=st.integers(0, 50),
    kind=st.sampled_from(["two", "three", "number"]),
    with_categories=st.booleans(),
    library=st.sampled_from(["lightgbm", "xgboost"]),
    leaves=st.integers(2, 12),
)
def test_any_small_model_answers_the_same_for_any_number(
    asked: list[tuple[float, ...]], seed: int, kind: str, with_categories: bool, library: str, leaves: int
) -> None:
    rows, target = numbers(seed, 80)
    rows[: len(asked), :3] = np.array(asked)[:, :3]
    rows[:, :3] = np.where(np.abs(rows[:, :3]) > 3e38, 1e30, rows[:, :3])  # XGBoost is not trained on more
    labels = {"two": target > 0, "three": np.digitize(target, [-0.5, 0.7]), "number": target}[kind].astype(float)
    estimator: Any
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if library == "lightgbm":
            cls = LGBMRegressor if kind == "number" else LGBMClassifier
            small = {**LGB, "n_estimators": 4, "num_leaves": leaves, "min_child_samples": 2, "min_data_per_group": 1}
            estimator = cls(**small).fit(rows, labels, categorical_feature=[3] if with_categories else "auto")
        else:
            cls = XGBRegressor if kind == "number" else XGBClassifier
            more = GATES if with_categories else {}
            estimator = cls(n_estimators=4, nthread=1, max_leaves=leaves, **more).fit(rows, labels)
        model = as_kept(estimator)
        found, form = proof(model, rows)
        assert (found.worst, found.flips) == (None, 0)
        assert found.difference <= (ONE_UNIT if form.single else 1e-14)
        given_rows = np.array(asked)
        wanted = model.answers(given_rows.astype(object))
        size = 1.0 if wanted.ndim == 2 else max(float(np.abs(wanted).max()), 1e-300)
        said = TreesModel(form).predict(as_tuples(given_rows.astype(object)))
        assert np.abs(said - wanted).max() / size <= (ONE_UNIT if form.single else 1e-14)
