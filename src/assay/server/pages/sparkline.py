"""A metric's course as the path of a small drawing."""

from collections.abc import Mapping, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from assay.record.schema import TABLES
from assay.record.store import Store
from assay.record.tracking.points import Points, unpack

__all__ = ["POINTS_AT_ONCE", "path_of", "paths"]

POINTS_AT_ONCE = 60_000  # about 10 ms; a page draws no more of them before it is sent
_PARTS = 40
_WIDTH, _HEIGHT, _EDGE = 1000.0, 200.0, 10.0
_TINY = 1e-300  # a width divided by less is infinite


def paths(
    store: Store, run_ids: Sequence[str], keys: Sequence[str], counts: Mapping[tuple[str, str], int]
) -> dict[tuple[str, str], str]:
    """Paths by run and key, of those whose points are few enough to be read now; `counts` says how many each has."""
    wanted: set[tuple[str, str]] = set()
    left = POINTS_AT_ONCE
    for run_id in run_ids:
        for key in keys:
            count = counts.get((run_id, key), 0)
            if 1 < count <= left:
                left -= count
                wanted.add((run_id, key))
    if not wanted:
        return {}
    chunk = TABLES["metric_chunk"]
    statement = (
        sa.select(chunk.c.run_id, chunk.c.key, chunk.c.data)
        .where(chunk.c.run_id.in_({run_id for run_id, _ in wanted}), chunk.c.key.in_(list(keys)), chunk.c.layer == 0)
        .order_by(chunk.c.run_id, chunk.c.key, chunk.c.seq)
    )
    parts: dict[tuple[str, str], list[Points]] = {}
    for row in store.select(statement):
        if (row["run_id"], row["key"]) in wanted:
            parts.setdefault((row["run_id"], row["key"]), []).append(unpack(row["data"]))
    found = {place: path_of(Points.joined(listed)) for place, listed in parts.items()}
    return {place: path for place, path in found.items() if path}


def path_of(points: Points) -> str:
    """An SVG path of 1000 by 200, over the steps, with the lowest and highest value of each part; empty for no line."""
    finite = np.isfinite(points.value)
    step, value = points.step[finite], points.value[finite]
    if len(value) < 2:
        return ""
    if (np.diff(step) < 0).any():
        order = np.argsort(step, kind="stable")
        step, value = step[order], value[order]
    if len(value) > 2 * _PARTS:
        edges = np.linspace(0, len(value), _PARTS + 1).astype(np.intp)
        kept = {0, len(value) - 1}
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            kept |= {start + int(value[start:end].argmin()), start + int(value[start:end].argmax())}
        places = np.array(sorted(kept))
        step, value = step[places], value[places]
    across, down = _scaled(step.astype(np.float64), _WIDTH), _HEIGHT - _EDGE - _scaled(value, _HEIGHT - 2 * _EDGE)
    drawn = zip(across.astype(np.int64).tolist(), down.astype(np.int64).tolist(), strict=True)
    return "M" + "L".join([f"{x} {y}" for x, y in drawn])


def _scaled(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    low, high = float(values.min()), float(values.max())
    if high == low:
        return np.full(len(values), width / 2)
    if high - low == np.inf:  # the largest floats have no difference that is one
        values, low, high = values / 4, low / 4, high / 4
    if high - low < _TINY:
        return np.where(values > low, width, 0.0)
    return np.asarray((values - low) * (width / (high - low)), np.float64)
