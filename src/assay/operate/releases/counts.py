"""What a release has seen of the log, as sums that add up: for each phase, champion beside challenger.

A pair of numbers is always (champion, challenger). Units are counted at their first event in a phase, so that one
client whose requests all fail is one failure: that is what makes a stated probability of a false rollback true.
"""

from dataclasses import dataclass, field
from itertools import islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.operate.releases.log_rows import EVENTS, LogRows
from assay.operate.releases.rules import GUARDRAILS

__all__ = ["Baseline", "Counts", "Tally"]

_MOST_WAITING = 100_000  # rows of a shadow step that wait for their other half
_COUNTED = tuple(name for name in GUARDRAILS if name != "shift")


class Baseline(msgspec.Struct, frozen=True):
    """What the champion did before or at the beginning: `cuts` of its outputs, and microseconds that are slow."""

    cuts: tuple[float, ...] = ()
    slow_us: int | None = None


class Counts(msgspec.Struct):
    """The sums of a phase. In one with a shadow, `events` and `crossed` count units of which one side alone had it.

    `units` are those seen, `part` those of them that were assigned by their hash. `bins` are units by where their
    output lies among the cuts, `crossed` by cut those on whose one side the output is below.
    """

    rows: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    units: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    part: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    events: dict[str, list[int]] = msgspec.field(default_factory=lambda: {name: [0, 0] for name in _COUNTED})
    bins: list[list[int]] = msgspec.field(default_factory=lambda: [[], []])
    crossed: list[list[int]] = msgspec.field(default_factory=list)
    forced: int = 0
    fallback: int = 0


class _FirstSeen:
    """Keys in order; says which of new ones are there for the first time."""

    def __init__(self) -> None:
        self._keys = np.empty(0, dtype=np.int64)

    def add(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions in `keys` of those never added before, once each, in order."""
        if not len(keys):
            return np.empty(0, dtype=np.int64)
        fresh, first = np.unique(keys, return_index=True)
        places = np.searchsorted(self._keys, fresh)
        if len(self._keys):
            known = self._keys[np.minimum(places, len(self._keys) - 1)] == fresh
            fresh, first, places = fresh[~known], first[~known], places[~known]
        self._keys = np.insert(self._keys, places, fresh)
        return np.sort(first).astype(np.int64)


@dataclass
class Tally:
    """Counts of one phase as rows come in. What units it has seen is in memory only: a restart reads the log again."""

    paired: bool
    baseline: Baseline
    counts: Counts = field(default_factory=Counts)
    _seen: dict[str, _FirstSeen] = field(default_factory=dict)
    _waiting: dict[str, tuple[int, int, int, float]] = field(default_factory=dict)  # by id: arm, key, events, output

    def __post_init__(self) -> None:
        thresholds = 2 * len(self.baseline.cuts)
        if not self.paired and not self.counts.bins[0]:
            self.counts.bins = [[0] * (thresholds + 1), [0] * (thresholds + 1)]
        if self.paired and not self.counts.crossed:
            self.counts.crossed = [[0, 0] for _ in range(thresholds)]

    def add(self, rows: LogRows) -> None:
        """Take in rows of this phase, in the order of the log."""
        if self.paired:
            self._add_pairs(rows)
            return
        self.counts.forced += int(np.count_nonzero(rows.forced))
        self.counts.fallback += int(np.count_nonzero(rows.fallback))
        counted = rows.counted
        keys, arms, events = rows.keys[counted], rows.arms[counted], rows.events[counted]
        for arm in (0, 1):
            self.counts.rows[arm] += int(np.count_nonzero(arms == arm))
        fresh = self._first("unit", keys)
        self._split(self.counts.units, arms[fresh])
        self._place(rows.outputs[counted][fresh], arms[fresh])
        part = np.nonzero(rows.part[counted])[0]
        self._split(self.counts.part, arms[part[self._first("part", keys[part])]])
        for name, bit in EVENTS.items():
            having = np.nonzero(events & bit)[0]
            self._split(self.counts.events[name], arms[having[self._first(name, keys[having])]])
        # A row that the challenger could not answer, which the champion then did, is the challenger's.
        could_not = rows.keys[rows.fallback]
        self.counts.events["schema"][1] += len(self._first("schema", could_not))
        self.counts.units[1] += len(self._first("unit", could_not))

    def _first(self, name: str, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._seen.setdefault(name, _FirstSeen()).add(keys)

    def _split(self, pair: list[int], arms: NDArray[np.int8]) -> None:
        pair[0] += int(np.count_nonzero(arms == 0))
        pair[1] += int(np.count_nonzero(arms == 1))

    def _place(self, outputs: NDArray[np.float64], arms: NDArray[np.int8]) -> None:
        """Count outputs by where they lie: below the first cut, at it, between it and the second, and so on."""
        finite = np.isfinite(outputs)
        places = self._places(outputs[finite])
        for arm in (0, 1):
            found = np.bincount(places[arms[finite] == arm], minlength=len(self.counts.bins[arm]))
            self.counts.bins[arm] = [old + int(new) for old, new in zip(self.counts.bins[arm], found, strict=True)]

    def _places(self, outputs: NDArray[np.float64]) -> NDArray[np.int64]:
        cuts = np.asarray(self.baseline.cuts)
        return np.searchsorted(cuts, outputs, side="left") + np.searchsorted(cuts, outputs, side="right")

    def _add_pairs(self, rows: LogRows) -> None:
        for position, id in enumerate(rows.ids):
            arm, key = int(rows.arms[position]), int(rows.keys[position])
            this = arm, key, int(rows.events[position]), float(rows.outputs[position])
            self.counts.rows[arm] += 1
            other = self._waiting.pop(id, None)
            if other is None:
                self._waiting[id] = this
            elif other[0] != arm:
                self._pair(*((other, this) if arm else (this, other)))
        for id in list(islice(self._waiting, max(0, len(self._waiting) - _MOST_WAITING))):
            del self._waiting[id]

    def _pair(self, live: tuple[int, int, int, float], shadow: tuple[int, int, int, float]) -> None:
        key = np.array([live[1]])
        for name, bit in EVENTS.items():
            for arm, has, other in ((0, live, shadow), (1, shadow, live)):
                if has[2] & bit and not other[2] & bit and len(self._first(f"{name}{arm}", key)):
                    self.counts.events[name][arm] += 1
        if not len(self._first("unit", key)):
            return
        self.counts.units = [count + 1 for count in self.counts.units]
        outputs = np.array([live[3], shadow[3]])
        if not np.isfinite(outputs).all():
            return
        one, two = self._places(outputs)
        for threshold, pair in enumerate(self.counts.crossed):
            below = one <= threshold, two <= threshold
            if below[0] != below[1]:
                pair[int(below[1])] += 1
