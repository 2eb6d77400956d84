"""Points of many runs in one go: for whoever has collected what several of them logged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.errors import AssayError, InvalidInput, NotFound
from assay.record.store import Store
from assay.record.tracking.metrics import Group, Series, add_series
from assay.record.tracking.points import Points
from assay.record.tracking.run_changes import Late, layer_of, note_seen, require_active

__all__ = ["Logged", "log_many"]


@dataclass(frozen=True, slots=True)
class Logged:
    """What one run logged: points by key."""

    run_id: str
    metrics: Mapping[str, Points]
    late: Late = "refuse"


def log_many(store: Store, logged: Sequence[Logged]) -> list[AssayError | None]:
    """Keep the points of all that may be kept; for each entry None, or why it was refused.

    One that is refused changes nothing and does not hurt the others. Keys are taken as they are: `names.check_key`.
    """
    refused: list[AssayError | None] = [None] * len(logged)
    with store.transaction():
        wanted = list({entry.run_id for entry in logged})
        runs = {row["run_id"]: row for row in store.query("run", {"run_id in": wanted})}
        groups: dict[Group, int] = {}
        parts: list[Points] = []
        of_group: list[int] = []
        for position, entry in enumerate(logged):
            row = runs.get(entry.run_id)
            try:
                if row is None:
                    raise NotFound(f"Run with id={entry.run_id} not found", where=store.location)
                require_active(row)
                layer = layer_of(row, entry.late)
                if any(len(points) and int(points.ts_ms.min()) < 0 for points in entry.metrics.values()):
                    raise InvalidInput("a metric has a negative timestamp", expected="milliseconds since 1970")
            except AssayError as error:
                refused[position] = error
                continue
            for key, points in entry.metrics.items():
                parts.append(points)
                of_group += [groups.setdefault((entry.run_id, key, layer), len(groups))] * len(points)
        add_series(store, Series(list(groups), np.array(of_group, np.int64), Points.joined(parts)))
        for run_id in {entry.run_id for entry, error in zip(logged, refused, strict=True) if error is None}:
            note_seen(store, runs[run_id])
    return refused
