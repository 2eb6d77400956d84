"""All writing of a server in one thread: what waits goes into one transaction, each piece in a savepoint of its own.

SQLite lets in one writer at a time, so requests would only wait for each other's commits. Together they share one; a
piece that is refused is undone alone; nobody is answered before the commit.
"""

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from assay.errors import StoreUnavailable
from assay.record.store import Store
from assay.record.tracking.log_many import Logged, log_many

__all__ = ["Writer"]

Work = Callable[[Store], Any]
_MOST_TOGETHER = 256
# While several clients write, the next ones gather as long as the last commit took, within these bounds: writing takes
# half of the time at most, whatever the machine, and leaves room to answer.
_GATHER_S = (0.004, 0.008)


@dataclass(slots=True)
class _Piece:
    work: Work | Logged
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Any]"
    result: Any = None
    error: Exception | None = field(default=None)


class Writer:
    """Does pieces of work on a store, in the order in which they came. `close` does those that wait and ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="assay-writer", daemon=True)
        self._thread.start()

    async def do(self, work: Work | Logged) -> Any:
        """What the work returns, once it is committed; what it raises, once it is undone.

        Points of runs that wait beside each other are kept with the same few statements.
        """
        loop = asyncio.get_running_loop()
        piece = _Piece(work, loop, loop.create_future())
        self._waiting.put(piece)
        return await piece.answer

    def close(self) -> None:
        """End after what is waiting."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        pieces, going = self._next()
        runs: set[str] = set()
        ended = 0.0
        while pieces:
            started = time.monotonic()
            before, runs = runs, {piece.work.run_id for piece in pieces if isinstance(piece.work, Logged)}
            are_several = len(pieces) > 1 or (bool(before - runs) and started - ended < _GATHER_S[1])
            self._do(pieces)
            ended = time.monotonic()
            if not going:
                return
            if are_several:
                time.sleep(min(max(ended - started, _GATHER_S[0]), _GATHER_S[1]))
            pieces, going = self._next()

    def _next(self) -> tuple[list[_Piece], bool]:
        """What waits, at least one piece, and whether more may come."""
        pieces: list[_Piece] = []
        piece = self._waiting.get()
        while piece is not None:
            pieces.append(piece)
            if len(pieces) == _MOST_TOGETHER:
                break
            try:
                piece = self._waiting.get_nowait()
            except queue.Empty:
                break
        return pieces, piece is not None

    def _do(self, pieces: list[_Piece]) -> None:
        """Do pieces in one transaction, or each in its own where together they failed, and tell who waits."""
        try:
            self._commit(pieces)
        except Exception as error:  # noqa: BLE001 - whoever waits hears of it
            if len(pieces) > 1 and not isinstance(error, StoreUnavailable):
                for piece in pieces:  # nothing was kept, and most of them cannot help it
                    piece.result, piece.error = None, None
                    self._do([piece])
                return
            for piece in pieces:
                piece.error = piece.error or error
        by_loop: dict[asyncio.AbstractEventLoop, list[_Piece]] = {}
        for piece in pieces:
            by_loop.setdefault(piece.loop, []).append(piece)
        for loop, answered in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_answer, answered)

    def _commit(self, pieces: list[_Piece]) -> None:
        with self._store.transaction():
            for is_points, beside in itertools.groupby(pieces, lambda piece: isinstance(piece.work, Logged)):
                group = list(beside)
                if is_points:
                    self._keep_points(group)
                else:
                    self._do_each(group, len(pieces) == 1)

    def _do_each(self, pieces: list[_Piece], is_alone: bool) -> None:
        for piece in pieces:
            assert not isinstance(piece.work, Logged), "points are kept together"
            if is_alone:  # the transaction is its savepoint
                piece.result = piece.work(self._store)
                continue
            try:
                with self._store.savepoint():
                    piece.result = piece.work(self._store)
            except StoreUnavailable:
                raise  # nothing of the transaction can be kept
            except Exception as error:  # noqa: BLE001 - the answer to one, not to the others
                piece.error = error

    def _keep_points(self, pieces: list[_Piece]) -> None:
        with self._store.unguarded():
            errors = log_many(self._store, [piece.work for piece in pieces if isinstance(piece.work, Logged)])
        for piece, error in zip(pieces, errors, strict=True):
            piece.error = error


def _answer(pieces: list[_Piece]) -> None:
    for piece in pieces:
        if piece.answer.done():  # the client has gone
            continue
        if piece.error is not None:
            piece.answer.set_exception(piece.error)
        else:
            piece.answer.set_result(piece.result)
