"""A request that is there as a whole is answered in the turn of the loop in which it came, without a task of its own.

Uvicorn makes a task for each, which runs a turn later. What has to wait goes on as such a task, and so does what comes
in a turn behind many others: it stands in line, where it is turned away if the line is too long.
"""

import types
from collections.abc import Coroutine, Generator
from typing import Any

from assay.one_write import OneWriteProtocol

__all__ = ["PromptProtocol"]


class PromptProtocol(OneWriteProtocol):
    """For applications that do without `asyncio.current_task` until they first wait, as that of an endpoint does."""

    _is_reading = False
    _held: tuple[Any, Any] | None = None  # a request whose head has come, and the application that answers it

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        self._is_reading = True
        try:
            super().data_received(data)
        finally:
            self._is_reading = False
            held, self._held = self._held, None
        if held is None:
            return
        if held[0].more_body or not self.overload.at_once(self.loop):
            self._start_asgi_task(*held)
        else:
            self._answer(*held)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if self._is_reading:  # what was sent with it is not read yet; requests after it have to wait anyway
            self._held = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _answer(self, cycle: Any, app: Any) -> None:
        work = cycle.run_asgi(app)
        try:
            waits_for = work.send(None)
        except StopIteration:
            return
        task = self.loop.create_task(_going_on(work, waits_for))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)


async def _going_on(work: Coroutine[Any, Any, None], waits_for: Any) -> None:
    await _rest(work, waits_for)


@types.coroutine
def _rest(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """A coroutine from where it first waited."""
    try:
        while True:
            try:
                given = yield waits_for
            except BaseException as error:  # noqa: BLE001 - it is for the coroutine, which is cancelled with it
                waits_for = work.throw(error)
            else:
                waits_for = work.send(given)
    except StopIteration:
        return
