"""Columns of strings as whole numbers: the distinct values, and which of them each row has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Categories", "Strings", "categorise", "not_text"]


class EncodedText(Protocol):
    """Text with its distinct values found, as an Arrow dictionary array: any column that can be encoded so."""

    def dictionary_encode(self) -> "EncodedText":
        """The same values as indices into distinct ones."""
        ...

    def __len__(self) -> int:
        """Rows."""
        ...


Strings = Sequence[str] | NDArray[np.str_] | NDArray[np.object_] | EncodedText


@dataclass(frozen=True, slots=True)
class Categories:
    """Distinct `values`, sorted, and for each row the position of its value in them (`codes`, int64)."""

    values: list[str]
    codes: NDArray[np.int64]


def categorise(column: Strings, name: str) -> Categories:
    """The categories of a column called `name` in messages.

    A dictionary, not a sort: on a million rows it takes a tenth of the time of `np.unique` on strings.
    InvalidInput, with the count and the first row, where a value is not a string or has no UTF-8 form.
    """
    if hasattr(column, "dictionary_encode"):
        return _encoded(column, name)
    rows: Sequence[str] = column.tolist() if isinstance(column, np.ndarray) else column
    try:
        values = sorted(dict.fromkeys(rows))
        "".join(values).encode()
    except (TypeError, UnicodeEncodeError):
        raise not_text(rows, name) from None
    position = {value: code for code, value in enumerate(values)}
    return Categories(values, np.fromiter(map(position.__getitem__, rows), np.int64, len(rows)))


def _encoded(column: "pa.Array | pa.ChunkedArray", name: str) -> Categories:
    """Arrow has found the distinct values already, in the order of the rows; here they are put in order."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        column = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
    column = column.dictionary_encode()
    values = column.dictionary.to_pylist()
    if column.null_count or not all(_is_text(value) for value in values):
        raise not_text(column.to_pylist(), name)
    codes = column.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    used = np.zeros(len(values), dtype=bool)
    used[codes] = True
    ordered = sorted({value for value, is_used in zip(values, used.tolist(), strict=True) if is_used})
    position = {value: place for place, value in enumerate(ordered)}
    new_codes = np.asarray([position.get(value, 0) for value in values], dtype=np.int64)
    return Categories(ordered, new_codes[codes] if len(values) else codes)


def not_text(rows: Sequence[object], name: str) -> InvalidInput:
    """The error that names how many of the rows are not strings with a UTF-8 form, and the first."""
    wrong = [row for row, value in enumerate(rows) if not _is_text(value)]
    return InvalidInput(
        f"{name}: {len(wrong)} of {len(rows)} values are not text; the first is {rows[wrong[0]]!r} in row {wrong[0]}",
        expected="strings, with a string of your own for a missing value",
    )


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
