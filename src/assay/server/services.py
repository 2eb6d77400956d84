"""What the parts of the control plane share: the store, the settings, the writer, the notifier, threads for reading."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from assay.record.checkpoints import Checkpoints
from assay.record.sqlstore import SqlStore
from assay.record.store import Store
from assay.server.notifier import Notifier
from assay.server.wire.call import Settings
from assay.server.writer import Writer

__all__ = ["Services"]

Result = TypeVar("Result")
_READERS = 4
_LONG = 2  # operations that take their time do not hold up those that read a row


class Services:
    """One of each for a server. `close` does what waits and ends the threads; the store stays open."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self._checkpoints = Checkpoints(store) if isinstance(store, SqlStore) else None
        self.writer = Writer(store)
        self.notifier = Notifier(store)
        self.readers = ThreadPoolExecutor(_READERS, thread_name_prefix="assay-reader")
        self.workers = ThreadPoolExecutor(_LONG, thread_name_prefix="assay-worker")

    async def read(self, work: Callable[[Store], Result]) -> Result:
        """What the work returns, done in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, work, self.store)

    async def do_long(self, work: Callable[[Store], Result]) -> Result:
        """The same for work that may take long."""
        return await asyncio.get_running_loop().run_in_executor(self.workers, work, self.store)

    def close(self) -> None:
        """End after what is waiting."""
        self.notifier.close()
        self.writer.close()
        self.readers.shutdown()
        self.workers.shutdown()
        if self._checkpoints is not None:
            self._checkpoints.close()
