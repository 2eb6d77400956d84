"""The inputs of a model that a server looks up itself, by the keys that a request brings."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, TypeAlias

import msgspec
import pyarrow as pa

from assay.build.models.packaging import LoadedModel
from assay.build.views.registry.registered import find_view
from assay.errors import AssayError, InvalidInput, StoreMismatch, StoreUnavailable, Tampered
from assay.operate.features.reading import Answer, FeatureReader
from assay.operate.predictions.prediction import LookedUp, ViewRead
from assay.record.store import Store

__all__ = ["KEY_TYPES", "Lookup", "RequestKey", "Value", "as_input", "is_remote"]

Value: TypeAlias = str | float | None
_WHOLE = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
KEY_TYPES: dict[pa.DataType, Any] = {
    pa.int64(): _WHOLE,
    pa.large_string(): str,
    pa.large_binary(): bytes,  # base64 in JSON
    pa.bool_(): bool,
    pa.date32(): date,
}


class RequestKey(msgspec.Struct, frozen=True):
    """A key column that a row of a request brings. `type` is what JSON is read as, `words` what it is for people."""

    name: str
    type: Any
    words: str
    needed_by: tuple[str, ...]


class Lookup:
    """Reads the stored features of a model's rows, all rows and views of a request at once; for many threads.

    What a row brings itself is kept. A row is a tuple of the model's columns in their order, then of those `keys` that
    are no columns, with UNSET where the request has nothing.
    """

    def __init__(self, store: Store, model: LoadedModel) -> None:
        """Prepare reading. NotFound or Tampered for a view version that this store does not have as it was."""
        columns = [column.name for column in model.columns]
        self.looked_up = frozenset(one.input for one in model.features)
        self.keys = _keys(store, model)
        wanted = [f"{one.reference}:{one.feature}" for one in model.features]
        self._reader = FeatureReader(store, wanted, prefix=True)
        self.is_remote = is_remote(self._reader)
        beside = [key.name for key in self.keys if key.name not in columns]
        places = {name: place for place, name in enumerate([*columns, *beside])}
        self._width = len(columns)
        self._keys = [(key.name, places[key.name]) for key in self.keys]
        numbers = {column.name: column.is_number for column in model.columns}
        self._inputs = [
            (places[one.input], one.input, f"{one.view}__{one.feature}", one.reference, numbers[one.input])
            for one in model.features
        ]
        self._views = list(dict.fromkeys(one.reference for one in model.features))
        self._number_keys = [place for name, place in self._keys if numbers.get(name)]

    def filled(self, rows: Sequence[tuple[Any, ...]], now_us: int) -> tuple[list[tuple[Value, ...]], list[LookedUp]]:
        """The rows as the model takes them, and what is to be logged about each.

        StoreUnavailable where the features cannot be read, StoreMismatch where they are of another type.
        """
        entities = [
            {name: None if row[place] is msgspec.UNSET else row[place] for name, place in self._keys} for row in rows
        ]
        if any(msgspec.UNSET in row[: self._width] for row in rows):
            answer = self._read(entities, now_us)
            found = zip(rows, entities, answer.values, answer.status, answer.ts, strict=True)
        else:  # nothing is left to be looked up
            found = zip(rows, entities, *[[{}] * len(rows)] * 3, strict=True)
        full, read = [], []
        for row, entity, values, status, ts in found:
            made = list(row[: self._width])
            given = []
            for place in self._number_keys:
                made[place] = None if made[place] is None else float(made[place])
            for place, name, output, reference, is_number in self._inputs:
                if made[place] is msgspec.UNSET:
                    made[place] = as_input(values[output], is_number, output, reference)
                else:
                    given.append(name)
            full.append(tuple(made))
            views = tuple([ViewRead(view, said, ts[view]) for view, said in status.items()])
            keys = {name: str(key) if isinstance(key, date) else key for name, key in entity.items()}
            read.append(LookedUp(now_us, keys, views, tuple(given)))
        return full, read

    def _read(self, entities: Sequence[Mapping[str, object]], now_us: int) -> Answer:
        try:
            return self._reader.read(entities, now_us)
        except InvalidInput:
            raise
        except (AssayError, OSError) as error:
            said = error.what if isinstance(error, AssayError) else str(error)
            raise StoreUnavailable(
                f"the features of {', '.join(self._views)} cannot be read: {said}",
                hint="no row was answered; the request may be sent again",
            ) from error

    def close(self) -> None:
        """Release connections; nothing can be read any more."""
        self._reader.close()

    def values(self, row: Sequence[Value]) -> dict[str, Value]:
        """The inputs that can be looked up, by name, of a row as the model takes it."""
        return {name: row[place] for place, name, *_ in self._inputs}


def is_remote(reader: FeatureReader) -> bool:
    """Whether reading goes over a network, and so is better waited for than done."""
    return "://" in reader.online.location


def as_input(value: object, is_number: bool, output: str, reference: str) -> Value:
    """A stored value as training gives it to the model."""
    if value is None:
        return None
    if not is_number:
        if isinstance(value, str):
            return value
    elif not isinstance(value, str | bytes | date):
        found = float(value)  # type: ignore[arg-type] # whole numbers, floats, booleans, decimals
        return None if math.isnan(found) else found
    raise StoreMismatch(
        f"{output} of {reference} is {type(value).__name__} in the online store",
        expected="a number" if is_number else "text",
        hint="materialize the view again",
    )


def _keys(store: Store, model: LoadedModel) -> tuple[RequestKey, ...]:
    kinds: dict[str, tuple[pa.DataType, str]] = {}
    needed: dict[str, list[str]] = {}
    for one in model.features:
        version = find_view(store, one.reference)
        if version.hash != one.hash:
            raise Tampered(
                f"{one.reference} is not what {model.name} was trained with",
                expected=f"hash {one.hash[:12]}, the version has {version.hash[:12]}",
            )
        for name in one.entity:
            kind = version.declared.rows_schema.field(name).type
            known, of = kinds.setdefault(name, (kind, one.reference))
            if known != kind:
                raise InvalidInput(f"the key {name!r} is {known} in {of} and {kind} in {one.reference}")
            needed.setdefault(name, []).append(one.input)
    return tuple(
        RequestKey(name, KEY_TYPES[kind], _words(kind), tuple(needed[name])) for name, (kind, _) in kinds.items()
    )


def _words(kind: pa.DataType) -> str:
    words = {pa.int64(): "a whole number", pa.bool_(): "true or false", pa.date32(): "a date such as 2013-04-01"}
    return words.get(kind, "text" if kind == pa.large_string() else "bytes in base64")
