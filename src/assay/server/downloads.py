"""Blobs as answers, piece by piece: memory stays flat whatever their size. Ranges and ETags as HTTP has them.

The hash of a whole download is checked on the way, and its last piece is held back until it fits: a damaged file ends
the connection early instead of arriving as if it were whole.
"""

import asyncio
import hashlib
import re
from concurrent.futures import Executor
from typing import IO
from urllib.parse import quote

from assay.errors import Tampered
from assay.record.blobs import Blobs
from assay.server.bodies import Send

__all__ = ["send_blob"]

_PIECE_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")

Headers = list[tuple[bytes, bytes]]


async def send_blob(
    send: Send,
    threads: Executor,
    blobs: Blobs,
    digest: str,
    *,
    name: str,
    content_type: str,
    headers: dict[bytes, bytes],
) -> None:
    """Answer with a blob under a file's name. NotFound where its content is gone."""
    loop = asyncio.get_running_loop()
    file, size = await loop.run_in_executor(threads, _open, blobs, digest)
    with file:
        etag = f'"{digest}"'
        answer: Headers = [
            (b"content-type", content_type.encode()),
            (b"content-disposition", _disposition(name)),
            (b"x-content-type-options", b"nosniff"),
            (b"accept-ranges", b"bytes"),
            (b"etag", etag.encode()),
        ]
        if headers.get(b"if-none-match", b"").decode("latin-1") == etag:
            await _start(send, 304, 0, answer)
            await send({"type": "http.response.body", "body": b""})
            return
        wanted = _range(headers.get(b"range", b"").decode("latin-1"), size)
        if wanted is None:
            await _start(send, 200, size, answer)
            await _send_whole(send, threads, file, digest)
            return
        first, last = wanted
        if first > last:
            answer.append((b"content-range", f"bytes */{size}".encode()))
            await _start(send, 416, 0, answer)
            await send({"type": "http.response.body", "body": b""})
            return
        answer.append((b"content-range", f"bytes {first}-{last}/{size}".encode()))
        await _start(send, 206, last - first + 1, answer)
        await _send_part(send, threads, file, first, last - first + 1)


async def _send_whole(send: Send, threads: Executor, file: IO[bytes], digest: str) -> None:
    loop = asyncio.get_running_loop()
    seen = hashlib.sha256()
    held = b""
    while True:
        piece = await loop.run_in_executor(threads, file.read, _PIECE_BYTES)
        if not piece:
            break
        seen.update(piece)
        if held:
            await send({"type": "http.response.body", "body": held, "more_body": True})
        held = piece
    if seen.hexdigest() != digest:
        raise Tampered(f"the content of blob {digest[:12]} does not match its hash")
    await send({"type": "http.response.body", "body": held})


async def _send_part(send: Send, threads: Executor, file: IO[bytes], first: int, left: int) -> None:
    loop = asyncio.get_running_loop()
    file.seek(first)
    while left > 0:
        piece = await loop.run_in_executor(threads, file.read, min(left, _PIECE_BYTES))
        if not piece:
            break
        left -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": left > 0})


async def _start(send: Send, status: int, length: int, headers: Headers) -> None:
    if status != 304:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})


def _open(blobs: Blobs, digest: str) -> tuple[IO[bytes], int]:
    file = blobs.open(digest)
    size = file.seek(0, 2)
    file.seek(0)
    return file, size


def _range(text: str, size: int) -> tuple[int, int] | None:
    """First and last byte that are asked for, first beyond last where there is no such part, None for all."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:  # the last so many
        count = int(match[2])
        return (max(size - count, 0), size - 1) if count else (1, 0)
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    return (first, last) if first < size else (1, 0)


def _disposition(name: str) -> bytes:
    """`attachment` with the name, in the form that is right for it."""
    if re.fullmatch(r"[\w.\-+]+", name, re.ASCII):
        return f"attachment; filename={name}".encode()
    if name.isascii() and name.isprintable() and '"' not in name and "\\" not in name:
        return f'attachment; filename="{name}"'.encode()
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}".encode()
