"""Versions that see each request after its answer, and whose own answers are only logged.

They work in a thread that stands back behind the others. Nothing that they do reaches an answer: what they cannot keep
up with is lost to them and counted, what they raise is logged.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from assay.errors import AssayError
from assay.operate.predictions.prediction import Prediction
from assay.operate.serving.batching import Batches, Overloaded
from assay.operate.serving.counting import Counting
from assay.operate.serving.predicting import ModelFailed, Predicting, Rows
from assay.operate.serving.recording import Part, Work

__all__ = ["Shadows"]

_MOST_ROWS = 10_000
_NICENESS = 10


class Shadows:
    """Asks shadows; for one event loop. At most `most_rows` wait, others are lost.

    `write` puts records into the log.
    """

    def __init__(
        self,
        write: Callable[[list[Prediction]], None],
        counting: Counting,
        *,
        most_rows: int = _MOST_ROWS,
        timeout_s: float = 30.0,
    ) -> None:
        self._write = write
        self._counting = counting
        self._batches = Batches(most_rows=most_rows, timeout_s=timeout_s, niceness=_NICENESS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._said_s = 0.0

    def offer(self, shadows: Sequence[Predicting], rows: Rows, work: Work, now_us: int) -> None:
        """Ask each of them for the rows of a request, later. Never raises, never waits."""
        for predicting in shadows:
            if self._batches.waiting_rows + len(rows) > self._batches.most_rows or self._batches.is_stuck:
                self._counting.counted.shadow_rows_lost += len(rows)
                continue
            task = asyncio.get_running_loop().create_task(self._ask(predicting, rows, work, now_us))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drain(self, seconds: float) -> None:
        """Wait until they have answered what they were asked, but not longer than so many seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def close(self) -> None:
        """End the thread."""
        self._batches.close()

    async def _ask(self, predicting: Predicting, rows: Rows, work: Work, now_us: int) -> None:
        began = time.perf_counter_ns()
        part = Part(predicting, range(len(rows)), predicting.rows_of(rows))
        try:
            if predicting.lookup is not None:
                part.rows, part.looked_up = await asyncio.to_thread(predicting.lookup.filled, part.rows, now_us)
            if any(map(predicting.lacks, part.rows)):
                part.failure = "the request has not all columns that it takes"
            else:
                part.outputs = await self._batches.predict(predicting, part.rows)
        except Overloaded:
            self._counting.counted.shadow_rows_lost += len(rows)
            return
        except (ModelFailed, AssayError) as error:
            part.failure = str(error)
        if part.failure:
            part.rows = [tuple([None if value is msgspec.UNSET else value for value in row]) for row in part.rows]
        part.model_ns = time.perf_counter_ns() - began
        try:
            self._write(work.records(part, "shadow", part.model_ns // 1000))
        except AssayError as error:  # the answers are in the log already; these rows are not
            self._counting.counted.shadow_rows_lost += len(rows)
            self._say(f"a shadow's predictions were not logged: {error}")
            return
        self._counting.add(part.key("shadow"), len(rows), part.model_ns, part.model_ns)

    def _say(self, text: str) -> None:
        if time.monotonic() > self._said_s:  # once a minute
            self._said_s = time.monotonic() + 60
            sys.stderr.write(text + "\n")
