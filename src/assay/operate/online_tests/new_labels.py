"""Labels that came since the last look at a test, each once."""

from datetime import datetime

import pyarrow as pa

from assay.operate.labels.known import label_rows
from assay.record.clock import from_us, iso, to_us
from assay.record.store import Sql, Store

__all__ = ["NewLabels"]

_AGAIN_US = 60_000_000  # labels of so long before are read again: who tells them may commit them later than that
_TOLD = (
    "select {key}, value, event_ts, ingest_ts, revision from {table} "
    "where {of} name = :name and ingest_ts > :since and ingest_ts <= :until"
)


class NewLabels:
    """Reads labels of an endpoint by their name; one thread reads.

    A label that is committed a minute after its time, or later, is not seen.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._lately: dict[str, set[tuple[object, ...]]] = {}

    def read(self, store: Store, name: str, last_us: int, as_of: datetime) -> pa.Table:
        """Labels up to `as_of` that were not seen by the look of `last_us`, 0 for the first."""
        since = from_us(last_us - _AGAIN_US) if last_us else ""
        values = {"name": name, "since": since, "until": iso(as_of), "endpoint": self._endpoint}
        of_units = _TOLD.format(key="null, unit, event", table="unit_label", of="endpoint = :endpoint and")
        values_too = {key: value for key, value in values.items() if key != "endpoint"}
        found = [
            *store.tuples(Sql(_TOLD.format(key="prediction_id, null, null", table="label", of=""), values_too)),
            *store.tuples(Sql(of_units, values)),
        ]
        known, again = self._lately.get(name, set()), from_us(to_us(as_of) - _AGAIN_US)
        self._lately[name] = {(*row[:3], row[6]) for row in found if row[5] > again}
        return label_rows(["prediction_id", "unit", "event"], [row for row in found if (*row[:3], row[6]) not in known])
