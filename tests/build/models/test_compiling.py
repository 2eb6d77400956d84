"""Versions with a compiled form: kept with its proof, refused with the reason, and never taken for another."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from assay.build.models import compiling
from assay.build.models.compile_command import compile_model
from assay.build.models.compiled.linear import LinearForm, LinearModel
from assay.build.models.compiling import compiled, report_of
from assay.build.models.inputs import matrix
from assay.build.models.packaging import load_model, opened_model, package_model
from assay.errors import InvalidInput, MissingExtra, Refused, Tampered
from assay.record.clearing.gc import gc
from assay.record.location import open_store
from assay.record.models.registry import ModelVersion, list_models
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

NAMES = ["distance", "wind"]


def flights() -> pa.Table:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(300, 2))
    late = (numbers[:, 0] - numbers[:, 1] ** 2 + random.normal(size=300) / 3 > 0).astype(int)
    return pa.table({"distance": numbers[:, 0], "wind": numbers[:, 1], "late": late})


TABLE = flights()


class Even:
    """Nothing of scikit-learn."""

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        return np.full((len(X), 2), 0.5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


def packaged(store: SqlStore, estimator: Any, **options: Any) -> ModelVersion:
    if hasattr(estimator, "fit"):
        estimator.fit(matrix(TABLE, NAMES).astype(np.float64), TABLE["late"].to_numpy())
    with start_run(store, "compiling") as run:
        return package_model(store, "delays", estimator, TABLE, NAMES, run=run, **options)


@pytest.mark.parametrize(
    ("estimator", "form"), [(LogisticRegression(), "linear"), (HistGradientBoostingClassifier(max_iter=10), "trees")]
)
def test_a_version_is_compiled_when_it_is_registered(store: SqlStore, estimator: Any, form: str) -> None:
    version = packaged(store, estimator)
    report = report_of(store, version)
    assert report is not None
    assert report.parity is not None
    assert (report.outcome, report.form, report.hash, report.reason) == ("compiled", form, version.hash, None)
    assert (report.parity.rows, report.parity.flips) == (300, 0)
    assert report.parity.difference < 1e-12
    answering = compiled(opened_model(store, version), store)
    assert answering is not None
    rows = matrix(TABLE, NAMES)
    np.testing.assert_allclose(answering.predict(rows), load_model(store, version).answers(rows), atol=1e-14)
    (listed,) = list_models(store)
    assert listed.compiled == form


def test_what_evaluates_a_version_asks_its_estimator(store: SqlStore) -> None:
    loaded = load_model(store, packaged(store, LogisticRegression()))
    assert isinstance(loaded.answering, LogisticRegression)


def test_nothing_is_compiled_where_that_is_not_wanted_or_not_known(store: SqlStore) -> None:
    for version in (packaged(store, LogisticRegression(), compile=False), packaged(store, Even())):
        assert report_of(store, version) is None
        assert compiled(opened_model(store, version), store) is None
    with pytest.raises(Refused, match=r"delays/3 is registered, and not compiled: a Even is not compiled"):
        packaged(store, Even(), compile=True)


def test_a_form_that_differs_is_refused_in_words_and_not_kept(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    class Off(LinearModel):
        def predict(self, rows: Any) -> NDArray[np.float64]:
            return np.clip(super().predict(rows) + 0.01, 0, 1)

    monkeypatch.setitem(compiling._FORMS, "linear", (LinearForm, Off))
    version = packaged(store, LogisticRegression())
    report = report_of(store, version)
    assert report is not None
    assert report.outcome == "refused"
    assert report.blob is None
    assert report.reason is not None
    assert report.reason.startswith("it differs from the model by 0.01, where 1e-09 is allowed, and ")
    assert compiled(opened_model(store, version), store) is None
    with pytest.raises(Refused, match=r"delays/2 is registered, and not compiled: it differs from the model by 0.01"):
        packaged(store, LogisticRegression(), compile=True)
    assert [one.version for one in list_models(store)] == [2, 1]


def test_a_registered_version_is_compiled_by_the_command(store: SqlStore) -> None:
    version = packaged(store, LogisticRegression(), compile=False)
    report = compile_model(store, "delays", "1")
    assert report.outcome == "compiled"
    assert report_of(store, version) == report
    again = compile_model(store, "delays", "1", tolerance=0.0)
    assert again.outcome in ("compiled", "refused"), "a bit of difference may be there, or none"
    assert report_of(store, version) == again
    packaged(store, Even())
    assert compile_model(store, "delays", "2").reason == "a Even is not compiled"


def test_a_version_without_rows_of_its_training_cannot_be_compared(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.build.models.packaging._sample", lambda _: None)
    packaged(store, LogisticRegression(), compile=False)
    with pytest.raises(InvalidInput, match="delays/1 has no rows of training to compare on"):
        compile_model(store, "delays", "1")


def test_without_onnx_trees_stay_as_they_are(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made = packaged(store, HistGradientBoostingClassifier(max_iter=5))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert compiled(opened_model(store, made), store) is None
    version = packaged(store, HistGradientBoostingClassifier(max_iter=5))
    assert report_of(store, version) is None
    with pytest.raises(MissingExtra, match=r"onnxruntime is not installed"):
        packaged(store, HistGradientBoostingClassifier(max_iter=5), compile=True)
    assert report_of(store, packaged(store, LogisticRegression())) is not None, "a sum needs nothing"


def test_a_form_of_other_files_or_with_other_content_is_not_used(store: SqlStore) -> None:
    version = packaged(store, LogisticRegression())
    report = report_of(store, version)
    assert report is not None
    assert report.blob is not None
    opened = opened_model(store, version)
    other = msgspec.structs.replace(report, hash="0" * 64)
    compiling._kept(store, version, other)
    with pytest.raises(Tampered, match="the compiled form of delays/1 was made of other files"):
        compiled(opened, store)
    compiling._kept(store, version, report)
    path = store.blobs.path(report.blob)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(Tampered):
        compiled(opened, store)


def test_clearing_keeps_the_forms_of_versions(store: SqlStore) -> None:
    version = packaged(store, LogisticRegression())
    gc(store, older_than=0, delete=True)
    assert compiled(opened_model(store, version), store) is not None


def test_a_compiled_version_is_ready_without_scikit_learn(store: SqlStore, tmp_path: Path) -> None:
    for estimator in (LogisticRegression(), HistGradientBoostingClassifier(max_iter=5)):
        packaged(store, estimator)
    code = (
        "import sys\n"
        "from assay.build.models.served_model import load_to_serve\n"
        "from assay.record.location import open_store\n"
        "from assay.record.models.registry import find_version\n"
        f"store = open_store({str(tmp_path / 'store')!r})\n"
        "for version in (1, 2):\n"
        "    model = load_to_serve(store, find_version(store, 'delays', version))\n"
        "    model.warm_up()\n"
        "    print(model.is_compiled, model.answer_rows([(1.0, None)] if version == 2 else [(1.0, 0.0)]).shape)\n"
        "print('sklearn' in sys.modules, 'scipy' in sys.modules)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.splitlines() == ["True (1, 2)", "True (1, 2)", "False False"], said.stderr
