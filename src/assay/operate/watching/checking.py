"""Before money is spent: the data are read and checked; broken ones stop the story and are their owner's to mend."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from assay.build.data.split_times import Moments, is_time
from assay.errors import AssayError, StoreUnavailable
from assay.operate.project.broken import BrokenColumn, broken_columns, rows_since
from assay.operate.project.candidate import check_data, read_data
from assay.operate.project.settings import ProjectFile
from assay.operate.watching.story import StageResult
from assay.operate.watching.work import Work, said
from assay.record.alerts.alert import close_alert, open_alert
from assay.record.datasets import DatasetVersion, dataset, version_of
from assay.record.models.registry import CHAMPION, alias
from assay.record.store import Store

__all__ = ["broken_since", "check", "data_alert_key", "taught_by"]

_SHOWN = 3
_DAY_US = 86_400_000_000
_CALM_DAYS = 30  # before the fresh rows: what is said of one of them is no break
_SHAPED = 500  # rows of a day, or of several
_ENOUGH = 5_000  # rows that show what a column was like


def check(work: Work) -> StageResult:
    """Read the project's rows, and stop where they break its expectations or what the champion was trained on."""
    store, project = work.store, work.project
    try:
        raw, table = read_data(store, project)
        check_data(store, project, raw, table)
    except StoreUnavailable:
        raise  # the loop looks again when the store is back
    except AssayError as error:
        return _stopped(work, said(error), {})
    found = _since_champion(store, project, table)
    if found:
        more = f", and {len(found) - _SHOWN} columns more" if len(found) > _SHOWN else ""
        words = "; ".join(one.words for one in found[:_SHOWN]) + more
        evidence: dict[str, object] = {"data": raw.hash, "broken": [one.column for one in found]}
        return _stopped(work, f"the data are broken since the champion was trained: {words}", evidence)
    _close(work)
    return StageResult(
        words=f"{table.num_rows:,} rows were read and are well",
        next="gain",
        evidence={"data": raw.hash, "rows": table.num_rows},
        detail={"data": raw.hash},
    )


def data_alert_key(project: ProjectFile) -> str:
    """The key of the alert that the data of a project are broken."""
    return f"data:{project.name}"


def taught_by(store: Store, run_id: str | None, role: str, name: str) -> DatasetVersion | None:
    """The dataset of that name that a run used (`input`) or made (`output`); None where there is none on record."""
    if run_id is None:
        return None
    run = store.get("run", {"run_id": run_id})
    runs = [one for one in (run["run_id"], run["parent_run_id"]) if one]
    used = [row["artifact_id"] for row in store.query("run_io", {"run_id in": runs, "role": role})]
    rows = store.query("artifact", {"artifact_id in": used, "type": "dataset", "name": name}, limit=1)
    return version_of(rows[0]) if rows else None


def _since_champion(store: Store, project: ProjectFile, table: pa.Table) -> list[BrokenColumn]:
    """What broke in the rows that came in since the champion was trained; nothing where that is not on record."""
    champion = alias(store, project.model_name, CHAMPION)
    known = taught_by(store, champion.run_id, "input", project.name) if champion is not None else None
    if known is None:
        return []
    before = dataset(store, known.hash)
    time = project.split.by[0] if project.split.how == "time" else None
    leave_out = {*project.data.ignore, *([time] if time is not None else [])}
    return broken_since(before, table, time, leave_out)


def broken_since(before: pa.Table, table: pa.Table, time: str | None, leave_out: set[str]) -> list[BrokenColumn]:
    """Columns that broke in the rows that came in since `before` was read: in all of them, or on some of their days."""
    fresh = rows_since(before, table, time)
    return broken_columns(before, fresh, leave_out) or _on_some_days(before, fresh, time, leave_out)


def _on_some_days(before: pa.Table, fresh: pa.Table, time: str | None, leave_out: set[str]) -> list[BrokenColumn]:
    """Columns that were in another unit on some of the fresh days, which all of them together hide."""
    if time is None or not fresh.num_rows or not all(_has_times(table, time) for table in (before, fresh)):
        return []
    shape = before.take(pa.array(np.linspace(0, before.num_rows - 1, min(before.num_rows, _ENOUGH)).astype(np.int64)))
    found: dict[str, BrokenColumn] = {}
    for day, rows in _by_day(fresh, time):
        for one in broken_columns(shape, rows, leave_out):
            if one.fault == "unit" and one.column not in found:
                found[one.column] = BrokenColumn(one.column, one.fault, f"from {day} on, {one.words}")
    if not found:
        return []
    calm = list(_by_day(before, time))[-_CALM_DAYS:]
    usual = {one.column for _, rows in calm for one in broken_columns(shape, rows, leave_out) if one.fault == "unit"}
    return [one for name, one in found.items() if name not in usual]


def _has_times(table: pa.Table, name: str) -> bool:
    return name in table.column_names and is_time(table[name].type) and table[name].null_count < table.num_rows


def _by_day(table: pa.Table, time: str) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each day in UTC, in order; of several together where one has few: no shape is told from those."""
    moments = Moments(table, time)
    days = np.where(moments.known, moments.values // _DAY_US, -1)
    chosen, first = np.zeros(len(days), dtype=bool), -1
    for day in np.unique(days[moments.known]):
        first = first if chosen.any() else int(day)
        chosen |= days == day
        if chosen.sum() >= _SHAPED:
            yield moments.text(float(first * _DAY_US))[:10], table.filter(pa.array(chosen))
            chosen = np.zeros(len(days), dtype=bool)


def _stopped(work: Work, words: str, evidence: dict[str, object]) -> StageResult:
    project = work.project
    alert = open_alert(
        work.store,
        data_alert_key(project),
        f"{project.model_name} is not trained: {words}",
        model=project.model_name,
        owner=project.data.owner,
    )
    return StageResult(words=words, status="stopped", evidence={**evidence, "alert": alert.alert_id})


def _close(work: Work) -> None:
    """What was broken is well again."""
    for row in work.store.query("alert", {"key": data_alert_key(work.project), "closed": None}):
        close_alert(work.store, row["alert_id"], action="recovered", reason="the data are well again")
