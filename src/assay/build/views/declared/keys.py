"""Keys of entities: whole numbers, text, bytes, booleans and dates, in one width each, so that equal keys are equal."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import column, is_text
from assay.errors import InvalidInput

__all__ = ["check_same_keys", "key_type", "normalised_key"]

_MOST = 2**63


def normalised_key(table: pa.Table, name: str, of: str) -> pa.ChunkedArray:
    """A key column as int64, text, bytes, booleans or dates; `of` says in messages whose it is.

    Floats that are whole are numbers (pandas makes such of integers with gaps), NaN is null. InvalidInput for others.
    """
    values = column(table, name)
    kind = values.type
    if pa.types.is_null(kind):
        return values.cast(pa.int64())
    if pa.types.is_integer(kind):
        return _cast(values, pa.int64(), name, of)
    if pa.types.is_floating(kind):
        known = pc.if_else(
            pc.is_nan(values.cast(pa.float64())), pa.scalar(None, pa.float64()), values.cast(pa.float64())
        )
        broken = known.filter(pc.not_equal(known, pc.floor(known)))
        if len(broken) or pc.any(pc.greater_equal(pc.abs(known), float(_MOST))).as_py():
            shown = broken[0].as_py() if len(broken) else "larger than 64 bits"
            raise InvalidInput(f"the key {name!r} of {of} has the value {shown}", expected="whole numbers as keys")
        return _cast(known, pa.int64(), name, of)
    if is_text(kind):
        return values.cast(pa.large_string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return values.cast(pa.large_binary())
    if pa.types.is_boolean(kind):
        return values
    if pa.types.is_date(kind):
        return values.cast(pa.date32())
    raise InvalidInput(
        f"the key {name!r} of {of} is of type {kind}", expected="whole numbers, text, bytes, booleans or dates"
    )


def key_type(kind: pa.DataType) -> str:
    """The word for a normalised key type."""
    words = {pa.int64(): "whole numbers", pa.large_string(): "text", pa.large_binary(): "bytes"}
    return words.get(kind) or {pa.bool_(): "booleans", pa.date32(): "dates"}[kind]


def check_same_keys(
    names: Sequence[str], labels: Sequence[pa.DataType], view: Sequence[pa.DataType], called: str
) -> None:
    """InvalidInput, naming both types, where a key of the rows and of the view are of different kinds."""
    for name, asked, has in zip(names, labels, view, strict=True):
        if asked != has:
            raise InvalidInput(
                f"the key {name!r} is {key_type(asked)} in the rows and {key_type(has)} in {called!r}",
                expected="the same type in both",
                hint=f"cast the column of the rows to {key_type(has)}",
            )


def _cast(values: pa.ChunkedArray, kind: pa.DataType, name: str, of: str) -> pa.ChunkedArray:
    try:
        return values.cast(kind)
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"the key {name!r} of {of}: {error}", expected="whole numbers of 64 bits") from error
