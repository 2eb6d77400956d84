"""Points of a metric as bytes: steps, times in milliseconds and values, each as one column of 64-bit numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Points", "downsample", "pack", "unpack"]

_WIDTH = 24  # bytes of a point


@dataclass(frozen=True, slots=True)
class Points:
    """Points [n]: `step` and `ts_ms` int64, `value` float64 that may be NaN or infinite."""

    step: NDArray[np.int64]
    ts_ms: NDArray[np.int64]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.step)

    def take(self, positions: NDArray[np.intp]) -> "Points":
        """The points at those positions."""
        return Points(self.step[positions], self.ts_ms[positions], self.value[positions])

    def distinct(self) -> "Points":
        """In order of time, step and value, NaN last, the same point once."""
        order = np.lexsort((self.value, self.step, self.ts_ms))
        points = self.take(order)
        repeated = points.repeats()
        return points.take(np.flatnonzero(np.concatenate(([True], ~repeated)))) if repeated.any() else points

    def repeats(self) -> NDArray[np.bool_]:
        """For each point but the first [n - 1], whether it is the one before it once more; NaN is NaN here."""
        same = (np.diff(self.ts_ms) == 0) & (np.diff(self.step) == 0)
        before, after = self.value[:-1], self.value[1:]
        repeated: NDArray[np.bool_] = same & ((before == after) | (np.isnan(before) & np.isnan(after)))
        return repeated

    @classmethod
    def joined(cls, parts: "Iterable[Points]") -> "Points":
        """All points of the parts, in their order."""
        listed = list(parts) or [EMPTY]
        if len(listed) == 1:
            return listed[0]
        return cls(*(np.concatenate([getattr(part, name) for part in listed]) for name in ("step", "ts_ms", "value")))


EMPTY = Points(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def pack(points: Points) -> bytes:
    """24 bytes a point, little-endian, column after column."""
    columns = (points.step.astype("<i8"), points.ts_ms.astype("<i8"), points.value.astype("<f8"))
    return b"".join(column.tobytes() for column in columns)


def unpack(data: bytes) -> Points:
    """The points of bytes that `pack` wrote."""
    count = len(data) // _WIDTH
    integers = np.frombuffer(data, "<i8", count * 2)
    return Points(integers[:count], integers[count:], np.frombuffer(data, "<f8", count, count * 16))


def downsample(points: Points, most: int) -> Points:
    """At most about `most` points in order of step, the first, the last, the lowest and the highest of each part kept.

    The line is cut into parts of equally many points and each gives its minimum and its maximum, so that no peak is
    lost whatever the width of the picture. A part with NaN or an infinite value gives one such point as well.
    """
    order = np.lexsort((points.value, points.ts_ms, points.step))
    points = points.take(order)
    if len(points) <= most:
        return points
    edges = np.linspace(0, len(points), max(most // 2, 1) + 1).astype(np.intp)
    starts, finite = edges[:-1], np.isfinite(points.value)
    kept = {0, len(points) - 1}
    if finite.all():
        part = np.repeat(np.arange(len(starts)), np.diff(edges))
        by_value = np.lexsort((points.value, part))
        kept.update(by_value[starts].tolist(), by_value[edges[1:] - 1].tolist())
    else:
        for start, end in zip(starts.tolist(), edges[1:].tolist(), strict=True):
            inside = np.flatnonzero(finite[start:end]) + start
            if len(inside):
                values = points.value[inside]
                kept.update((int(inside[values.argmin()]), int(inside[values.argmax()])))
            if len(inside) < end - start:
                kept.add(int(np.flatnonzero(~finite[start:end])[0]) + start)
    return points.take(np.array(sorted(kept), dtype=np.intp))
