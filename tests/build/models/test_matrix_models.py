"""Classifiers around others: thresholds by group that keep the order within a group, pickled and packaged."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.build.models.matrix_models import FrameModel, GroupThresholds, MatrixModel, ScoreColumn, group_key
from assay.build.models.packaging import load_model, matrix, package_model
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

inside = st.floats(0.001, 0.999)


def thresholds(own: float, common: float) -> GroupThresholds:
    return GroupThresholds(ScoreColumn(), 1, [1], common, {("b",): own})


def scores_of(model: GroupThresholds, scores: list[float], group: str) -> list[float]:
    rows = np.array([[score, group] for score in scores], dtype=object)
    found = model.predict_proba(rows)
    assert np.allclose(found.sum(axis=1), 1)
    answer: list[float] = found[:, 1].tolist()
    return answer


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), inside, inside)
def test_the_common_threshold_selects_whom_the_groups_own_selects(
    scores: list[float], own: float, common: float
) -> None:
    ordered = sorted([*scores, own, float(np.nextafter(own, 0))])
    found = scores_of(thresholds(own, common), ordered, "b")
    assert [score >= common for score in found] == [score >= own for score in ordered]
    assert found == sorted(found)
    assert all(0 <= score <= 1 for score in found)
    assert scores_of(thresholds(own, common), ordered, "a") == ordered
    assert scores_of(thresholds(common, common), ordered, "b") == ordered


def test_groups_are_told_apart_by_text_numbers_and_what_is_missing() -> None:
    assert group_key(["a", 1.0, 0.5, None, float("nan")]) == ("a", "1", "0.5", "missing", "missing")
    table = pa.table({"score": [0.4, 0.4, 0.4], "group": pa.array([1, 2, None])})
    model = GroupThresholds(ScoreColumn(), 1, [1], 0.5, {("1",): 0.3, ("missing",): 0.3})
    found = MatrixModel(model, ["score", "group"], "m")(table)
    assert [score >= 0.5 for score in found] == [True, False, True]


def test_it_is_a_version_like_any_other(store: SqlStore) -> None:
    table = pa.table({"score": [0.2, 0.4, 0.6], "group": ["a", "b", "b"]})
    model = thresholds(0.4, 0.5)
    same = pickle.loads(pickle.dumps(model))
    with start_run(store, "repair") as run:
        version = package_model(store, "m", same, table, ["score", "group"], run=run)
    loaded = load_model(store, version)
    rows = matrix(table, ["score", "group"])
    assert loaded.predict_table(table).tolist() == model.predict_proba(rows)[:, 1].tolist()
    assert (loaded.predict_table(table) >= 0.5).tolist() == [False, True, True]
    assert isinstance(loaded.estimator, GroupThresholds)


def test_an_estimator_that_wants_a_frame_gets_one() -> None:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    table = pa.table({"kind": ["x", "y", "x", "y"] * 10, "size": [1, 2, 3, 4] * 10})
    frame = table.to_pandas()
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, np.arange(40) % 4 > 1)
    found = MatrixModel(FrameModel(estimator, ["kind", "size"]), ["kind", "size"], "m")(table)
    assert found == pytest.approx(estimator.predict_proba(frame)[:, 1])
