"""Answers without a server: the engine of one, in this process, with the route and the log of an endpoint."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

import msgspec

from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.routing.watching import Watcher
from assay.operate.serving.engine import Engine
from assay.record.clock import iso
from assay.record.models.routes import current_route
from assay.record.store import Store

__all__ = ["Here"]

_DRAIN_S = 60.0


class Here:
    """Takes the place of a client of a server: whoever is routed answers, shadows watch, all of it is logged.

    `outputs` and `versions` hold what was answered since they were last emptied, in order.
    """

    def __init__(self, store: Store, endpoint: str) -> None:
        self._store = store
        self._endpoint = endpoint
        self._log = LogWriter(log_folder(store, endpoint), durability="process")
        self._runner = asyncio.Runner()
        self._engine = self._begun()
        self.outputs: list[float] = []
        self.versions: list[int] = []

    def predict(
        self, rows: Sequence[Mapping[str, object]], *, event_ts: datetime | None = None
    ) -> list[tuple[str, float]]:
        """Id and probability of each row, in their order, after they were logged."""
        body = msgspec.json.encode({"rows": rows})
        asked = self._engine.read(body, event_ts=iso(event_ts) if event_ts else None)
        answered = self._runner.run(self._engine.answer(asked))
        self.outputs += answered.outputs
        self.versions += [answered.version(row).version for row in range(len(answered.ids))]
        return list(zip(answered.ids, answered.outputs, strict=True))

    def follow(self) -> None:
        """Wait for shadows, and take over the newest route, as a server does while it runs."""
        self._runner.run(self._engine.shadows.drain(_DRAIN_S))
        if current_route(self._store, self._endpoint).revision != self._engine.table.revision:
            self._engine.close()
            self._engine = self._begun()

    def close(self) -> None:
        """End what was begun."""
        self._engine.close()
        self._runner.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begun(self) -> Engine:
        return Engine(Watcher(self._store, current_route(self._store, self._endpoint)), self._log)
