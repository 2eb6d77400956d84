"""An append-only file of one writer: what it says is on disk before it is anywhere else.

A frame is the length of its content and a CRC-32 (4 bytes each, little-endian), then the content. What a killed
process left half-written at the end is cut off at the last whole frame. The file is locked while its writer lives, so
that others can tell what was left behind. Works on network folders: there is one file a writer.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from assay.record.faults import storage_faults

__all__ = ["Journal", "frame", "whole_frames"]

_HEAD = struct.Struct("<II")
_LONGEST = 1 << 30


def frame(content: bytes) -> bytes:
    """The content as it stands in a journal."""
    return _HEAD.pack(len(content), zlib.crc32(content)) + content


def whole_frames(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each whole frame's content and where it ends; stops at one that is torn or damaged."""
    position = 0
    while position + _HEAD.size <= len(data):
        length, check = _HEAD.unpack_from(data, position)
        end = position + _HEAD.size + length
        if length > _LONGEST or end > len(data):
            return
        content = data[position + _HEAD.size : end]
        if zlib.crc32(content) != check:
            return
        position = end
        yield content, end


class Journal:
    """A journal that this process holds. One thread at a time.

    `lost` is how many bytes at the end were no whole frame when it was opened.
    """

    def __init__(self, path: Path, *, flush_to_disk: bool = False) -> None:
        """Open or make the file and lock it; BlockingIOError where another process holds it."""
        self.path = path
        self._flush = flush_to_disk
        with storage_faults(str(path.parent)):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._handle)
            raise
        whole = 0
        for _, end in whole_frames(path.read_bytes()):
            whole = end
        self.size = whole
        self.lost = os.fstat(self._handle).st_size - whole
        if self.lost:
            os.ftruncate(self._handle, whole)

    def append(self, frames: bytes) -> None:
        """Write whole frames; when it returns they survive a killed process, with `flush_to_disk` a power cut too.

        OSError as the disk reports it; then nothing of it stays in the file.
        """
        written = 0
        try:
            while written < len(frames):
                written += os.write(self._handle, frames[written:])
        except OSError:
            os.ftruncate(self._handle, self.size)
            raise
        if self._flush:
            os.fdatasync(self._handle)
        self.size += written

    def read(self, start: int, most: int) -> bytes:
        """Whole frames from `start` on: about `most` bytes, but at least one frame where there is one."""
        data = os.pread(self._handle, min(most, self.size - start), start)
        end = 0
        for _, end in whole_frames(data):  # noqa: B007 - the last one counts
            pass
        if end == 0 and len(data) >= _HEAD.size:
            length, _ = _HEAD.unpack_from(data)
            return os.pread(self._handle, _HEAD.size + length, start)
        return data[:end]

    def clear(self) -> None:
        """Forget everything: it is kept elsewhere."""
        os.ftruncate(self._handle, 0)
        self.size = 0

    def close(self, *, remove: bool = False) -> None:
        """Let go of the file, and take it away where nothing is left to send."""
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._handle)
