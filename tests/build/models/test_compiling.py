"""Versions with a compiled form: kept with its proof, refused with the reason, and never taken for another."""

import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from lightgbm import LGBMClassifier, LGBMRanker
from numpy.typing import NDArray
from rich.console import Console
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from xgboost import XGBClassifier, XGBRegressor

from assay.build.models import compiling
from assay.build.models.compile_command import compile_model
from assay.build.models.compiled.linear import LinearForm, LinearModel
from assay.build.models.compiling import compiled, report_of
from assay.build.models.inputs import matrix
from assay.build.models.packaging import load_model, opened_model, package_model
from assay.build.models.version_command import VersionDetail, show_version
from assay.cli.compiled import version_detail
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
    ("estimator", "form"),
    [
        (LogisticRegression(), "linear"),
        (HistGradientBoostingClassifier(max_iter=10), "trees"),
        (LGBMClassifier(n_estimators=10, verbose=-1, num_threads=1), "trees"),
        (XGBRegressor(n_estimators=10, nthread=1), "trees"),
    ],
)
def test_a_version_is_compiled_when_it_is_registered(store: SqlStore, estimator: Any, form: str) -> None:
    version = packaged(store, estimator, compile=True)
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


def test_the_tolerance_of_what_answers_in_single_precision_is_one_unit_of_that(store: SqlStore) -> None:
    version = packaged(store, XGBClassifier(n_estimators=10, nthread=1), compile=True)
    report = report_of(store, version)
    assert report is not None
    assert (report.outcome, report.tolerance) == ("compiled", 2.0**-23)
    assert compile_model(store, "delays", "1", tolerance=0.5).tolerance == 0.5


def test_why_a_model_of_a_library_is_not_compiled_is_kept(store: SqlStore) -> None:
    ranker = LGBMRanker(n_estimators=3, verbose=-1).fit(matrix(TABLE, NAMES).astype(float), TABLE["late"], group=[300])
    with start_run(store, "ranking") as run:
        version = package_model(store, "delays", ranker, TABLE, NAMES, run=run)
    report = report_of(store, version)
    assert report is not None
    assert (report.outcome, report.reason) == ("refused", "a ranking of LightGBM (lambdarank) is not compiled")


def test_a_version_is_shown_with_its_form_or_with_the_reason_why_it_has_none(store: SqlStore) -> None:
    compiled_one = packaged(store, LGBMClassifier(n_estimators=5, verbose=-1, num_threads=1), compile=True)
    packaged(store, Even())
    packaged(store, LogisticRegression(), compile=False)
    shown = show_version(store, "delays", "1")
    assert shown.summary.hash == compiled_one.hash
    assert shown.compiling is not None
    assert shown.compiling.blob is not None
    assert shown.compiling.size == len(store.blobs.get(shown.compiling.blob))
    words = said(shown)
    for part in ("delays/1 is compiled: trees, ", " kB", "300 rows of training", "one row", "difference"):
        assert part in words
    assert "delays/2 is not compiled: a Even is not compiled" in said(show_version(store, "delays", "2"))
    assert "nobody tried; `assay compile delays 3`" in said(show_version(store, "delays", "3"))


def said(shown: VersionDetail) -> str:
    console = Console(width=200, record=True, file=StringIO())
    console.print(version_detail(shown))
    return console.export_text()


def test_a_form_that_is_slower_is_kept_only_where_it_is_asked_for(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([1.0, 2.0] * 10)
    monkeypatch.setattr(compiling, "_microseconds", lambda _: next(times))
    report = report_of(store, packaged(store, LogisticRegression()))
    assert report is not None
    assert report.reason == "it takes 2 µs for a row and the model itself 1"
    kept = report_of(store, packaged(store, LogisticRegression(), compile=True))
    assert kept is not None
    assert kept.outcome == "compiled"


def test_what_evaluates_a_version_asks_its_estimator(store: SqlStore) -> None:
    loaded = load_model(store, packaged(store, LogisticRegression()))
    assert isinstance(loaded.answering, LogisticRegression)


def test_nothing_is_compiled_where_that_is_not_wanted_or_not_known(store: SqlStore) -> None:
    unwanted, unknown = packaged(store, LogisticRegression(), compile=False), packaged(store, Even())
    assert report_of(store, unwanted) is None
    refused = report_of(store, unknown)
    assert refused is not None
    assert (refused.outcome, refused.reason) == ("refused", "a Even is not compiled")
    for version in (unwanted, unknown):
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


def test_a_compiled_version_is_ready_without_the_library_of_its_training(store: SqlStore, tmp_path: Path) -> None:
    boosted: tuple[Any, ...] = (
        HistGradientBoostingClassifier(max_iter=5),
        LGBMClassifier(n_estimators=5, verbose=-1),
        XGBClassifier(n_estimators=5),
    )
    for estimator in (LogisticRegression(), *boosted):
        packaged(store, estimator, compile=True)
    code = (
        "import sys\n"
        "from assay.build.models.served_model import load_to_serve\n"
        "from assay.record.location import open_store\n"
        "from assay.record.models.registry import find_version\n"
        f"store = open_store({str(tmp_path / 'store')!r})\n"
        "for version in (1, 2, 3, 4):\n"
        "    model = load_to_serve(store, find_version(store, 'delays', version))\n"
        "    model.warm_up()\n"
        "    print(model.is_compiled, model.answer_rows([(1.0, None)] if version > 1 else [(1.0, 0.0)]).shape)\n"
        "print([one for one in ('sklearn', 'scipy', 'lightgbm', 'xgboost') if one in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.splitlines() == [*["True (1, 2)"] * 4, "[]"], said.stderr
