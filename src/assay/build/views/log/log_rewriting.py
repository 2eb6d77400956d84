"""The log's parts put together or rows taken out of them: always whole, and without another number for any row.

New content is on disk before it is named, and all parts change in one transaction. Who reads meanwhile reads what was.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.views.declared.history import TS
from assay.build.views.log.log import LogPart, entered, log_parts, log_schema, packed, part_rows
from assay.build.views.registry.registered import ViewVersion
from assay.errors import Conflict
from assay.record.store import Store

__all__ = ["compact", "take_out"]

_SMALL_ROWS = 16_384
_MANY = 128  # small parts in a row: then they are worth one
_TRIES = 20


def compact(store: Store, version: ViewVersion) -> int:
    """Put many small parts of one kind that stand in a row together; returns how many there are less."""
    fewer, of_view = 0, {"view": version.name, "version": version.version}
    for run in _runs(log_parts(store, version)):
        last = run[-1]
        rows = pa.concat_tables([part_rows(store, version, part) for part in run if part.rows])
        changes = {**_changes(store, rows), "first_arrival": run[0].first_arrival}
        with store.transaction():
            if not _unchanged(store, version, run):
                return fewer
            store.remove("feature_log", {**of_view, "seq >=": run[0].seq, "seq <": last.seq})
            store.amend("feature_log", _key(last), changes)
        fewer += len(run) - 1
    return fewer


def take_out(
    store: Store,
    version: ViewVersion,
    goes: Callable[[pa.Table], NDArray[np.bool_]],
    kind: str,
    now_us: int,
    detail: str | None = None,
) -> tuple[int, list[str]]:
    """Take the rows that `goes` says out of the log, and enter a part of that kind.

    Returns how many rows these were, and the blobs that hold them and that no part names any more. With the kind
    "rebuilt" what was noted of rows that have gone from the source is taken away too.
    """
    of_view = {"view": version.name, "version": version.version}
    for _ in range(_TRIES):
        parts = log_parts(store, version)
        count, new = _without(store, version, parts, goes)
        with store.transaction():
            now = log_parts(store, version)
            late, more = _without(store, version, now[len(parts) :], goes)
            if [_content(part) for part in now[: len(parts)]] != [_content(part) for part in parts]:
                continue  # they were put together meanwhile
            for part, changes in [*new, *more]:
                store.amend("feature_log", _key(part), changes)
            if kind == "rebuilt":
                store.remove("feature_log", {**of_view, "kind": "gone"})
            entered(store, version, kind, log_schema(version).empty_table(), now_us, {"detail": detail})
        return count + late, [part.blob for part, _ in [*new, *more] if part.blob is not None]
    raise Conflict(f"the log of {version.reference} is written to without a pause", hint="run it again")


def _runs(parts: Sequence[LogPart]) -> list[list[LogPart]]:
    """Neighbours of one kind that are small, where they are many."""
    runs: list[list[LogPart]] = []
    for part in parts:
        if part.kind not in ("source", "push") or part.rows >= _SMALL_ROWS:
            runs.append([])
        elif runs and runs[-1] and runs[-1][0].kind == part.kind:
            runs[-1].append(part)
        else:
            runs.append([part])
    return [run for run in runs if len(run) >= _MANY and any(part.rows for part in run)]


def _without(
    store: Store, version: ViewVersion, parts: Sequence[LogPart], goes: Callable[[pa.Table], NDArray[np.bool_]]
) -> tuple[int, list[tuple[LogPart, dict[str, object]]]]:
    count, new = 0, []
    for part in parts:
        if part.kind in ("source", "push") and part.rows:
            rows = part_rows(store, version, part)
            gone = goes(rows)
            if gone.any():
                count += int(gone.sum())
                new.append((part, _changes(store, rows.filter(pa.array(~gone)))))
    return count, new


def _changes(store: Store, rows: pa.Table) -> dict[str, object]:
    if not rows.num_rows:
        return {"rows": 0, "least_ts": None, "greatest_ts": None, "blob": None, "data": None}
    blob, data = packed(store, rows.combine_chunks())
    spans = pc.min_max(rows[TS]).as_py()
    return {
        "rows": rows.num_rows,
        "least_ts": spans["min"],
        "greatest_ts": spans["max"],
        "blob": blob,
        "data": data,
    }


def _unchanged(store: Store, version: ViewVersion, parts: Sequence[LogPart]) -> bool:
    now = {part.seq: _content(part) for part in log_parts(store, version)}
    return all(now.get(part.seq) == _content(part) for part in parts)


def _content(part: LogPart) -> tuple[object, ...]:
    return part.seq, part.rows, part.blob, part.data


def _key(part: LogPart) -> dict[str, object]:
    return {"view": part.view, "version": part.version, "seq": part.seq}
