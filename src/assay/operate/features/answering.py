"""`POST /features`: the features of entities as an endpoint's server reads them, for whoever has keys and no model."""

import math
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
import pyarrow as pa

from assay.build.views.declared.keys import key_type
from assay.build.views.online.store import OnlineStore, open_online
from assay.errors import InvalidInput
from assay.operate.features.elsewhere import elsewhere
from assay.operate.features.lookup import KEY_TYPES, is_remote
from assay.operate.features.reading import FeatureReader
from assay.record.clock import from_us
from assay.record.store import Store

__all__ = ["FeatureAnswers"]

_MOST = 10_000
_KEPT_READERS = 32
_FRESH_S = 5.0

_encode = msgspec.json.Encoder().encode


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    features: list[str]
    entities: list[dict[str, Any]]
    prefix: bool = False


class _Answer(msgspec.Struct):
    as_of: str
    values: list[dict[str, object]]
    status: list[dict[str, str]]
    ts: list[dict[str, str | None]]


class FeatureAnswers:
    """Answers requests. What reads a list of features is prepared once and kept for a while: a view that is named
    without a version is the newest one, and there may be a newer one by then.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._online: OnlineStore | None = None  # one for all readers, opened by the first
        self._readers: OrderedDict[tuple[bool, tuple[str, ...]], tuple[float, FeatureReader]] = OrderedDict()

    async def answer(self, body: bytes, now_us: int) -> bytes:
        """Values by name, and for each view the status and the time of the row used, for every entity in order.

        InvalidInput for what is no such request, NotFound for features that there are not.
        """
        try:
            request = msgspec.json.decode(body, type=_Request)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(
                f"the request was refused: {error}",
                expected='{"features": ["view:feature", ...], "entities": [{key: value, ...}, ...]}',
            ) from None
        if not 1 <= len(request.entities) <= _MOST:
            raise InvalidInput(f"the request has {len(request.entities)} entities", expected=f"1 to {_MOST}")
        reader = self._reader(request)
        entities = _with_keys(request.entities, reader.key_types)
        found = await elsewhere(is_remote(reader), reader.read, entities, now_us)
        ts = [_texts(one) for one in found.ts]
        return _encode(_Answer(from_us(found.now_us), found.values, found.status, ts))

    def close(self) -> None:
        """Release connections."""
        self._readers.clear()
        if self._online is not None:
            self._online.close()
            self._online = None

    def _reader(self, request: _Request) -> FeatureReader:
        key = (request.prefix, tuple(request.features))
        prepared, reader = self._readers.get(key, (-math.inf, None))
        if reader is None or time.monotonic() > prepared + _FRESH_S:
            if self._online is None:
                self._online = open_online(self._store)
            reader = FeatureReader(self._store, request.features, online=self._online, prefix=request.prefix)
            self._readers[key] = (time.monotonic(), reader)
            if len(self._readers) > _KEPT_READERS:
                self._readers.popitem(last=False)
        self._readers.move_to_end(key)
        return reader


def _with_keys(entities: Sequence[dict[str, Any]], types: Mapping[str, pa.DataType]) -> Sequence[Mapping[str, object]]:
    """JSON has neither dates nor bytes: such keys are texts in it. What else is wrong with a key the reader says."""
    texts = {name: KEY_TYPES[kind] for name, kind in types.items() if KEY_TYPES[kind] in (bytes, date)}
    for position, entity in enumerate(entities):
        for name in texts.keys() & entity.keys():
            try:
                entity[name] = msgspec.convert(entity[name], texts[name] | None)
            except ValueError:
                raise InvalidInput(
                    f"entity {position}: the key {name!r} is {entity[name]!r}", expected=key_type(types[name])
                ) from None
    return entities


def _texts(times: Mapping[str, int | None]) -> dict[str, str | None]:
    return {view: None if ts is None else from_us(ts) for view, ts in times.items()}
