"""Whole numbers as bytes, small ones in one: LEB128, over arrays."""

import numpy as np

from assay.stats.grouping import Integers

__all__ = ["pack", "unpack"]

_MOST_BYTES = 9  # seven bits each: 63 bits
_MORE = 0x80


def pack(values: Integers) -> bytes:
    """Non-negative whole numbers below 2**63, seven bits a byte, lowest first; bit 8 says that more bytes follow."""
    if not len(values):
        return b""
    lengths = np.ones(len(values), dtype=np.int64)
    for size in range(1, _MOST_BYTES):
        lengths += values >= 1 << 7 * size
    starts = np.cumsum(lengths) - lengths
    out = np.zeros(int(lengths.sum()), dtype=np.uint8)
    for size in range(int(lengths.max())):
        longer = lengths > size
        septet = values[longer] >> 7 * size & 0x7F
        out[starts[longer] + size] = septet | np.where(lengths[longer] > size + 1, _MORE, 0)
    return out.tobytes()


def unpack(data: bytes) -> Integers:
    """The inverse of `pack`; ValueError for bytes that end within a number or hold one too long."""
    octets = np.frombuffer(data, dtype=np.uint8)
    if not len(octets):
        return np.zeros(0, dtype=np.int64)
    last = octets < _MORE
    if not last[-1]:
        raise ValueError("the bytes end within a number")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if int(lengths.max()) > _MOST_BYTES:
        raise ValueError("a number has more than 63 bits")
    values = np.zeros(len(ends), dtype=np.int64)
    for size in range(int(lengths.max())):
        longer = lengths > size
        values[longer] |= (octets[starts[longer] + size].astype(np.int64) & 0x7F) << 7 * size
    return values
