"""Predictions as Arrow tables: one schema for all that is read, written to parts and asked about.

All models of an endpoint share the columns of `SCHEMA`. `features` is a struct with a field for each input, a number or
a text; tables of models with other inputs have other fields, and together they have all of them, null where a model has
no such input. An input that is a number for one model and a text for another is a text where both stand together. The
inputs of a version that the store does not know are called f0, f1 and so on.
"""

import re
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.models.packaging import inputs_of
from assay.errors import AssayError
from assay.operate.predictions.prediction import LookedUp, Prediction
from assay.record.clock import from_us
from assay.record.models.registry import version_by_id
from assay.record.store import Store

__all__ = [
    "COLUMNS",
    "FEATURES",
    "SCHEMA",
    "Signatures",
    "empty_table",
    "prediction_table",
    "predictions_of",
    "put_together",
]

FEATURES = "features"

_TIME = pa.timestamp("us", "UTC")
_TEXT, _NUMBER, _WHOLE = pa.string(), pa.float64(), pa.int64()
SCHEMA = pa.schema(
    [
        ("id", _TEXT),
        ("ts", _TIME),
        ("event_ts", _TIME),
        ("moment", _TIME),  # event_ts, and where there is none ts
        ("day", pa.date32()),  # of the moment
        ("request_id", _TEXT),
        ("row", pa.int32()),
        ("endpoint", _TEXT),
        ("model", _TEXT),
        ("version", pa.int32()),
        ("mv_id", _TEXT),
        ("variant", _TEXT),
        ("revision", pa.int32()),
        ("role", _TEXT),
        ("reason", _TEXT),
        ("experiment", _TEXT),
        ("phase", pa.int32()),
        ("unit", _TEXT),
        ("propensity", _NUMBER),
        ("salt", _TEXT),
        ("hash_version", _TEXT),
        ("bucket", _WHOLE),
        ("output", _NUMBER),
        ("scores", pa.list_(_NUMBER)),
        ("status", _TEXT),
        ("error", _TEXT),
        ("latency_us", _WHOLE),
        ("flags", pa.map_(_TEXT, _TEXT)),
        ("looked_up", pa.binary()),  # MessagePack of a LookedUp
    ]
)
COLUMNS = (*SCHEMA.names, FEATURES)

_LOGGED = [name for name in Prediction.__struct_fields__ if name != FEATURES]
_pack = msgspec.msgpack.Encoder().encode
_UNNAMED = re.compile(r"f\d+")
_unpack = msgspec.msgpack.Decoder(LookedUp).decode


class Signatures:
    """The inputs of versions by id, as (name, whether it is a number); None for one that the store does not know."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, list[tuple[str, bool]] | None] = {}

    def of(self, mv_id: str) -> list[tuple[str, bool]] | None:
        """The inputs of a version."""
        if mv_id not in self._known:
            try:
                columns, _ = inputs_of(self._store, version_by_id(self._store, mv_id))
            except (AssayError, KeyError):  # its rows are logged all the same
                self._known[mv_id] = None
            else:
                self._known[mv_id] = [(column.name, column.is_number) for column in columns]
        return self._known[mv_id]


def prediction_table(
    predictions: Sequence[Prediction], signatures: Signatures, columns: Collection[str] = COLUMNS
) -> pa.Table:
    """A row for each prediction in their order; without `features` where no model has any."""
    schema = pa.schema([field for field in SCHEMA if field.name in columns])
    if not predictions:
        return schema.empty_table()
    made = {}
    for field in SCHEMA:
        if field.name in ("ts", "event_ts") or (field.name in columns and field.name not in ("moment", "day")):
            made[field.name] = _array(list(map(attrgetter(field.name), predictions)), field.type, field.name)
    made["moment"] = pc.coalesce(made["event_ts"], made["ts"])
    made["day"] = made["moment"].cast(pa.timestamp("us")).cast(pa.date32())
    table = pa.table([made[name] for name in schema.names], schema=schema)
    features = _features(predictions, signatures) if FEATURES in columns else None
    return table if features is None else table.append_column(FEATURES, features)


def predictions_of(table: pa.Table, signatures: Signatures) -> list[Prediction]:
    """What `prediction_table` was given."""
    if not table.num_rows:
        return []
    logged: dict[str, Any] = {name: table[name].to_pylist() for name in _LOGGED if name not in ("ts", "event_ts")}
    for name in ("ts", "event_ts"):
        logged[name] = [None if us is None else from_us(us) for us in table[name].cast(pa.int64()).to_pylist()]
    logged["looked_up"] = [None if one is None else _unpack(one) for one in logged["looked_up"]]
    logged["scores"] = [None if one is None else tuple(one) for one in logged["scores"]]
    logged["flags"] = [None if one is None else dict(one) for one in logged["flags"]]
    inputs = table[FEATURES].to_pylist() if FEATURES in table.column_names else [{}] * table.num_rows
    found = []
    for place, values in enumerate(inputs):
        row = {name: logged[name][place] for name in _LOGGED}
        names = _names(signatures, row["mv_id"], values)
        found.append(Prediction(**row, features=tuple(values[name] for name in names)))
    return found


def put_together(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables one behind the other, with the features of all of them behind the other columns."""
    if len(tables) == 1:
        return tables[0]
    others = tables[0].schema
    if FEATURES in others.names:
        others = others.remove(others.get_field_index(FEATURES))
    kinds = _kinds([table.schema.field(FEATURES).type for table in tables if FEATURES in table.column_names])
    return pa.concat_tables([_with_features(table, others, kinds) for table in tables])


def empty_table() -> pa.Table:
    """No predictions."""
    return SCHEMA.empty_table()


def _array(values: Sequence[Any], kind: pa.DataType, name: str) -> pa.Array:
    if kind == _TIME:
        return pa.array(values, _TEXT).cast(_TIME)
    if name == "flags":
        return pa.array([None if one is None else list(one.items()) for one in values], kind)
    if name == "looked_up":
        return pa.array([None if one is None else _pack(one) for one in values], kind)
    return pa.array(values, kind)


def _features(predictions: Sequence[Prediction], signatures: Signatures) -> pa.Array | None:
    places: dict[tuple[str, int], list[int]] = {}
    for place, one in enumerate(predictions):
        places.setdefault((one.mv_id, len(one.features)), []).append(place)
    parts = [
        _struct([predictions[place].features for place in own], signatures.of(mv_id))
        for (mv_id, _), own in places.items()
    ]
    kinds = _kinds([part.type for part in parts])
    if not kinds:
        return None
    together = pa.concat_arrays([_aligned(part, kinds) for part in parts])
    if len(parts) == 1:
        return together
    return together.take(pa.array(np.argsort(np.concatenate([*places.values()]), kind="stable")))


def _kinds(structs: Sequence[pa.StructType]) -> dict[str, pa.DataType]:
    """The fields of all of them; text where they do not agree."""
    kinds: dict[str, pa.DataType] = {}
    for struct in structs:
        for field in struct:
            kinds[field.name] = field.type if kinds.get(field.name, field.type) == field.type else _TEXT
    return kinds


def _struct(rows: list[tuple[str | float | None, ...]], inputs: list[tuple[str, bool]] | None) -> pa.StructArray:
    columns = list(zip(*rows, strict=True))
    if inputs is None or len(inputs) != len(columns):
        inputs = [
            (f"f{place}", not any(isinstance(one, str) for one in column)) for place, column in enumerate(columns)
        ]
    arrays = []
    for column, (_, is_number) in zip(columns, inputs, strict=True):
        try:
            arrays.append(pa.array(column, _NUMBER if is_number else _TEXT))
        except pa.ArrowException:  # a policy may pass on what breaks the signature
            arrays.append(pa.array([one if one is None else str(one) for one in column], _TEXT))
    if not arrays:
        return pa.array([{}] * len(rows), pa.struct([]))
    return pa.StructArray.from_arrays(arrays, names=[name for name, _ in inputs])


def _with_features(table: pa.Table, others: pa.Schema, kinds: dict[str, pa.DataType]) -> pa.Table:
    whole = table.select(others.names).cast(others)  # what was read from Parquet has other names inside lists
    if not kinds:
        return whole
    kind = pa.struct(list(kinds.items()))
    if FEATURES not in table.column_names:
        return whole.append_column(FEATURES, pa.nulls(table.num_rows, kind))
    chunks = [_aligned(chunk, kinds) for chunk in table[FEATURES].chunks]
    return whole.append_column(FEATURES, pa.chunked_array(chunks, kind))


def _aligned(features: pa.StructArray, kinds: dict[str, pa.DataType]) -> pa.StructArray:
    own = {field.name for field in features.type}
    arrays = [
        features.field(name).cast(kind) if name in own else pa.nulls(len(features), kind)
        for name, kind in kinds.items()
    ]
    return pa.StructArray.from_arrays(arrays, fields=[pa.field(name, kind) for name, kind in kinds.items()])


def _names(signatures: Signatures, mv_id: str, values: dict[str, Any]) -> list[str]:
    """The inputs of a version in their order."""
    known = signatures.of(mv_id)
    if known is not None and all(name in values for name, _ in known):
        return [name for name, _ in known]
    return sorted((name for name in values if _UNNAMED.fullmatch(name)), key=lambda name: int(name[1:]))
