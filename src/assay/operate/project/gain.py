"""What training anew would gain, told before it is paid for.

A cheap model learns from the rows that would teach now, another one of its kind from those that taught the champion.
Both, and the champion, answer the same fresh rows that none of them saw, and that the gate will not judge by. What is
said is the difference of their losses on these rows: it knows nothing of how lucky a training was.
"""

from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column
from assay.build.data.split_hashes import codes_of, numbers_of
from assay.build.data.split_times import Moments
from assay.build.models.packaging import load_model
from assay.build.models.table_model import TableModel
from assay.build.steps.handles import taken
from assay.build.steps.pipeline import pipeline
from assay.build.steps.step import step
from assay.build.training.train import TrainedModel, fit
from assay.errors import InvalidInput
from assay.operate.project.candidate import prepare
from assay.operate.project.gaps import labelled_rows, losses_of, mean_gap
from assay.operate.project.looking import is_prose
from assay.operate.project.settings import ProjectFile, load_project
from assay.record.datasets import dataset
from assay.record.models.registry import version_by_id
from assay.record.store import Store
from assay.record.tracking.run_changes import update_run
from assay.record.tracking.runs import current_run

__all__ = ["Gain", "cheap_model", "estimate_gain", "gain_on"]

_JUDGED = 1 / 3  # of the fresh rows; the others teach
_FEW_ROWS, _FEW_UNITS = 60, 10  # of those that judge, below which nothing is said
_MOST_ROWS = 50_000  # that teach a cheap model
_MOST_COLUMNS = 200
_CONFIDENCE = 0.95


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """What fresh rows are worth, in the loss of the task: `value` with an interval; None where it cannot be told.

    `beside_champion` is what the champion loses more than the cheap model that knows the fresh rows. The verdict is
    `helps` or `helps too little` only where the whole interval says so, on either side of `least`.
    """

    verdict: Literal["helps", "helps too little", "unclear"]
    words: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    least: float = 0.0
    rows: int = 0
    units: int = 0
    beside_champion: tuple[float, float, float] | None = None


def estimate_gain(store: Store, project: ProjectFile, data: str, taught: str, champion: str) -> Gain:
    """What training on the rows of `data` would gain beside the champion's, `taught`: both hashes of datasets."""
    flow = gain.options(store=store, experiment=project.name, executor=project.executor, seed=project.split.seed)
    return flow(str(project.file), data, taught, champion)


@pipeline
def gain(file: str, data: str, taught: str, champion: str) -> Gain:
    """See `estimate_gain`; a run of its own, so that it can be looked at."""
    project = load_project(file)
    run = current_run()
    assert run is not None
    update_run(run.store, run.run_id, name=f"gain of training {project.model_name} anew")
    ready = prepare(run.store, project, run, data)
    version = version_by_id(run.store, champion)
    model = load_model(run.store, version)
    found = gain_on(project, dataset(run.store, taught), ready.parts.train, ready.features, model)
    figures = {"gain": found.value, "gain.low": found.low, "gain.high": found.high}
    run.metrics({name: value for name, value in figures.items() if value is not None})
    run.tags({"verdict": found.verdict})
    return found


def gain_on(
    project: ProjectFile, before: pa.Table, now: pa.Table, features: list[str], champion: TableModel | None
) -> Gain:
    """What the rows of `now` that are not among those of `before` are worth."""
    least, label = project.retraining.least_gain, project.data.label
    plain = [name for name in features if name in before.column_names and not is_prose(column(now, name))]
    if not plain or len(plain) > _MOST_COLUMNS:
        return Gain(verdict="unclear", words="no cheap model learns from such columns", least=least)
    before, now = labelled_rows(before, label), labelled_rows(now, label)
    judged = _judged(project, before, now)
    rows = now.filter(pa.array(judged))
    learned = now.filter(pa.array(_apart(now, judged, project.data.unit)))
    if rows.num_rows < _FEW_ROWS or not learned.num_rows:
        return Gain(verdict="unclear", words=f"only {rows.num_rows:,} fresh rows to judge by", least=least)
    classes, seed = project.model.task != "regression", project.split.seed
    fresh, stale = (cheap_model(one, label, plain, classes, seed) for one in (learned, before))
    fresh, stale = taken(fresh), taken(stale)
    lost = losses_of(fresh, rows, label)
    found, units = mean_gap(losses_of(stale, rows, label) - lost, rows, project.data.unit)
    if units < _FEW_UNITS:
        return Gain(verdict="unclear", words=f"the fresh rows are of only {units} units", least=least)
    interval = found.interval(_CONFIDENCE)
    verdict: Literal["helps", "helps too little", "unclear"] = "unclear"
    if interval.high < least:
        verdict = "helps too little"
    elif interval.low > least:
        verdict = "helps"
    about = f"fresh rows gain {found.value:.4g} ({interval.low:.4g} to {interval.high:.4g}) on {rows.num_rows:,} rows"
    said = {"helps": f"more than {least:g}", "helps too little": f"less than {least:g}", "unclear": "perhaps nothing"}
    return Gain(
        verdict=verdict,
        words=f"{about}: {said[verdict]}",
        value=found.value,
        low=interval.low,
        high=interval.high,
        least=least,
        rows=rows.num_rows,
        units=units,
        beside_champion=_beside(project, champion, rows, lost),
    )


def _beside(
    project: ProjectFile, champion: TableModel | None, rows: pa.Table, lost: NDArray[np.float64]
) -> tuple[float, float, float] | None:
    """What the champion loses more, with its interval; None for one that cannot answer these rows."""
    if champion is None:
        return None
    try:
        gaps = losses_of(champion, rows, project.data.label) - lost
    except InvalidInput:  # it asks for columns that are not there any more
        return None
    gap, _ = mean_gap(gaps, rows, project.data.unit)
    interval = gap.interval(_CONFIDENCE)
    return gap.value, interval.low, interval.high


@step
def cheap_model(table: pa.Table, label: str, features: list[str], classes: bool, seed: int) -> TrainedModel:
    """A small boosting of at most 50,000 rows, with the same settings for all that it is compared with."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if table.num_rows > _MOST_ROWS:
        places = np.sort(np.random.default_rng(seed).choice(table.num_rows, _MOST_ROWS, replace=False))
        table = table.take(pa.array(places))
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    estimator = kind(max_iter=50, max_leaf_nodes=15, early_stopping=False, random_state=seed)
    return fit(estimator, table, label=label, features=features, positive=None, name="cheap")[0]


def _judged(project: ProjectFile, before: pa.Table, now: pa.Table) -> NDArray[np.bool_]:
    """[rows of now] whether one is fresh and judges: the latest after those that taught, or some of the new."""
    if project.split.how == "time":
        time = project.split.by[0]
        then, today = Moments(before, time), Moments(now, time)
        fresh: NDArray[np.bool_] = today.known & (today.values > then.values[then.known].max())
        if not fresh.any():
            return fresh
        cut = np.quantile(today.values[fresh], 1 - _JUDGED, method="lower")
        last: NDArray[np.bool_] = fresh & (today.values > cut)
        return last
    shared = [name for name in now.column_names if name in before.column_names]
    both = pa.concat_tables([before.select(shared), now.select(shared)], promote_options="permissive")
    codes, _ = codes_of(both, shared)
    fresh = ~np.isin(codes[before.num_rows :], codes[: before.num_rows])
    try:
        numbers = numbers_of(now, project.data.unit or shared, "gain", project.split.seed)
    except InvalidInput:  # a row has no value somewhere: then by its place
        numbers = numbers_of(now, [], "gain", project.split.seed)
    chosen: NDArray[np.bool_] = fresh & (numbers < _JUDGED)
    return chosen


def _apart(table: pa.Table, judged: NDArray[np.bool_], unit: list[str]) -> NDArray[np.bool_]:
    """[rows] those that may teach: none of the rows that judge, and none of their units."""
    if not unit:
        return ~judged
    codes, _ = codes_of(table, unit)
    apart: NDArray[np.bool_] = ~np.isin(codes, codes[judged])
    return apart
