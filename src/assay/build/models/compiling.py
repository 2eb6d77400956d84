"""Compiled forms of versions: the same answers, faster for single rows, with the proof of it.

A form is made of a version's fitted estimator, compared with it on rows of training and on rows made to tell them
apart, and kept beside the sealed folder under its own hash, bound to the folder's. Where a single row differs there is
none, and the report says why. What evaluates a version always asks the estimator itself.
"""

import io
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.models.compiled import lightgbm_trees, sklearn_trees, xgboost_trees
from assay.build.models.compiled.features import Feature, prepared_features, raw_features
from assay.build.models.compiled.linear import LinearForm, LinearModel, is_linear, linear_form
from assay.build.models.compiled.parity import Parity, as_tuples, border_rows, compare
from assay.build.models.compiled.tree_nodes import Trees
from assay.build.models.compiled.trees import TreesForm, TreesModel, trees_form
from assay.build.models.flavours.flavour import library_of
from assay.build.models.flavours.xgboost import best_booster
from assay.build.models.folder import SAMPLE_FILE
from assay.build.models.inputs import matrix
from assay.build.models.table_model import TableModel
from assay.errors import InvalidInput, MissingExtra, Tampered
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.models.registry import ModelVersion
from assay.record.store import Store

__all__ = [
    "CompileReport",
    "Predictor",
    "compile_version",
    "compiled",
    "compiled_of",
    "compiles",
    "form_of",
    "report_of",
]

_TOLERANCE = 1e-9  # forms compute in double precision, in another order
_SINGLE_TOLERANCE = 2.0**-23  # one unit in the last place of what answers in single precision itself
_TIMED = 10


class Predictor(Protocol):
    """What answers in place of a model."""

    def predict(self, rows: Any) -> NDArray[np.float64]:
        """[rows] predictions, or [rows, classes] probabilities.

        `rows` is a matrix of floats where all columns are numbers, rows as `TableModel.answers` takes them, or a list
        of tuples with None for no value, which is the fastest for few rows. ValueError for what the model refuses.
        """
        ...


class CompileReport(msgspec.Struct, frozen=True):
    """What came of compiling a version: `compiled`, or `refused` with the `reason`. `form` is linear or trees.

    `parity` is the proof, with its `tolerance`; times are microseconds for one row; `blob` is the hash of the form and
    `size` its bytes; `sample` is the hash of the rows of training it was compared on.
    """

    model: str
    version: int
    hash: str
    outcome: Literal["compiled", "refused"]
    reason: str | None
    form: str | None
    parity: Parity | None
    tolerance: float
    native_us: float | None
    compiled_us: float | None
    blob: str | None
    sample: str | None
    size: int | None = None


_FORMS: dict[str, tuple[type[Any], Callable[[Any], Predictor]]] = {
    "linear": (LinearForm, LinearModel),
    "trees": (TreesForm, TreesModel),
}


def compiles(estimator: Any) -> bool:
    """Whether estimators of this kind have a form; whether this one has is known once it is made."""
    last = estimator.steps[-1][1] if type(estimator).__name__ == "Pipeline" else estimator
    name = type(last).__name__
    if _library(last) == "sklearn":
        return is_linear(name) or sklearn_trees.is_tree(name)
    return _library(last) in ("lightgbm", "xgboost")


def compiled_of(estimator: Any, model: TableModel) -> tuple[str, LinearForm | TreesForm]:
    """The form of a fitted estimator under its name. InvalidInput for one that is not compiled, MissingExtra."""
    features = raw_features(model.columns)
    steps = [step for _, step in estimator.steps] if type(estimator).__name__ == "Pipeline" else [estimator]
    last = steps[-1]
    if not compiles(estimator):
        name = "model of CatBoost" if _library(last) == "catboost" else type(last).__name__
        raise InvalidInput(
            f"a {name} is not compiled",
            expected="linear and logistic models, trees, forests and boosting of scikit-learn, LightGBM, XGBoost",
        )
    for step in steps[:-1]:
        features = prepared_features(step, features)
    linear = linear_form(last, features) if _library(last) == "sklearn" else None
    if linear is not None:
        return "linear", linear
    return "trees", trees_form(_trees(last, features))


def _library(estimator: Any) -> str:
    """The library that a fitted estimator is of, also where it was loaded from a file of the library's own."""
    library = library_of(estimator)
    return str(estimator.library) if library == "assay" and hasattr(estimator, "booster") else library


def _trees(last: Any, features: list[Feature]) -> Trees:
    library, booster = _library(last), last.booster if library_of(last) == "assay" else last
    if library == "lightgbm":
        return lightgbm_trees.trees_of(getattr(booster, "booster_", booster), features)
    if library == "xgboost":
        return xgboost_trees.trees_of(best_booster(booster), features)
    return sklearn_trees.trees_of(last, features)


def compile_version(
    store: Store,
    version: ModelVersion,
    model: TableModel,
    *,
    tolerance: float | None = None,
    threshold: float = 0.5,
    if_faster: bool = False,
) -> CompileReport:
    """Make the form of a version that is in memory, prove it, and keep it with its report; an earlier one is replaced.

    `threshold` is where two classes flip. Without a `tolerance` it is 1e-9, and where the model itself answers in
    single precision one unit in the last place of that, 1.2e-7. With `if_faster` a form that is slower for a row is
    not kept; one that is as fast still spares a server the library.
    InvalidInput for a version without rows to compare on, MissingExtra without ONNX; a refusal is a report, no error.
    """
    manifest = store.blobs.manifest(version.hash)
    report = CompileReport(
        model=version.model,
        version=version.version,
        hash=version.hash,
        outcome="refused",
        reason=None,
        form=None,
        parity=None,
        tolerance=_TOLERANCE if tolerance is None else tolerance,
        native_us=None,
        compiled_us=None,
        blob=None,
        sample=manifest.get(SAMPLE_FILE),
    )
    try:
        name, form = compiled_of(model.estimator, model)
    except MissingExtra:
        raise
    except InvalidInput as error:
        return _kept(store, version, msgspec.structs.replace(report, reason=error.what))
    if SAMPLE_FILE not in manifest:
        raise InvalidInput(
            f"{version.model}/{version.version} has no rows of training to compare on", hint="register it once more"
        )
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(store.blobs.get(manifest[SAMPLE_FILE])))
    sample = matrix(table, [one.name for one in model.columns])
    if tolerance is None and isinstance(form, TreesForm) and form.single:
        report = msgspec.structs.replace(report, tolerance=_SINGLE_TOLERANCE)
    content = msgspec.msgpack.encode(form)
    predictor = _loaded(name, content)
    borders = border_rows(sample, model.columns, getattr(form, "splits", []))
    parity = compare(model, predictor, sample, borders, threshold=threshold)
    report = msgspec.structs.replace(report, form=name, parity=parity, size=len(content))
    if parity.worst is not None:
        return _kept(store, version, msgspec.structs.replace(report, reason=parity.worst))
    row = sample[:1]
    report = msgspec.structs.replace(
        report,
        native_us=_microseconds(lambda: model.answers(row)),
        compiled_us=_microseconds(lambda: predictor.predict(as_tuples(row))),
    )
    reason = _refusal(report, parity, if_faster=if_faster)
    if reason:
        return _kept(store, version, msgspec.structs.replace(report, reason=reason))
    return _kept(store, version, msgspec.structs.replace(report, outcome="compiled", blob=store.blobs.put(content)))


def compiled(model: TableModel, store: Store, version: ModelVersion | None = None) -> Predictor | None:
    """The compiled form of a version; None where it has none, or what computes it is not installed.

    Tampered where it is not what was proved.
    """
    which = version or model.version  # type: ignore[attr-defined]
    return form_of(store, which, report_of(store, which))


def form_of(store: Store, which: ModelVersion, report: CompileReport | None) -> Predictor | None:
    """The same where the report is at hand."""
    if report is None or report.outcome != "compiled" or report.form not in _FORMS or report.blob is None:
        return None
    if report.hash != which.hash:
        raise Tampered(
            f"the compiled form of {which.model}/{which.version} was made of other files", expected=which.hash[:12]
        )
    try:
        return _loaded(report.form, store.blobs.get(report.blob))
    except MissingExtra:
        return None


def report_of(store: Store, version: ModelVersion) -> CompileReport | None:
    """What came of compiling a version, None where nobody tried."""
    rows = store.query("compiled_form", {"mv_id": version.mv_id}, limit=1)
    return msgspec.json.decode(rows[0]["report"], type=CompileReport) if rows else None


def _refusal(report: CompileReport, parity: Parity, *, if_faster: bool) -> str | None:
    if not parity.within(report.tolerance):
        return (
            f"it differs from the model by {parity.difference:.2g}, where {report.tolerance:g} is allowed, and "
            f"{parity.flips} of {parity.rows + parity.border:,} rows get another class"
        )
    if if_faster and (report.compiled_us or 0.0) > (report.native_us or 0.0):
        return f"it takes {report.compiled_us:.0f} µs for a row and the model itself {report.native_us:.0f}"
    return None


def _kept(store: Store, version: ModelVersion, report: CompileReport) -> CompileReport:
    row = {
        "hash": version.hash,
        "outcome": report.outcome,
        "form": report.form,
        "blob": report.blob,
        "report": canonical_json(msgspec.to_builtins(report)),
        "created": iso(store.clock.now()),
    }
    with store.transaction():
        if store.query("compiled_form", {"mv_id": version.mv_id}, limit=1):
            store.amend("compiled_form", {"mv_id": version.mv_id}, row)
        else:
            store.append("compiled_form", {"mv_id": version.mv_id, **row})
    return report


def _loaded(name: str, content: bytes) -> Predictor:
    kind, made = _FORMS[name]
    return made(msgspec.msgpack.decode(content, type=kind))


def _microseconds(call: Callable[[], object]) -> float:
    """The best of some calls."""
    best = float("inf")
    for _ in range(_TIMED):
        begun = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begun)
    return round(best * 1e6, 1)
