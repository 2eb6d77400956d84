"""Labels: what really happened, learned later, under the id of the prediction it belongs to.

Delivery may repeat, come out of order or before the prediction is read: a label counts once for each (prediction,
name, revision), and the highest revision known at a moment stands.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from assay.errors import InvalidInput
from assay.record.clock import iso
from assay.record.store import Store

__all__ = ["Label", "labels_known", "record_labels"]

_BATCH = 5000


class Label(msgspec.Struct, frozen=True):
    """The outcome of one prediction, and the moment at which it happened."""

    prediction_id: str
    value: float
    event_ts: datetime
    revision: int = 0
    name: str = "label"


def record_labels(store: Store, labels: Iterable[Label]) -> int:
    """Keep labels and return how many were new; what was delivered before is passed over.

    InvalidInput for a value other than 0 and 1 and for a moment without a time zone; then none of them is kept.
    """
    ingested = iso(store.clock.latest())
    rows = []
    for label in labels:
        if label.value not in (0, 1):
            raise InvalidInput(f"the label of {label.prediction_id} is {label.value}", expected="0 or 1")
        if label.event_ts.tzinfo is None:
            raise InvalidInput(
                f"the label of {label.prediction_id} happened at {label.event_ts}, which has no time zone",
                expected="an aware datetime",
            )
        rows.append(
            {
                "prediction_id": label.prediction_id,
                "name": label.name,
                "revision": label.revision,
                "value": float(label.value),
                "event_ts": iso(label.event_ts),
                "ingest_ts": ingested,
                "source": "native",
            }
        )
    with store.transaction():
        return sum(
            store.append_many("label", rows[start : start + _BATCH], skip_existing=True)
            for start in range(0, len(rows), _BATCH)
        )


def labels_known(
    store: Store, prediction_ids: Sequence[str], *, name: str = "label", as_of: datetime | None = None
) -> dict[str, float]:
    """Prediction id -> its label as it was known at `as_of` (default: all that is known now)."""
    known: dict[str, float] = {}
    for start in range(0, len(prediction_ids), _BATCH):
        where: dict[str, object] = {"prediction_id in": prediction_ids[start : start + _BATCH], "name": name}
        if as_of is not None:
            where["ingest_ts <="] = iso(as_of)
        for row in store.query("label", where, order_by=["revision"]):
            known[row["prediction_id"]] = row["value"]  # a later revision wins
    return known
