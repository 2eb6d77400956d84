"""Runs in the wire's words. What came after a run had ended is part of the answer: a client reads what it wrote."""

from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from assay.record.clock import to_ms
from assay.record.search.run_rows import DatasetInput, RunRow, load_runs
from assay.record.store import Row
from assay.server.wire import messages
from assay.server.wire.call import Call
from assay.server.wire.limits import MOST_PARAM_LENGTH, MOST_TAG_LENGTH
from assay.server.wire.locations import run_artifacts

__all__ = ["STATUSES", "run_answers", "run_info"]

STATUSES = {
    "running": "RUNNING",
    "scheduled": "SCHEDULED",
    "waiting": "RUNNING",  # for a person; MLflow has no word for it
    "finished": "FINISHED",
    "failed": "FAILED",
    "killed": "KILLED",
    "stopped": "KILLED",
    "pruned": "KILLED",  # as MLflow itself tells of a pruned trial of Optuna
}


def run_answers(call: Call, run_ids: Sequence[str]) -> list[messages.Run]:
    """Runs with all their data, in the order of the ids."""
    return [_run(call, run) for run in load_runs(call.store, run_ids, late=True)]


def run_info(call: Call, row: Row) -> messages.RunInfo:
    """A row of `run` without its data."""
    location = call.store.get("experiment", {"experiment_id": row["experiment_id"]})["artifact_location"]
    return _info(call, row, location)


def _run(call: Call, run: RunRow) -> messages.Run:
    points = [
        messages.Metric(key, messages.number(point.value), point.ts_ms, point.step)
        for key, point in run.metrics.items()
    ]
    data = messages.RunData(points or UNSET, _cut(run.params, MOST_PARAM_LENGTH), _cut(run.tags, MOST_TAG_LENGTH))
    used = [messages.ModelInput(use.model_id) for use in run.models if use.role == "input"]
    made = [messages.ModelOutput(use.model_id, use.step or 0) for use in run.models if use.role == "output"]
    inputs = messages.RunInputs([_dataset(dataset) for dataset in run.datasets] or UNSET, used or UNSET)
    location = run.artifact_uri.removesuffix(f"/{run.run_id}/artifacts")
    return messages.Run(_info(call, run.info, location), data, inputs, messages.RunOutputs(made or UNSET))


def _info(call: Call, row: Row, location: str) -> messages.RunInfo:
    return messages.RunInfo(
        run_uuid=row["run_id"],
        run_id=row["run_id"],
        experiment_id=row["experiment_id"],
        run_name=row["name"],
        user_id=row["user_id"] or "",
        status=STATUSES[row["status"]],
        start_time=to_ms(row["started"]),
        end_time=to_ms(row["ended"]) if row["ended"] else UNSET,
        artifact_uri=run_artifacts(location, row["run_id"], call.settings),
        lifecycle_stage="deleted" if row["deleted"] else "active",
    )


def _cut(values: dict[str, str], most: int) -> list[messages.Tag] | UnsetType:
    """Long values are cut here as MLflow cuts them; the store has them whole."""
    return messages.tags_of({key: value[:most] for key, value in values.items()})


def _dataset(used: DatasetInput) -> messages.DatasetInput:
    dataset = messages.Dataset(
        name=used.name,
        digest=used.digest,
        source_type=used.source_type,
        source=used.source,
        schema=messages.unless_empty(used.schema),
        profile=messages.unless_empty(used.profile),
    )
    return messages.DatasetInput(dataset, [messages.InputTag(k, v) for k, v in used.tags.items()] or UNSET)
