"""Features of entities from the command line, and over Assay's own API."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any

import msgspec
import pyarrow as pa

from assay.build.views.declared.keys import key_type
from assay.errors import InvalidInput, nearest
from assay.operate.features.reading import FeatureReader
from assay.operation import operation
from assay.record.clock import from_us, to_us
from assay.record.store import Store

__all__ = ["EntityFeatures", "FeatureAnswer", "get_features"]


class EntityFeatures(msgspec.Struct, frozen=True):
    """The features of an entity. For each view whether it has a row, and the time of that row."""

    entity: dict[str, Any]
    values: dict[str, Any]
    status: dict[str, str]
    ts: dict[str, str | None]


class FeatureAnswer(msgspec.Struct, frozen=True):
    """Features as they are served at a moment, of each entity that was asked for."""

    now: str
    entities: list[EntityFeatures]


@operation("features get")
def get_features(
    store: Store,
    features: list[str],
    *,
    entity: Annotated[
        list[str], "An entity by its keys, as carrier=UA or day=5,origin=JFK, or as JSON; may be said several times"
    ] = [],  # noqa: B006 - read only
    now: Annotated[str | None, "At this moment, as 2013-04-01T09:30:00Z, instead of now"] = None,
    prefix: Annotated[bool, "Call features view__feature"] = False,
) -> FeatureAnswer:
    """Read features of entities as they are served, such as flights:delay_7d or weather:*.

    NotFound for a view that there is not, InvalidInput for a feature or key that it has not.
    """
    named = [one for text in features for one in text.split(",") if one]
    if not entity:
        raise InvalidInput("no entity is named", hint="--entity KEY=VALUE names one")
    reader = FeatureReader(store, named, prefix=prefix)
    try:
        rows = [_entity(text, reader.key_types) for text in entity]
        found = reader.read(rows, None if now is None else _moment(now))
    finally:
        reader.close()
    return FeatureAnswer(
        from_us(found.now_us),
        [
            EntityFeatures(row, values, status, {name: None if us is None else from_us(us) for name, us in ts.items()})
            for row, values, status, ts in zip(rows, found.values, found.status, found.ts, strict=True)
        ],
    )


def _entity(text: str, types: Mapping[str, pa.DataType]) -> dict[str, Any]:
    """The keys that a text names, with their types; JSON is taken as it is, but for days and bytes."""
    if text.lstrip().startswith("{"):
        try:
            given = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise InvalidInput(f"the entity {text!r} is no JSON object: {error}", expected=_example(types)) from None
    else:
        pairs = [part.partition("=") for part in text.split(",")]
        if not all(mark for _, mark, _ in pairs):
            raise InvalidInput(f"the entity {text!r} cannot be read", expected=_example(types))
        given = {name.strip(): value for name, _, value in pairs}
    for name in given:
        if name not in types:
            close = nearest(name, list(types))
            raise InvalidInput(
                f"{name!r} is no key of these features",
                expected=", ".join(types),
                hint=f"did you mean {close!r}?" if close else None,
            )
    return {
        name: _typed(value, types[name], name) if isinstance(value, str) else value for name, value in given.items()
    }


def _typed(text: str, kind: pa.DataType, name: str) -> object:
    try:
        if kind == pa.int64():
            return int(text)
        if kind == pa.date32():
            return date.fromisoformat(text)
        if kind == pa.bool_():
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise InvalidInput(f"the key {name!r} is {text!r}", expected=key_type(kind)) from None
    return text.encode() if kind == pa.large_binary() else text


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"the moment {text!r} cannot be read", expected="2013-04-01T09:30:00Z") from None
    return to_us(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def _example(types: Mapping[str, pa.DataType]) -> str:
    return ",".join(f"{name}=..." for name in types)
