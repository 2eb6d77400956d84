"""Labels over HTTP: `POST /labels` of a server takes a JSON list, or a JSON object a line."""

from datetime import datetime
from typing import Annotated

import msgspec

from assay.errors import AssayError, Conflict, InvalidInput
from assay.operate.labels.recording import Label, UnitLabel, record_labels
from assay.record.store import Store

__all__ = ["receive_labels"]

_MOST = 100_000
_EXPECTED = (
    '[{"prediction_id": "...", "value": 1, "event_ts": "2013-08-01T20:00:00Z", "name"?: "label", "revision"?: 0}, ...]'
    ' or with "unit" and "event" in place of "prediction_id"'
)

_encode = msgspec.json.Encoder().encode


class _Received(msgspec.Struct, forbid_unknown_fields=True):
    value: float | bool
    event_ts: Annotated[datetime, msgspec.Meta(tz=True)]
    prediction_id: str | None = None
    unit: str | None = None
    event: str | None = None
    name: str = "label"
    revision: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0


_decode = msgspec.json.Decoder(_Received).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def receive_labels(store: Store, endpoint: str, body: bytes) -> tuple[int, bytes]:
    """Keep the labels of a request; returns the status and the body of the answer.

    200 with how many were `received` and how many of them `new`; 400 names the first that is wrong, by its place from
    0; 409 the first that contradicts what is known; 503 where the store is away. Then none of them is kept, and the
    same request may be sent again at any time.
    """
    try:
        labels = [_label(raw, place, endpoint) for place, raw in enumerate(_raw(body))]
        new = record_labels(store, labels)
    except AssayError as error:
        status = 409 if isinstance(error, Conflict) else 400 if isinstance(error, InvalidInput) else 503
        return status, _encode({"error": str(error)})
    return 200, _encode({"received": len(labels), "new": new})


def _raw(body: bytes) -> list[bytes]:
    try:
        if body.lstrip()[:1] == b"[":
            found = [bytes(one) for one in _decode_list(body)]
        else:
            found = [line for line in body.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the labels cannot be read: {error}", expected=_EXPECTED) from None
    if not 1 <= len(found) <= _MOST:
        raise InvalidInput(f"the request has {len(found):,} labels", expected=f"1 to {_MOST:,}")
    return found


def _label(raw: bytes, place: int, endpoint: str) -> Label | UnitLabel:
    try:
        one = _decode(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"label {place} was refused: {error}", expected=_EXPECTED) from None
    value = float(one.value)
    if one.prediction_id and one.unit is None and one.event is None:
        return Label(one.prediction_id, value, one.event_ts, one.revision, one.name)
    if one.unit and one.event and one.prediction_id is None:
        return UnitLabel(endpoint, one.unit, one.event, value, one.event_ts, one.revision, one.name)
    raise InvalidInput(f"label {place} says of nothing, or of two things, that it happened", expected=_EXPECTED)
