"""Serving by day: what the prediction log and the labels say together, rolled up once a day is over."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.operate.labels.recording import labels_known
from assay.operate.predictions.log import LogReader
from assay.operate.predictions.prediction import Prediction
from assay.record.store import Store

__all__ = ["DayWindow", "ServingDays"]


class DayWindow(msgspec.Struct, frozen=True):
    """The answered predictions of one day and the labels known for them (NaN where none is)."""

    day: str
    mv_ids: list[str]
    outputs: NDArray[np.float64]
    labels: NDArray[np.float64]

    @property
    def labelled(self) -> int:
        """How many predictions have a label."""
        return int(np.count_nonzero(~np.isnan(self.labels)))


class ServingDays:
    """Reads an endpoint's prediction log as it grows, and gives it back by day of event time (or of the wall clock)."""

    def __init__(self, store: Store, reader: LogReader) -> None:
        self._store = store
        self._reader = reader
        self._days: dict[str, list[Prediction]] = defaultdict(list)

    def read(self) -> int:
        """Take in what was logged since the last call; returns how many predictions are known in all."""
        for prediction in self._reader.read_new():
            self._days[(prediction.event_ts or prediction.ts)[:10]].append(prediction)
        return sum(map(len, self._days.values()))

    def predictions(self, day: str) -> Sequence[Prediction]:
        """All predictions of a day, errors among them."""
        return self._days.get(day, [])

    def window(self, day: str, *, mv_id: str | None = None, as_of: datetime | None = None) -> DayWindow:
        """The day with the labels known at `as_of`; of one model version if `mv_id` is given."""
        chosen = [p for p in self.predictions(day) if p.output is not None and mv_id in (None, p.mv_id)]
        known = labels_known(self._store, [p.id for p in chosen], as_of=as_of)
        return DayWindow(
            day=day,
            mv_ids=[p.mv_id for p in chosen],
            outputs=np.array([p.output for p in chosen], dtype=float),
            labels=np.array([known.get(p.id, np.nan) for p in chosen], dtype=float),
        )

    def record(self, endpoint: str, model: str, day: str) -> None:
        """Write the day's `serving_window`, a row for each version that answered; replaces an earlier reading."""
        by_version: dict[str, list[Prediction]] = defaultdict(list)
        for prediction in self.predictions(day):
            by_version[prediction.mv_id].append(prediction)
        for mv_id, predictions in by_version.items():
            labelled = len(labels_known(self._store, [p.id for p in predictions]))
            known = self._store.query("model_version", {"mv_id": mv_id}, limit=1)
            latencies = np.array([p.latency_us for p in predictions]) / 1000
            changes = {
                "model": model,
                "predictions": len(predictions),
                "logged": len(predictions),
                "labelled": labelled,
                "known": int(bool(known)),
                "errors": sum(p.status != "ok" for p in predictions),
                "p50_ms": float(np.quantile(latencies, 0.5)),
                "p95_ms": float(np.quantile(latencies, 0.95)),
            }
            key = {"endpoint": endpoint, "mv_id": mv_id, "day": day}
            if not self._store.append_many("serving_window", [{**key, **changes}], skip_existing=True):
                self._store.amend("serving_window", key, changes)
