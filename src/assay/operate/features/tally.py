"""Logged predictions compared with the offline join, and counted by version of the model and feature."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from assay.build.models.packaging import inputs_of
from assay.operate.features.differing import Kind, Said, kind_of, same
from assay.operate.features.lookup import Value
from assay.operate.features.recomputing import Recomputed
from assay.operate.features.skew import FeatureSkew, judged, rows_to_decide
from assay.operate.predictions.prediction import LookedUp, Prediction
from assay.record.clock import from_us
from assay.record.models.registry import version_by_id
from assay.record.store import Store

__all__ = ["CONFIDENCE", "ServedOtherwise", "Tally"]

CONFIDENCE = 0.95
_SHOWN = 20
_HASHES = 2.0**64


class ServedOtherwise(msgspec.Struct, frozen=True):
    """A feature of one prediction that was served otherwise than it is computed now."""

    prediction_id: str
    feature: str
    kind: Kind
    served: Value
    offline: Value
    as_of: str


class Tally:
    """Counts by version of the model and input, of all predictions so far."""

    def __init__(
        self, store: Store, share: float, begin: str | None, settle_us: int, tolerated: float, *, late_counts: bool
    ) -> None:
        self.share, self.tolerated = share, tolerated
        self.predictions = self.sampled = self.left_out = 0
        self.rows_from: dict[str, str] = {}
        self.differences: list[ServedOtherwise] = []
        self._store, self._begin, self._settle_us = store, begin, settle_us
        self._late_counts = late_counts
        self._counts: dict[tuple[str, str], _Count] = {}

    def take(self, predictions: Sequence[Prediction]) -> int:
        """Compare those of the sample; returns how many they are."""
        there = [one for one in predictions if one.looked_up and (self._begin is None or one.ts >= self._begin)]
        chosen = [one for one in there if _fraction(one.request_id) < self.share]
        self.predictions += len(there)
        self.sampled += len(chosen)
        by_version: dict[str, list[Prediction]] = defaultdict(list)
        for one in chosen:
            by_version[one.mv_id].append(one)
        for mv_id, rows in by_version.items():
            self._compare(mv_id, rows)
        return len(chosen)

    @property
    def late(self) -> int:
        """Values that differ because a row arrived after serving."""
        return sum(one.kinds["late write"] for one in self._counts.values())

    def features(self) -> list[FeatureSkew]:
        """The judged counts, the worst first."""
        found = []
        for (mv_id, name), count in self._counts.items():
            wrong = sum(n for kind, n in count.kinds.items() if kind != "late write" or self._late_counts)
            low, high, verdict = judged(wrong, count.compared, self.tolerated, CONFIDENCE)
            open_ = verdict == "inconclusive"
            needed = rows_to_decide(wrong, count.compared, self.tolerated, CONFIDENCE) if open_ else None
            rate = wrong / count.compared if count.compared else None
            found.append(
                FeatureSkew(
                    mv_id, count.version, count.reference, name, count.compared, wrong, rate, low, high,
                    dict(count.kinds.items()), verdict, needed,
                )
            )  # fmt: skip
        return sorted(found, key=lambda one: (-one.low, -one.high))

    def _compare(self, mv_id: str, rows: Sequence[Prediction]) -> None:
        version = version_by_id(self._store, mv_id)
        columns, features = inputs_of(self._store, version)
        places = {column.name: place for place, column in enumerate(columns)}
        for reference in dict.fromkeys(one.reference for one in features):
            own = [one for one in features if one.reference == reference]
            view = _View(
                reference,
                {one.input: (one.feature, places[one.input]) for one in own},
                {one.feature: columns[places[one.input]].is_number for one in own},
            )
            for one in own:
                self._counts.setdefault((mv_id, one.input), _Count(version.version, f"{reference}:{one.feature}"))
            self._compare_view(mv_id, rows, view)

    def _compare_view(self, mv_id: str, rows: Sequence[Prediction], view: "_View") -> None:
        recomputed = Recomputed(self._store, view.reference, view.features)
        self.rows_from[view.reference] = recomputed.rows_from
        able = recomputed.can_answer([_looked_up(one) for one in rows])
        self.left_out += int(len(rows) - able.sum())
        rows = [row for row, is_able in zip(rows, able.tolist(), strict=True) if is_able]
        if not rows:
            return
        lookups = [_looked_up(row) for row in rows]
        known = recomputed.match(lookups, None)
        wrong: list[tuple[int, str, Said]] = []
        reads = [next((one for one in lookup.views if one.view == view.reference), None) for lookup in lookups]
        for name, (feature, at) in view.inputs.items():
            count = self._counts[mv_id, name]
            for place, (row, lookup, read, offline) in enumerate(
                zip(rows, lookups, reads, known.values[feature], strict=True)
            ):
                if lookup.given and name in lookup.given:
                    continue
                count.compared += 1
                served = row.features[at]
                if read is None:
                    self._differs(row, count, "wrong version", served, offline)
                elif not same(served, offline):
                    wrong.append((place, name, Said(served, read.status, read.ts)))
        if not wrong:
            return
        places = {place: position for position, place in enumerate(dict.fromkeys(place for place, *_ in wrong))}
        asked = [lookups[place] for place in places]
        lags = dict.fromkeys((0, self._settle_us)) if recomputed.rows_from == "log" else {}
        arrived = [recomputed.match(asked, lag) for lag in lags]
        for place, name, served_said in wrong:
            feature, _ = view.inputs[name]
            now = known.said(feature, place)
            then = [one.said(feature, places[place]) for one in arrived] or [now]
            late = any(same(served_said.value, one.value) for one in then)
            kind: Kind = "late write" if late else kind_of(served_said, then[0])
            offline = (now if late else then[0]).value
            self._differs(rows[place], self._counts[mv_id, name], kind, served_said.value, offline)

    def _differs(self, row: Prediction, count: "_Count", kind: Kind, served: Value, offline: Value) -> None:
        count.kinds[kind] += 1
        if len(self.differences) < _SHOWN:
            as_of = from_us(_looked_up(row).now_us)
            self.differences.append(ServedOtherwise(row.id, count.reference, kind, served, offline, as_of))


class _Count:
    def __init__(self, version: int, reference: str) -> None:
        self.version = version
        self.reference = reference
        self.compared = 0
        self.kinds: Counter[Kind] = Counter()


class _View(NamedTuple):
    """The inputs of a model that are of one view: of each its feature and its place in a row of the model's."""

    reference: str
    inputs: dict[str, tuple[str, int]]
    features: dict[str, bool]  # whether the model takes it as a number


def _looked_up(row: Prediction) -> LookedUp:
    assert row.looked_up is not None
    return row.looked_up


def _fraction(request_id: str) -> float:
    """Where in [0, 1) a request falls, the same each time."""
    return int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=8).digest()) / _HASHES
