"""The compiled form answers, the estimator stands behind it, and the two are compared now and then."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from tests.build.models.test_compiling import NAMES, TABLE, Even, packaged

from assay.build.models.inputs import matrix
from assay.build.models.served_model import ServedModel, load_to_serve
from assay.record.location import open_store
from assay.record.sqlstore import SqlStore

ROWS: list[tuple[object, ...]] = [tuple(row) for row in matrix(TABLE, NAMES)[:5].tolist()]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


class Broken:
    """In the place of a compiled form: answers something else, or fails."""

    def __init__(self, instead: Callable[[Any], NDArray[np.float64]]) -> None:
        self.predict = instead


def served(store: SqlStore, estimator: Any, **options: Any) -> ServedModel:
    return load_to_serve(store, packaged(store, estimator, **options))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


def test_the_compiled_form_answers_and_the_estimator_is_not_loaded(store: SqlStore) -> None:
    model = served(store, HistGradientBoostingClassifier(max_iter=5))
    model.warm_up()
    said = model.answer_rows(ROWS)
    assert model.is_compiled
    assert model._loaded is None
    assert model.gives_probabilities
    assert (model.classes, model.flavour) == ((0, 1), "sklearn")
    np.testing.assert_allclose(said, model.native.answers(matrix(TABLE, NAMES)[:5]), atol=1e-15)
    np.testing.assert_allclose(model.predict_table(TABLE)[:5], said[:, 1], atol=1e-15)


def test_without_a_form_the_estimator_answers(store: SqlStore) -> None:
    for model in (served(store, Even()), served(store, LogisticRegression(), compile=False)):
        assert not model.is_compiled
        assert model._loaded is not None
        assert model.gives_probabilities
        assert model.answer_rows(ROWS).shape == (5, 2)
        assert (model.counts.answered, model.counts.fallbacks) == (0, 0)


def test_the_estimator_answers_where_the_form_fails_and_that_is_counted_and_said_once(
    store: SqlStore, capsys: pytest.CaptureFixture[str]
) -> None:
    model = served(store, LogisticRegression())
    wanted = model.answer_rows(ROWS)

    def fail(_: Any) -> NDArray[np.float64]:
        raise ArithmeticError("out of luck")

    model._form = Broken(fail)
    for _ in range(3):
        np.testing.assert_allclose(model.answer_rows(ROWS), wanted, atol=1e-15)
    np.testing.assert_allclose(model.answers(matrix(TABLE, NAMES)[:5]), wanted, atol=1e-15)
    assert model.counts.fallbacks == 4
    assert capsys.readouterr().err.count("the compiled form failed") == 1


def test_what_the_model_refuses_is_refused(store: SqlStore) -> None:
    model = served(store, LogisticRegression())
    with pytest.raises(ValueError, match="NaN"):
        model.answer_rows([(1.0, None)])
    assert model.counts.fallbacks == 1


def test_one_in_some_calls_is_compared_in_the_background(store: SqlStore) -> None:
    model = served(store, HistGradientBoostingClassifier(max_iter=5))
    model.compare_every, model.compare_s = 4, 0.0
    model._until_compared = 4
    for _ in range(8):
        model.answer_rows(ROWS)
    until(lambda: model.counts.compared == 10)
    assert (model.counts.differences, model.problem, model.is_compiled) == (0, None, True)
    model.close()
    assert model._comparing is None


def test_under_load_it_is_compared_no_more_than_once_a_second(store: SqlStore) -> None:
    model = served(store, LogisticRegression())
    model.compare_every, model.compare_s = 10, 1.0
    model._until_compared = 10
    began = time.monotonic()
    for _ in range(1000):
        model.answer_rows(ROWS)
    most = 1 + int(time.monotonic() - began)
    until(lambda: model.counts.compared >= 5)
    model.close()
    assert model.counts.compared <= 5 * most


def test_a_form_that_differs_is_switched_off_and_the_estimator_answers(
    store: SqlStore, capsys: pytest.CaptureFixture[str]
) -> None:
    model = served(store, LogisticRegression())
    wanted = model.native.answers(matrix(TABLE, NAMES)[:5])
    form = model._form
    assert form is not None
    model._form = Broken(lambda rows: form.predict(rows) + 0.001)
    model._until_compared = 1
    assert np.abs(model.answer_rows(ROWS) - wanted).max() > 0.0009, "it is found out afterwards"
    until(lambda: not model.is_compiled)
    np.testing.assert_allclose(model.answer_rows(ROWS), wanted, atol=1e-15)
    assert model.counts.differences == 5
    assert model.problem is not None
    assert "differs from the model by 0.001 (allowed: 1e-09) and is switched off" in model.problem
    assert model.problem in capsys.readouterr().err
    model.close()


def test_comparing_never_holds_up_answers(store: SqlStore) -> None:
    model = served(store, LogisticRegression())
    model.compare_every, model.compare_s = 1, 0.0
    model._until_compared = 1
    for _ in range(500):
        model.answer_rows(ROWS[:1])
    model.close()
    assert model.counts.answered == 500
    assert model.counts.compared <= 500


def test_a_model_that_is_not_asked_any_more_is_not_held(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.build.models.served_model._IDLE_S", 0.02)
    model = served(store, LogisticRegression())
    model.compare_s = 0.0
    for _ in range(2):
        model._until_compared = 1
        model.answer_rows(ROWS)
        until(lambda: model._comparing is None)
    assert model.counts.compared == 10
