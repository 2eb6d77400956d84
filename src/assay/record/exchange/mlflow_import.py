"""Bring a whole MLflow store over: experiments, runs with every point, files, logged models, versions and aliases.

Read through MLflow's own client, so that a server, a database and a folder are all the same. Ids of runs and logged
models and numbers of versions stay what they were. What is here already is passed over: an import that broke off is
repeated, and one that ran goes on with what is new.
"""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from assay.errors import InvalidInput, MissingExtra
from assay.operation import operation
from assay.progress import tell
from assay.record.artifacts import model_root, put_artifact_folder, run_root
from assay.record.clock import from_ms
from assay.record.exchange.mlflow_import_models import MlflowImport, import_models, pages
from assay.record.models.logged_models import (
    FAILED,
    READY,
    ModelMetric,
    create_logged_model,
    finish_logged_model,
    put_model_metrics,
)
from assay.record.store import Store
from assay.record.tracking.experiments import create_experiment, delete_experiment, experiment_named
from assay.record.tracking.points import Points
from assay.record.tracking.run_changes import (
    DatasetUse,
    create_run,
    delete_run,
    log,
    log_datasets,
    log_models,
    run_row,
    update_run,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["import_mlflow"]

_PAGE = 1_000
_STATUS = {
    "RUNNING": "running",
    "SCHEDULED": "scheduled",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "killed",
}
_MODEL_STATUS = {"READY": READY, "UPLOAD_FAILED": FAILED}


@operation("import mlflow", creates_store=True)
def import_mlflow(
    store: Store,
    uri: str,
    *,
    without_files: Annotated[bool, "Leave artifacts where they are: versions are then not sealed"] = False,
) -> MlflowImport:
    """Bring experiments, runs, files, models and aliases of an MLflow store over.

    The address is what MLFLOW_TRACKING_URI says: http://server, sqlite:///file.db, a folder. It can be repeated.

    Raises MissingExtra where MLflow's client is not installed.
    """
    client = _client(uri)
    before, store.source = store.source, "imported"
    try:
        return _Import(store, client, uri, not without_files).all()
    finally:
        store.source = before


def _client(uri: str) -> "MlflowClient":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        import mlflow
    except ImportError:
        raise MissingExtra("mlflow", "mlflow-skinny") from None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(uri)  # its downloads of files ask for it
    try:
        client = mlflow.MlflowClient(uri, uri)
        client.search_experiments(max_results=1)
    except Exception as error:
        raise InvalidInput(
            f"MLflow cannot read {uri}: {str(error).splitlines()[0]}",
            expected="what MLFLOW_TRACKING_URI would say: http://server, sqlite:///file.db, a folder",
        ) from error
    return client


class _Import:
    def __init__(self, store: Store, client: "MlflowClient", uri: str, artifacts: bool) -> None:
        self.store = store
        self.client = client
        self.artifacts = artifacts
        self.done = MlflowImport(uri)
        self.experiments: dict[str, str] = {}

    def all(self) -> MlflowImport:
        """Everything, in the order in which it is pointed to."""
        from mlflow.entities import ViewType

        found = list(pages(lambda token: self.client.search_experiments(ViewType.ALL, _PAGE, page_token=token)))
        for experiment in found:
            self._experiment(experiment)
        for position, experiment in enumerate(found):
            tell("runs", position / len(found), experiment.name)
            self._logged_models(experiment)
            for run in pages(
                lambda token, ids=[experiment.experiment_id]: self.client.search_runs(  # type: ignore[misc]
                    ids, "", ViewType.ALL, _PAGE, page_token=token
                )
            ):
                self._run(run)
        tell("runs", 1)
        for experiment in found:
            if experiment.lifecycle_stage == "deleted":
                self._delete(self.experiments[experiment.experiment_id])
        import_models(self.store, self.client, self.done)
        return self.done

    def _experiment(self, experiment: Any) -> None:
        known = experiment_named(self.store, experiment.name)
        if known is None:
            known = create_experiment(self.store, experiment.name, tags=dict(experiment.tags))
            self.done.experiments += 1
        self.experiments[experiment.experiment_id] = known.experiment_id

    def _delete(self, experiment_id: str) -> None:
        if self.store.get("experiment", {"experiment_id": experiment_id})["deleted"] is None:
            delete_experiment(self.store, experiment_id)

    def _run(self, run: Any) -> None:
        run_id = run.info.run_id
        if self.store.query("run", {"run_id": run_id}):
            self.done.here_already += 1
            return
        series = {key: self._points(run_id, key) for key in run.data.metrics}
        with self.store.transaction():
            create_run(
                self.store,
                self.experiments[run.info.experiment_id],
                name=run.info.run_name or run_id[:8],
                run_id=run_id,
                user_id=run.info.user_id,
                started=from_ms(run.info.start_time or 0),
                tags=dict(run.data.tags),
                trigger_type="import",
            )
            log(self.store, run_id, metrics=series, params=dict(run.data.params))
            self._inputs(run)
            ended = from_ms(run.info.end_time) if run.info.end_time else None
            update_run(self.store, run_id, status=_STATUS[run.info.status], ended=ended)
            if run.info.lifecycle_stage == "deleted":
                delete_run(self.store, run_id)
        self.done.runs += 1
        self.done.points += sum(map(len, series.values()))
        if self.artifacts:
            self._files(run.info.artifact_uri, run_root(run_row(self.store, run_id)), f"run {run_id[:8]}")

    def _points(self, run_id: str, key: str) -> Points:
        points = self.client.get_metric_history(run_id, key)
        return Points(
            np.array([point.step for point in points], np.int64),
            np.array([max(point.timestamp, 0) for point in points], np.int64),
            np.array([point.value for point in points], np.float64),
        )

    def _inputs(self, run: Any) -> None:
        run_id = run.info.run_id
        if run.inputs is not None and run.inputs.dataset_inputs:
            uses = [
                DatasetUse(
                    one.dataset.name,
                    one.dataset.digest,
                    one.dataset.source_type,
                    one.dataset.source,
                    one.dataset.schema,
                    one.dataset.profile,
                    {tag.key: tag.value for tag in one.tags},
                )
                for one in run.inputs.dataset_inputs
            ]
            log_datasets(self.store, run_id, uses)
        for role, models in (
            ("input", getattr(run.inputs, "model_inputs", None)),
            ("output", getattr(run.outputs, "model_outputs", None)),
        ):
            known = {model.model_id: getattr(model, "step", None) for model in models or []}
            there = {row["model_id"] for row in self.store.query("logged_model", {"model_id in": sorted(known)})}
            kept = {model_id: step for model_id, step in known.items() if model_id in there}
            if kept:
                log_models(self.store, run_id, role, kept)  # type: ignore[arg-type]

    def _logged_models(self, experiment: Any) -> None:
        if not hasattr(self.client, "search_logged_models"):  # a client before 3.0
            return
        ids = [experiment.experiment_id]
        for model in pages(lambda token: self.client.search_logged_models(ids, page_token=token)):
            if self.store.query("logged_model", {"model_id": model.model_id}):
                self.done.here_already += 1
                continue
            number = self.experiments[experiment.experiment_id]
            with self.store.transaction():
                create_logged_model(
                    self.store,
                    number,
                    model.name,
                    model_id=model.model_id,
                    model_type=model.model_type,
                    source_run_id=model.source_run_id,
                    params=dict(model.params or {}),
                    tags=dict(model.tags or {}),
                )
                measured = [
                    ModelMetric(
                        m.key,
                        m.value,
                        m.step,
                        m.timestamp,
                        m.run_id or "",
                        m.dataset_name or "",
                        m.dataset_digest or "",
                    )
                    for m in model.metrics or []
                ]
                put_model_metrics(self.store, model.model_id, measured)
                status = _MODEL_STATUS.get(getattr(model.status, "name", str(model.status)))
                if status is not None:
                    finish_logged_model(self.store, model.model_id, status)
            self.done.logged_models += 1
            if self.artifacts:
                name = f"model {model.name}"
                self._files(model.artifact_location, model_root(number, model.model_id), name)

    def _files(self, uri: str, root: str, name: str) -> None:
        """The files under an address; what cannot be read is said, and the import goes on."""
        from mlflow.artifacts import download_artifacts

        with tempfile.TemporaryDirectory() as temporary:
            try:
                with _quiet():
                    folder = Path(download_artifacts(artifact_uri=uri, dst_path=temporary))
            except Exception as error:  # noqa: BLE001 - whatever its many stores raise
                if "No such" not in str(error) and "not exist" not in str(error):
                    self.done.problems.append(f"files of {name} at {uri}: {str(error).splitlines()[0]}")
                return
            if folder.is_dir():
                self.done.files += len(put_artifact_folder(self.store, root, folder))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's own progress bars, which would run through ours."""
    before = os.environ.get("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR")
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"]
        else:
            os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = before
