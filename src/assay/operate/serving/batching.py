"""Greedy batches: whatever waits when the model is free is answered by one call. Nobody waits for a batch to fill.

Only models that are slow enough come here. A call goes to a thread, so that the server answers other things meanwhile.
"""

import asyncio
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from assay.operate.serving.predicting import ModelFailed, Outputs, Predicting, Rows

__all__ = ["Batches", "Overloaded"]

_MOST_ROWS = 4096  # in one call
_STUCK = 3  # threads that were given up before no more are begun


class Overloaded(Exception):
    """There is no answer in time; it is worth while to ask again after `seconds`."""

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text)
        self.seconds = seconds


class _Waiting(NamedTuple):
    predicting: Predicting
    rows: Rows
    done: "asyncio.Future[Outputs]"


class Batches:
    """Answers slow variants one batch at a time; for one event loop.

    At most `most_rows` wait. A call that takes longer than `timeout_s` is given up: a thread cannot be stopped, so it
    is left behind and another goes on. `is_stuck` says that too many were, and that the process had better be replaced.
    `niceness` is how far the thread stands back behind the others of this machine.
    """

    def __init__(self, *, most_rows: int = 100_000, timeout_s: float = 30.0, niceness: int = 0) -> None:
        self.most_rows = most_rows
        self.timeout_s = timeout_s
        self.waiting_rows = 0
        self.left_behind = 0
        self._niceness = niceness
        self._waiting: deque[_Waiting] = deque()
        self._thread = self._new_thread()
        self._running: asyncio.Task[None] | None = None
        self._free_at = 0.0  # when the call under way is expected to end

    @property
    def is_stuck(self) -> bool:
        """Whether calls of a model went on for ever and too many threads are lost to them."""
        return self.left_behind >= _STUCK

    def seconds_ahead(self, predicting: Predicting) -> float:
        """How long a request that comes now is expected to wait for its answer."""
        calls = math.ceil((self.waiting_rows + 1) / _MOST_ROWS)
        return max(0.0, self._free_at - time.monotonic()) + calls * predicting.seconds

    async def predict(self, predicting: Predicting, rows: Rows, deadline_s: float = math.inf) -> Outputs:
        """One number for each row, together with what else waits. ModelFailed, or at once Overloaded where an answer is
        not expected within `deadline_s`.

        Where a call for several requests fails, each of them is tried alone: one that the model cannot bear harms no
        other.
        """
        if self.waiting_rows + len(rows) > self.most_rows or self.is_stuck:
            raise Overloaded(f"{self.waiting_rows} rows wait for {predicting.name}", self.seconds_ahead(predicting))
        ahead = self.seconds_ahead(predicting)
        if ahead > deadline_s:
            raise Overloaded(f"an answer would take {ahead:.3g} s, and {deadline_s:.3g} s are given", ahead)
        done: asyncio.Future[Outputs] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(predicting, rows, done))
        self.waiting_rows += len(rows)
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())
        return await done

    def close(self) -> None:
        """Let the thread end; call it when nothing waits any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = self._next()
                if batch:
                    await self._answer(batch)
        finally:
            self._running = None

    def _next(self) -> list[_Waiting]:
        """What waits for the variant that is first in the queue; without those who have gone."""
        batch: list[_Waiting] = []
        others: list[_Waiting] = []
        count = 0
        while self._waiting:
            one = self._waiting.popleft()
            if one.done.done():  # its connection was closed
                self.waiting_rows -= len(one.rows)
            elif batch and (one.predicting is not batch[0].predicting or count + len(one.rows) > _MOST_ROWS):
                others.append(one)
            else:
                batch.append(one)
                count += len(one.rows)
        self._waiting.extend(others)
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        predicting = batch[0].predicting
        rows = batch[0].rows if len(batch) == 1 else [row for one in batch for row in one.rows]
        try:
            outputs = await self._call(predicting, rows)
        except ModelFailed as error:
            self.waiting_rows -= len(rows)
            await self._alone(batch, error)
            return
        self.waiting_rows -= len(rows)
        start = 0
        for one in batch:
            end = start + len(one.rows)
            scores = outputs.scores[start:end] if outputs.scores else None
            if not one.done.done():
                one.done.set_result(Outputs(outputs.numbers[start:end], scores))
            start = end

    async def _alone(self, batch: list[_Waiting], error: ModelFailed) -> None:
        for one in batch:
            if one.done.done():
                continue
            try:
                if len(batch) == 1 or self.is_stuck:
                    raise error
                outputs = await self._call(one.predicting, one.rows)
            except ModelFailed as own:
                if not one.done.done():
                    one.done.set_exception(own)
            else:
                if not one.done.done():
                    one.done.set_result(outputs)

    async def _call(self, predicting: Predicting, rows: Rows) -> Outputs:
        self._free_at = time.monotonic() + predicting.seconds
        call = asyncio.get_running_loop().run_in_executor(self._thread, predicting.predict, rows)
        try:
            return await asyncio.wait_for(call, self.timeout_s)
        except TimeoutError:
            self.left_behind += 1
            self._thread.shutdown(wait=False)
            self._thread = self._new_thread()
            raise ModelFailed(f"no answer in {self.timeout_s:g} s") from None

    def _new_thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, thread_name_prefix="predictions", initializer=_stand_back(self._niceness))


def _stand_back(niceness: int) -> Callable[[], None]:
    def begin() -> None:
        if niceness and hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)  # of this thread alone, on Linux

    return begin
