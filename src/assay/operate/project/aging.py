"""How a project's model grows old: trained once, tested later and later, beside one that is trained afresh each time.

The rows that teach are cut by time. A first part teaches the model that ages; the rest are windows. At each window a
fresh model has learned from as many rows as the old one, the last ones before the window. The gap of their losses in
the window is what age costs: the old model's own losses would also move with the season.
"""

from datetime import timedelta
from itertools import pairwise

import msgspec
import numpy as np
import pyarrow as pa

from assay.build.data.split_times import Moments
from assay.build.models.table_model import TableModel
from assay.build.steps.pipeline import pipeline
from assay.errors import InvalidInput
from assay.operate.project.candidate import prepare, train_model, trained
from assay.operate.project.gaps import labelled_rows, losses_of, mean_gap
from assay.operate.project.settings import ProjectFile, StalenessPart, load_project
from assay.record.canonical import canonical_json
from assay.record.identity import ordered_id
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.record.tracking.run_changes import update_run
from assay.record.tracking.runs import current_run
from assay.stats.staleness import RetrainingInterval, decay_of, retraining_interval

__all__ = ["AgePoint", "Staleness", "measure_staleness", "record_staleness"]

_DAY_S = 86_400.0
_LEAST_ROWS = 30  # in a window


class AgePoint(msgspec.Struct, frozen=True):
    """A window: by how many seconds the model that grows old is older than a fresh one, and what it loses more."""

    age_s: float
    gap: float
    error: float
    rows: int
    start: str


class Staleness(msgspec.Struct, frozen=True, kw_only=True):
    """A staleness curve: what a model loses per second of age, with an interval, from the points it was measured at.

    `advised` is how often training pays, where costs are known; `words` say it.
    """

    per_second: float
    low: float
    high: float
    points: list[AgePoint]
    advised: RetrainingInterval | None
    words: str


def measure_staleness(store: Store, project: ProjectFile, data: str | None = None) -> Staleness:
    """Measure it with the project's own training on the rows that teach; those that judge candidates are left alone.

    InvalidInput where rows are not split by time, or too few for the windows.
    """
    if project.split.how != "time":
        raise InvalidInput(
            "staleness is a matter of time, and the rows are not split by it",
            where=project.where("split", "how"),
            expected='how = "time"',
        )
    flow = aging.options(store=store, experiment=project.name, executor=project.executor, seed=project.split.seed)
    return flow(str(project.file), dict(project.params), data)


def record_staleness(store: Store, version: ModelVersion, found: Staleness) -> None:
    """Put the curve on record as a test of the version: triggers of decay and cost read it there."""
    row = {"id": ordered_id(), "subject_kind": "model_version", "subject_id": version.mv_id, "tag": "M4"}
    detail = canonical_json(msgspec.to_builtins(found))
    store.append("test_result", {**row, "kind": "staleness", "result": "pass", "mode": "auto", "detail": detail})


@pipeline
def aging(file: str, params: dict[str, object], data: str | None) -> Staleness:
    """See `measure_staleness`; every training is a step and remembered where the project's code makes it one."""
    project = load_project(file)
    run = current_run()
    assert run is not None
    update_run(run.store, run.run_id, name=f"staleness of {project.model_name}")
    ready = prepare(run.store, project, run, data)
    rows = labelled_rows(ready.parts.train, project.data.label)
    part = project.staleness or StalenessPart()
    moments = Moments(rows, project.split.by[0])
    rows = rows.filter(pa.array(moments.known)).take(pa.array(np.argsort(moments.values[moments.known], kind="stable")))
    points = _points(project, part, rows, ready.features, params)
    decay = decay_of([one.age_s for one in points], [one.gap for one in points], [one.error for one in points])
    for number, one in enumerate(points):
        run.metrics({"staleness.gap": one.gap, "staleness.age_days": one.age_s / _DAY_S}, step=number)
    advised = None
    if part.training is not None and part.loss is not None and part.predictions is not None:
        value = part.loss * part.predictions / _DAY_S
        advised = retraining_interval(decay, part.training, value, success=part.success)
    day = decay.per_second * _DAY_S
    words = f"it loses {day:.3g} a day of age ({decay.low * _DAY_S:.3g} to {decay.high * _DAY_S:.3g})"
    return Staleness(
        per_second=decay.per_second,
        low=decay.low,
        high=decay.high,
        points=points,
        advised=advised,
        words=f"{words}; {_advice(advised)}",
    )


def _points(
    project: ProjectFile, part: StalenessPart, rows: pa.Table, features: list[str], params: dict[str, object]
) -> list[AgePoint]:
    label, count = project.data.label, rows.num_rows
    moments = Moments(rows, project.split.by[0])
    if not moments.is_time:
        raise InvalidInput(
            f"{moments.name!r} holds numbers, and an age is a length of time",
            where=project.where("split", "by"),
            expected="a column of times",
        )
    edges = _edges(moments, part)
    first, taught = edges[0], rows.slice(0, edges[0])
    old = _model(project, taught, features, params)
    end = float(moments.values[first - 1])
    points = []
    for low, high in pairwise(edges[1:]):  # in the first one a fresh model would be the old one
        window = rows.slice(low, high - low)
        older = float(moments.values[low - 1] - end) / 1e6
        if window.num_rows < _LEAST_ROWS or not older > 0:
            raise InvalidInput(
                f"a window of {part.windows} has {window.num_rows} of {count:,} rows",
                where=project.where("staleness"),
                expected=f"{_LEAST_ROWS} rows or more in each: fewer windows",
            )
        fresh = _model(project, rows.slice(low - first, first), features, params)
        found, _ = mean_gap(losses_of(old, window, label) - losses_of(fresh, window, label), window, project.data.unit)
        if found.standard_error > 0:  # else both say the same of every row
            start = moments.text(moments.values[low])
            points.append(AgePoint(older, found.value, found.standard_error, window.num_rows, start))
    return points


def _edges(moments: Moments, part: StalenessPart) -> list[int]:
    """Where windows of equal length in time begin, and the last ends: [windows + 2] places in the sorted rows."""
    values = moments.values
    first = round(part.share * len(values))
    begin, end = float(values[first]), float(values[-1])
    cuts = np.linspace(begin, end, part.windows + 2)[:-1]
    places = np.searchsorted(values, cuts, side="left")
    return [*(int(one) for one in places), len(values)]


def _model(project: ProjectFile, rows: pa.Table, features: list[str], params: dict[str, object]) -> TableModel:
    made = trained(project, train_model(project, rows, features, params))
    if not isinstance(made, TableModel):
        raise InvalidInput(
            f"train returned a {type(made).__name__}",
            where=project.where("model", "code"),
            expected="what assay.train gives, so that answers of two of them can be compared",
        )
    return made


def _advice(advised: RetrainingInterval | None) -> str:
    if advised is None:
        return "training, loss and predictions in [staleness] would say how often to train"
    if advised.best_s is None:
        return "no decay is shown: no age pays for a training"
    days = timedelta(seconds=advised.best_s) / timedelta(days=1)
    # (k + 1/k) / 2 at k times the best interval: economics.md, section 8.
    return f"train about every {days:,.1f} days; twice or half as often costs a quarter more, so roughly is enough"
