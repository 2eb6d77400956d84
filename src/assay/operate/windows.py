"""Serving by day: what the prediction log and the labels say together, rolled up once a day is over."""

from collections import defaultdict
from datetime import datetime

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.operate.labels.recording import labels_known
from assay.operate.predictions.columns import empty_table
from assay.operate.predictions.tail import Tail
from assay.record.store import Store

__all__ = ["DayWindow", "ServingDays"]

_KEPT = ["id", "mv_id", "output", "status", "latency_us"]
_NONE = empty_table().select(_KEPT)


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
    """Reads an endpoint's prediction log as it grows, and gives it back by day of event time (or of the wall clock).

    Of a prediction only what the rooms above ask for is kept: 100 bytes or so. Shadows answer nobody and are left out.
    """

    def __init__(self, store: Store, tail: Tail) -> None:
        self._store = store
        self._tail = tail
        self._days: dict[str, list[pa.Table]] = defaultdict(list)

    def read(self) -> int:
        """Take in what was logged since the last call; returns how many predictions are known in all."""
        new = self._tail.read_new()
        new = new.filter(pc.not_equal(new["role"], "shadow")).select(["day", *_KEPT])
        for day in new["day"].unique():
            self._days[str(day)].append(new.filter(pc.equal(new["day"], day)).select(_KEPT))
        return sum(table.num_rows for tables in self._days.values() for table in tables)

    def predictions(self, day: str) -> pa.Table:
        """All predictions of a day, errors among them: id, mv_id, output, status and latency_us."""
        tables = self._days.get(day)
        return pa.concat_tables(tables) if tables else _NONE

    def window(self, day: str, *, mv_id: str | None = None, as_of: datetime | None = None) -> DayWindow:
        """The day with the labels known at `as_of`; of one model version if `mv_id` is given."""
        chosen = self.predictions(day)
        chosen = chosen.filter(chosen["output"].is_valid())
        if mv_id is not None:
            chosen = chosen.filter(pc.equal(chosen["mv_id"], mv_id))
        ids = chosen["id"].to_pylist()
        known = labels_known(self._store, ids, as_of=as_of)
        return DayWindow(
            day=day,
            mv_ids=chosen["mv_id"].to_pylist(),
            outputs=chosen["output"].to_numpy(),
            labels=np.array([known.get(id, np.nan) for id in ids], dtype=float),
        )

    def record(self, endpoint: str, model: str, day: str) -> None:
        """Write the day's `serving_window`, a row for each version that answered; replaces an earlier reading."""
        every = self.predictions(day)
        for mv_id in every["mv_id"].unique().to_pylist():
            own = every.filter(pc.equal(every["mv_id"], mv_id))
            labelled = len(labels_known(self._store, own["id"].to_pylist()))
            known = self._store.query("model_version", {"mv_id": mv_id}, limit=1)
            latencies = own["latency_us"].to_numpy() / 1000
            changes = {
                "model": model,
                "predictions": own.num_rows,
                "logged": own.num_rows,
                "labelled": labelled,
                "known": int(bool(known)),
                "errors": int(np.count_nonzero(own["status"].to_numpy(zero_copy_only=False) != "ok")),
                "p50_ms": float(np.quantile(latencies, 0.5)),
                "p95_ms": float(np.quantile(latencies, 0.95)),
            }
            key = {"endpoint": endpoint, "mv_id": mv_id, "day": day}
            if not self._store.append_many("serving_window", [{**key, **changes}], skip_existing=True):
                self._store.amend("serving_window", key, changes)
