"""Columns of a table by name, and what kind they are."""

import pyarrow as pa

from assay.errors import InvalidInput, nearest

__all__ = ["column", "is_number", "is_text"]


def column(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column, categories as what they stand for; InvalidInput where there is none of that name, or several.

    Text in views, which Polars gives, comes as plain text: not all of Arrow computes on views.
    """
    found = table.column_names.count(name)
    if found != 1:
        close = nearest(name, table.column_names)
        raise InvalidInput(
            f"the table has {'more than one' if found else 'no'} column {name!r}",
            expected=", ".join(table.column_names),
            hint=f"did you mean {close!r}?" if close and not found else None,
        )
    values = table.column(name)
    if pa.types.is_dictionary(values.type):
        kind = values.type.value_type
        if pa.types.is_string_view(kind):  # no cast leads from there
            return pa.chunked_array(
                [chunk.dictionary.cast(pa.large_string()).take(chunk.indices) for chunk in values.chunks]
            )
        return values.cast(kind)
    return values.cast(pa.large_string()) if pa.types.is_string_view(values.type) else values


def is_text(kind: pa.DataType) -> bool:
    """Whether values of the type are text; categories are not, as `column` gives what they stand for."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_number(kind: pa.DataType) -> bool:
    """Whether values of the type are whole numbers, floats or decimals; booleans are not."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
