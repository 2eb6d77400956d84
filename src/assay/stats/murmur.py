"""MurmurHash3 of many strings at once, without a loop over them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["murmur3_x86_32"]

Words = NDArray[np.uint32]

_C1, _C2 = np.uint32(0xCC9E2D51), np.uint32(0x1B873593)
_LITTLE = np.dtype("<u4")


def murmur3_x86_32(texts: "pa.StringArray | pa.LargeStringArray", prefix: bytes = b"", seed: int = 0) -> Words:
    """[n] the hashes of prefix + text in UTF-8, each as `mmh3.hash(prefix + text, seed, signed=False)`.

    MurmurHash3_x86_32 (Appleby, public domain): blocks of four bytes, little-endian. NumPy works on all texts of one
    length together, so it pays where there are far fewer lengths than texts. `texts` without nulls.
    """
    import pyarrow as pa

    wide = pa.types.is_large_string(texts.type)
    _, offsets, data = texts.buffers()
    count = len(texts)
    hashes = np.zeros(count, dtype=np.uint32)
    if not count:
        return hashes
    bounds = np.frombuffer(offsets, dtype=np.int64 if wide else np.int32)[texts.offset : texts.offset + count + 1]
    octets = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)
    starts, lengths = bounds[:-1].astype(np.int64), np.diff(bounds)
    order = np.argsort(lengths, kind="stable")
    distinct, first = np.unique(lengths[order], return_index=True)
    for length, rows in zip(distinct.tolist(), np.split(order, first[1:]), strict=True):
        hashes[rows] = _hash_of_length(octets, starts[rows], length, prefix, seed)
    return hashes


def _hash_of_length(
    octets: NDArray[np.uint8], starts: NDArray[np.int64], length: int, prefix: bytes, seed: int
) -> Words:
    size = len(prefix) + length
    padded = np.zeros((len(starts), -(-size // 4) * 4), dtype=np.uint8)  # zeros after the end are what the tail wants
    padded[:, : len(prefix)] = np.frombuffer(prefix, dtype=np.uint8)
    for place in range(length):
        padded[:, len(prefix) + place] = octets[starts + place]
    blocks = padded.view(_LITTLE).astype(np.uint32)
    state = np.full(len(starts), seed, dtype=np.uint32)
    whole = size // 4
    for block in range(whole):
        state ^= _mixed(blocks[:, block])
        state = _rotated(state, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    if size % 4:
        state ^= _mixed(blocks[:, whole])
    state ^= np.uint32(size)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        state ^= state >> np.uint32(shift)
        state *= np.uint32(factor)
    return state ^ state >> np.uint32(16)


def _mixed(block: Words) -> Words:
    return _rotated(block * _C1, 15) * _C2


def _rotated(values: Words, bits: int) -> Words:
    return values << np.uint32(bits) | values >> np.uint32(32 - bits)
