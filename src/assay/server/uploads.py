"""Bodies of any size into blobs: to a file piece by piece, hashed on the way, under their hash at the end."""

import asyncio
from concurrent.futures import Executor

from assay.record.blobs import Blobs
from assay.server.bodies import Receive, chunks

__all__ = ["receive_blob"]

_PIECE_BYTES = 1024 * 1024  # so much is held in memory


async def receive_blob(blobs: Blobs, receive: Receive, threads: Executor) -> tuple[str, int]:
    """Keep the body of a request; its hash and size. What is torn on the way leaves nothing behind."""
    loop = asyncio.get_running_loop()
    with blobs.writer() as writer:
        piece = bytearray()
        async for chunk in chunks(receive):
            piece += chunk
            if len(piece) >= _PIECE_BYTES:
                await loop.run_in_executor(threads, writer.write, bytes(piece))
                piece.clear()
        await loop.run_in_executor(threads, writer.write, bytes(piece))
        digest = await loop.run_in_executor(threads, writer.keep)
        return digest, writer.size
