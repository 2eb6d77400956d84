"""Where a row falls: a number for each row that its key and a seed decide, whatever stands beside it in the table."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data import columns
from assay.errors import InvalidInput
from assay.stats.buckets import mixed_bits, text_hashes

__all__ = ["codes_of", "joined", "names_of", "numbers_of", "positions_of"]

_BETWEEN = "\x1f"  # the unit separator: no text that people write holds it
_GOLDEN = 0x9E3779B97F4A7C15


def numbers_of(table: pa.Table, key: Sequence[str], purpose: str, seed: int) -> NDArray[np.float64]:
    """[rows] in [0, 1): murmur3_x86_32 of purpose, seed and key; without a key, splitmix64 of the row's place.

    The purpose keeps apart what must not hang together: a split by the hash that evaluations draw their buckets by
    would leave them only some of the buckets. InvalidInput for rows without a key, and columns that have no text.
    """
    if not key:
        return positions_of(table.num_rows, purpose, seed)
    texts = pc.binary_join_element_wise(f"{purpose}:{seed}", joined(table, key), ":")
    return text_hashes(texts.dictionary_encode()) / 2.0**32


def positions_of(count: int, purpose: str, seed: int) -> NDArray[np.float64]:
    """[count] in [0, 1), by the place in the table alone."""
    salt = int(text_hashes(pa.array([f"{purpose}:{seed}"]))[0]) * _GOLDEN & 2**64 - 1
    mixed = mixed_bits(mixed_bits(np.arange(count, dtype=np.uint64)) ^ np.uint64(salt))
    numbers: NDArray[np.float64] = (mixed >> np.uint64(11)) / 2.0**53
    return numbers


def joined(table: pa.Table, key: Sequence[str]) -> pa.ChunkedArray:
    """The key of each row as one text. InvalidInput where a row has none, and for columns that have no text."""
    parts = []
    for name in key:
        values = columns.column(table, name)
        if values.null_count:
            raise InvalidInput(
                f"{values.null_count:,} of {table.num_rows:,} rows have no {name!r}",
                expected="a value in every row, to say where it belongs",
                hint="leave those rows out, or fill the column",
            )
        try:
            parts.append(values.cast(pa.string()))
        except pa.ArrowException as error:
            raise InvalidInput(f"column {name!r} of type {values.type} tells no rows apart") from error
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, _BETWEEN)


def codes_of(table: pa.Table, names: Sequence[str]) -> tuple[NDArray[np.int64], pa.Table]:
    """[rows] a number for each combination of values, and the combinations in that order; null is a value.

    Numbers do not depend on the order of rows: combinations are sorted by their text.
    """
    texts = pa.table(
        {
            str(place): pc.fill_null(columns.column(table, name).cast(pa.string()), "missing")
            for place, name in enumerate(names)
        }
    )
    codes = np.zeros(table.num_rows, dtype=np.int64)
    values = []
    for column in texts.columns:
        encoded = column.combine_chunks().dictionary_encode()
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        order = np.argsort(encoded.dictionary.to_numpy(zero_copy_only=False).astype(str), kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        codes = codes * max(len(order), 1) + rank[encoded.indices.to_numpy()]
        values.append(encoded.dictionary.take(pa.array(order)))
    found, codes = np.unique(codes, return_inverse=True)
    listed = []
    for column in reversed(values):
        listed.append(column.take(pa.array(found % max(len(column), 1))))
        found = found // max(len(column), 1)
    return codes, pa.table(dict(zip(names, reversed(listed), strict=True)))


def names_of(given: str | Sequence[str] | None) -> list[str]:
    """One name or several as a list."""
    return [] if given is None else [given] if isinstance(given, str) else list(given)
