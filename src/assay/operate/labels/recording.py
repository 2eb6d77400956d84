"""Labels: what really happened, learned later, of a prediction or of a unit.

Delivery may repeat, come out of order or before the prediction is read: a label counts once for each (prediction,
name, revision) or (endpoint, unit, name, event, revision), and the highest revision known at a moment stands. A
revision never changes: who learns better sends the next one.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from assay.errors import AlreadyExists, Conflict, InvalidInput
from assay.record.clock import iso
from assay.record.store import Store

__all__ = ["Label", "UnitLabel", "keep_labels", "labels_known", "record_labels"]

_BATCH = 5000


class Label(msgspec.Struct, frozen=True):
    """The outcome of one prediction, a number, and the moment at which it happened."""

    prediction_id: str
    value: float
    event_ts: datetime
    revision: int = 0
    name: str = "label"


class UnitLabel(msgspec.Struct, frozen=True):
    """What happened to a unit that an endpoint answers for: a number, under the caller's id of the event."""

    endpoint: str
    unit: str
    event: str
    value: float
    event_ts: datetime
    revision: int = 0
    name: str = "label"


_KINDS = {Label: "label", UnitLabel: "unit_label"}
_KEYS = {
    "label": ("prediction_id", "name", "revision"),
    "unit_label": ("endpoint", "unit", "name", "event", "revision"),
}


def record_labels(store: Store, labels: Iterable[Label | UnitLabel]) -> int:
    """Keep labels and return how many were new; what was delivered before is passed over.

    InvalidInput for a value that is no finite number and for a moment without a time zone, Conflict where the same
    revision of a label is known with another value; then none of them is kept.
    """
    ingested = iso(store.clock.latest())
    rows: dict[str, list[dict[str, Any]]] = {"label": [], "unit_label": []}
    for label in labels:
        kind = _KINDS[type(label)]
        if not math.isfinite(label.value):
            raise InvalidInput(f"{_of(label)} is {label.value}", expected="a finite number")
        if label.event_ts.tzinfo is None:
            raise InvalidInput(
                f"{_of(label)} happened at {label.event_ts}, which has no time zone", expected="an aware datetime"
            )
        known = {"event_ts": iso(label.event_ts), "ingest_ts": ingested, "source": "native"}
        rows[kind].append({**msgspec.structs.asdict(label), "value": float(label.value), **known})
    with store.transaction():
        return sum(keep_labels(store, kind, own) for kind, own in rows.items())


def keep_labels(store: Store, kind: str, rows: Sequence[dict[str, Any]]) -> int:
    """Rows of the table `label` or `unit_label`, inside a transaction; returns how many were new. Conflict as above."""
    return sum(_keep(store, kind, rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH))


def _keep(store: Store, kind: str, rows: Sequence[dict[str, Any]]) -> int:
    try:
        return store.append_many(kind, rows)  # ten times as fast as the way below
    except AlreadyExists:  # nothing of the batch was kept
        new = store.append_many(kind, rows, skip_existing=True)
    keys = _KEYS[kind]
    subject = "prediction_id" if kind == "label" else "unit"
    found = store.query(kind, {f"{subject} in": sorted({row[subject] for row in rows})})
    known = {tuple(row[key] for key in keys): row["value"] for row in found}
    for row in rows:
        value = known[tuple(row[key] for key in keys)]
        if value != row["value"]:
            raise Conflict(
                f"revision {row['revision']} of the {row['name']} of {subject.removesuffix('_id')} {row[subject]} "
                f"is {value:g} already, not {row['value']:g}",
                hint="send what was learned later as the next revision",
            )
    return new


def _of(label: Label | UnitLabel) -> str:
    return f"the label of {label.prediction_id if isinstance(label, Label) else label.unit}"


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
