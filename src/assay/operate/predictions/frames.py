"""Frames: how records stand in a segment of the log, and where whole ones end.

A frame is the length of the payload (4 bytes, little-endian), the CRC-32 of it (4 bytes) and the payload, MessagePack
of a `Prediction` or of a `Gap`. Nobody reads on behind a frame that is not whole; zeros are space that was set aside.
"""

import struct
import zlib
from collections.abc import Iterator

__all__ = ["HEADER_BYTES", "continues", "counted", "framed", "frames", "is_gap"]

_HEADER = struct.Struct("<II")
HEADER_BYTES = _HEADER.size
_RECORD_START = b"\xdc\x00"  # MessagePack of an array with 16 to 255 fields; cannot occur inside UTF-8 text


def framed(payload: bytes) -> bytes:
    """The payload with its length and checksum in front of it."""
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def is_gap(payload: memoryview) -> bool:
    """Whether it is a `Gap`, which is a map, and no prediction, which is an array."""
    return payload[0] & 0xF0 == 0x80  # a map with up to 15 entries


def frames(content: memoryview) -> Iterator[tuple[memoryview, int]]:
    """Payload and end of every frame up to the first that is not whole. An empty one is never written."""
    start, size = 0, len(content)
    while start + _HEADER.size < size:
        length, checksum = _HEADER.unpack_from(content, start)
        end = start + _HEADER.size + length
        if not length or end > size:
            return
        payload = content[start + _HEADER.size : end]
        if zlib.crc32(payload) != checksum:
            return
        yield payload, end
        start = end


def counted(content: bytes) -> tuple[int, int]:
    """How many predictions stand in whole frames, and where the last frame ends."""
    count, end = 0, 0
    for payload, end in frames(memoryview(content)):  # noqa: B007 - the last end is the answer
        count += not is_gap(payload)
    return count, end


def continues(content: bytes, bad: int) -> bool:
    """Whether a whole frame follows somewhere behind the bad one that starts there."""
    view = memoryview(content)
    start = content.find(_RECORD_START, bad + _HEADER.size + 1)
    while start >= 0:
        if next(frames(view[start - _HEADER.size :]), None) is not None:
            return True
        start = content.find(_RECORD_START, start + 1)
    return False
