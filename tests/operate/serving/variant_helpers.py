"""An application with several variants, and what its models do."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tests.operate.serving_helpers import ENDPOINT, add_version

from assay.build.models.packaging import package_model
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.reading import LogReader
from assay.operate.routing.watching import Watcher
from assay.operate.serving.app import Application
from assay.operate.serving.engine import Answered, Asked
from assay.record.models.registry import ModelVersion
from assay.record.models.routes import Split, Variant, append_route, current_route
from assay.record.store import Store
from assay.record.tracking.runs import start_run


@dataclass
class Slow:
    """Takes so many seconds for a call, whatever its rows; `raise` as the carrier makes it fail."""

    seconds: float
    probability: float = 0.5

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        time.sleep(self.seconds)
        if "raise" in X[:, 1]:
            raise ArithmeticError("no such carrier")
        return np.tile([1 - self.probability, self.probability], (len(X), 1))


@dataclass
class Deadly:
    """Kills its process for the carrier `kill`."""

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        if "kill" in X[:, 1]:
            os._exit(3)
        return np.tile([0.75, 0.25], (len(X), 1))


def variant(version: ModelVersion, name: str, weight: int = 1) -> Variant:
    return Variant(version.mv_id, version.hash, weight, name)


def add_three_columns(store: Store, estimator: object) -> ModelVersion:
    """A version that also takes `hour`."""
    table = pa.table({"distance": [1.5, 2.0], "carrier": ["AA", None], "hour": [7.0, 9.0]})
    with start_run(store, "serving") as run:
        return package_model(store, "delays", estimator, table, run=run)


class Place:
    """A store whose endpoint has these variants and shadows, and an application that answers for it."""

    def __init__(
        self, store: Store, folder: Path, versions: Sequence[ModelVersion] = (), shadows: Sequence[ModelVersion] = ()
    ) -> None:
        versions = versions or [add_version(store)]
        names = ["champion", "challenger", "other"]
        split = Split("exp", 2, "salt") if len(versions) > 1 else None
        with store.transaction():
            append_route(
                store,
                ENDPOINT,
                [variant(one, name) for one, name in zip(versions, names, strict=False)],
                shadows=[variant(one, f"shadow{place}") for place, one in enumerate(shadows)],
                split=split,
                decision=0,
            )
        self.log = LogWriter(folder, durability="process")
        self.application = Application(Watcher(store, current_route(store, ENDPOINT)), self.log)
        self.engine = self.application.engine
        self._reader = LogReader(folder)

    def logged(self) -> list[Prediction]:
        return self._reader.read_new()

    def ask(self, *asked: Asked) -> list[Answered | BaseException]:
        """Ask all of them at once, and let shadows end."""

        async def run() -> list[Answered | BaseException]:
            found = await asyncio.gather(*map(self.engine.answer, asked), return_exceptions=True)
            await self.engine.shadows.drain(20)
            return found

        return asyncio.run(run())


def rows(count: int, carrier: str = "AA") -> Asked:
    return Asked(columns={"distance": [1.5] * count, "carrier": [carrier] * count})
