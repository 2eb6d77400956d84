"""A server in this process for other people's clients, and models of each kind."""

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import uvicorn
from numpy.typing import NDArray
from tests.operate.serving_helpers import ENDPOINT

from assay.build.models.packaging import package_model
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.reading import read_all
from assay.operate.routing.watching import Watcher
from assay.operate.serving.app import Application
from assay.record.models.registry import ModelVersion
from assay.record.models.routes import Split, Variant, append_route, current_route
from assay.record.store import Store
from assay.record.tracking.runs import start_run

NUMBERS = ["distance", "hour"]


@dataclass
class Weighted:
    """The probability grows with `weight` times the sum of what is not missing; missing counts `missing`."""

    weight: float = 0.01
    classes_: Sequence[object] = field(default_factory=lambda: [0, 1])

    def score(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        numbers = np.array([[0.0 if isinstance(v, str) or v is None else v for v in row] for row in X], np.float64)
        sums: NDArray[np.float64] = np.clip(
            self.weight * np.nansum(numbers, axis=1) + 0.3 * np.isnan(numbers).any(axis=1), 0, 1
        )
        return sums

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        positive = self.score(X)
        rest = len(self.classes_) - 1
        return np.column_stack([*[(1 - positive) / rest] * rest, positive])


@dataclass
class Sum:
    """A regressor: the sum of the numbers."""

    def predict(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = X.astype(np.float64).sum(axis=1)
        return sums


def add_numbers(store: Store, estimator: object | None = None, model: str = "delays") -> ModelVersion:
    """Register an estimator of two numbers as the model's next version."""
    table = pa.table({"distance": [0.5, None, 100.0], "hour": [0, 8, 23], "late": [0, 1, 0]})
    with start_run(store, "serving") as run:
        return package_model(store, model, estimator or Weighted(), table, NUMBERS, run=run)


def add_mixed(store: Store, estimator: object | None = None, model: str = "delays") -> ModelVersion:
    """Register an estimator of a number and a text."""
    table = pa.table({"distance": [0.5, None, 100.0], "carrier": ["AA", "UA", None], "late": [0, 1, 0]})
    with start_run(store, "serving") as run:
        return package_model(store, model, estimator or Weighted(), table, ["distance", "carrier"], run=run)


def split_route(store: Store, champion: ModelVersion, challenger: ModelVersion, salt: str = "s") -> None:
    """Half of the units for each."""
    variants = [Variant(champion.mv_id, champion.hash), Variant(challenger.mv_id, challenger.hash, name="challenger")]
    with store.transaction():
        append_route(store, ENDPOINT, variants, split=Split("test", 1, salt), decision=0)


@dataclass
class Running:
    """A server that runs in a thread."""

    application: Application
    port: int
    folder: Path
    seen: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def logged(self) -> list[Prediction]:
        """The rows of the log since the test began, in the order of requests and rows."""
        return read_all(self.folder)[self.seen :]

    def forget(self) -> None:
        """Let `logged` begin here."""
        self.seen = len(read_all(self.folder))

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request over the wire; a body that is not bytes goes as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://{self.address}{path}", data, {"content-type": "application/json", **(headers or {})}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def get(self, path: str) -> Any:
        """The JSON of an answer with status 200."""
        status, _, content = self.ask("GET", path)
        assert status == 200, content
        return json.loads(content)

    def post(self, path: str, body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON of an answer with that status."""
        said, _, content = self.ask("POST", path, body, headers)
        assert said == status, content
        return json.loads(content)


@contextlib.contextmanager
def running(store: Store, **options: Any) -> Iterator[Running]:
    """A server of the endpoint's route, in this process; `options` are further ones of the application."""
    watcher = Watcher(store, current_route(store, ENDPOINT))
    log = LogWriter(log_folder(store, ENDPOINT), durability="process")
    application = Application(watcher, log, **options)
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error", lifespan="on", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server could not be started"
        time.sleep(0.005)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Running(application, port, log_folder(store, ENDPOINT))
    finally:
        server.should_exit = True
        thread.join(10)
        log.close()
