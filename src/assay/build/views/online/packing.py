"""Keys and rows as bytes: keys with a type and a length for each column, rows as MessagePack with a view's types."""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import mmh3
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.declared.keys import key_type
from assay.build.views.online.rows import KeptRow
from assay.errors import InvalidInput

__all__ = ["KeyPacker", "RowPacker", "python_rows", "revision_of"]

_WHOLE = struct.Struct(">cq").pack
_LEAST, _MOST = -(2**63), 2**63 - 1


def revision_of(data: bytes) -> int:
    """A number that stands for these bytes, never 0."""
    return mmh3.hash64(data)[0] or 1


class KeyPacker:
    """Keys of an entity as bytes; different keys are different bytes, whatever their values are."""

    def __init__(self, names: Sequence[str], types: Sequence[pa.DataType], called: str) -> None:
        self.names = list(names)
        self.called = called
        self.types = list(types)
        self._columns = [(name, _PACKERS[kind]) for name, kind in zip(names, types, strict=True)]
        self._only = self._columns[0][1] if len(self._columns) == 1 else None

    def pack(self, key: Sequence[object]) -> bytes | None:
        """The bytes of a key, None where a column of it is null. InvalidInput for a value of another type."""
        if len(key) != len(self.names):
            raise InvalidInput(f"the key {tuple(key)!r} has {len(key)} values", expected=", ".join(self.names))
        return self._pack(key)

    def of(self, row: Mapping[str, object]) -> bytes | None:
        """The bytes of the key in a row with the key's columns. InvalidInput where one of them is not there."""
        try:
            if self._only is not None and (packed := self._only(row[self.names[0]])) is not None:
                return packed
            return self._pack([row[name] for name in self.names])
        except KeyError as error:
            raise InvalidInput(
                f"a row has no {error.args[0]!r}, which is a key of {self.called!r}",
                where=f"it has {', '.join(row) or 'nothing'}",
                expected=", ".join(self.names),
            ) from None

    def of_table(self, rows: pa.Table) -> list[bytes]:
        """The bytes of the key of each row; none may be null."""
        keys = zip(*[rows.column(name).to_pylist() for name in self.names], strict=True)
        return cast("list[bytes]", [self._pack(key) for key in keys])

    def _pack(self, key: Sequence[object]) -> bytes | None:
        parts = []
        for (name, packer), value in zip(self._columns, key, strict=True):
            if value is None or value != value:  # noqa: PLR0124  NaN is what pandas makes of a gap
                return None
            packed = packer(value)
            if packed is None:
                kind = key_type(self.types[self.names.index(name)])
                raise InvalidInput(
                    f"the key {name!r} of {self.called!r} is {value!r}, a {type(value).__name__}", expected=kind
                )
            parts.append(packed)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _whole(value: object) -> bytes | None:
    if type(value) is int and _LEAST <= value <= _MOST:  # nearly always
        return _WHOLE(b"i", value)
    if isinstance(value, float | np.floating) and math.isfinite(value) and value == math.floor(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not _LEAST <= value <= _MOST:
        return None
    return _WHOLE(b"i", int(value))


def _text(value: object) -> bytes | None:
    if not isinstance(value, str):
        return None
    data = value.encode()
    return b"s%d:%b" % (len(data), data)


def _bytes(value: object) -> bytes | None:
    return b"b%d:%b" % (len(value), value) if isinstance(value, bytes) else None


def _flag(value: object) -> bytes | None:
    return (b"t" if value else b"f") if isinstance(value, bool | np.bool_) else None


def _date(value: object) -> bytes | None:
    if not isinstance(value, date) or isinstance(value, datetime):
        return None
    return b"d" + struct.pack(">i", value.toordinal())


_PACKERS: dict[pa.DataType, Callable[[object], bytes | None]] = {
    pa.int64(): _whole, pa.large_string(): _text, pa.large_binary(): _bytes, pa.bool_(): _flag, pa.date32(): _date,
}  # fmt: skip


class RowPacker:
    """Kept rows of one key as bytes, and back with the types of the view: times aware in UTC."""

    def __init__(self, types: Sequence[pa.DataType]) -> None:
        kinds = (int, int, int, *[_python_type(kind) for kind in types])
        row: Any = tuple.__class_getitem__(kinds)
        self.unpack: Callable[[bytes], list[KeptRow]] = msgspec.msgpack.Decoder(list[row]).decode
        self.pack: Callable[[Sequence[KeptRow]], bytes] = msgspec.msgpack.Encoder().encode


def python_rows(table: pa.Table, names: Sequence[str]) -> list[KeptRow]:
    """Rows in the one form of `history.py` as tuples: their three times and these columns, as `RowPacker` has them."""
    columns = [table.column(name).to_pylist() for name in (TS, CREATED, ARRIVAL)]
    columns += [_in_utc(table.column(name)).to_pylist() for name in names]
    return list(zip(*columns, strict=True))


def _in_utc(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times as whole microseconds in UTC, without a zone they are that already; other values as they are."""
    if not pa.types.is_timestamp(values.type):
        return values
    if values.type.unit == "ns":  # rounded down, on both sides of 1970
        values = pc.floor_temporal(values, unit="microsecond")
    return values.cast(pa.timestamp("us", values.type.tz)).cast(pa.timestamp("us", "UTC"))


def _python_type(kind: pa.DataType) -> Any:
    for is_kind, found in (
        (pa.types.is_boolean, bool),
        (pa.types.is_integer, int),
        (pa.types.is_floating, float),
        (pa.types.is_timestamp, datetime),
        (pa.types.is_date, date),
        (pa.types.is_duration, timedelta),
        (pa.types.is_decimal, Decimal),
        (pa.types.is_string, str),
        (pa.types.is_large_string, str),
        (pa.types.is_binary, bytes),
        (pa.types.is_large_binary, bytes),
        (pa.types.is_fixed_size_binary, bytes),
    ):
        if is_kind(kind):
            return found | None
    return _python_type(kind.value_type) if pa.types.is_dictionary(kind) else Any
