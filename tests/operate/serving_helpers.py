"""Models, routes and a small ASGI caller for the tests of serving."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.models.packaging import Classifier, package_model
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.operate.serving.app import Application, Message
from assay.record.canonical import canonical_json
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.record.tracking.runs import start_run

ENDPOINT = "delays"
COLUMNS = ["distance", "carrier"]
ROW: dict[str, object] = {"distance": 1.0, "carrier": "AA"}
ROOT = Path(__file__).parents[2]


@dataclass
class Fixed:
    """Answers the same probability for every row; `moods` of the carrier make it misbehave."""

    probability: float

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        for distance, carrier in X:
            assert isinstance(distance, float), "numbers arrive as floats, NaN for missing"
            assert carrier is None or isinstance(carrier, str)
        if "raise" in X[:, 1]:
            raise ArithmeticError("no such carrier \udcff")
        if "short" in X[:, 1]:
            return np.zeros((0, 2))
        positive = np.array([np.nan if carrier == "nan" else self.probability for carrier in X[:, 1]])
        return np.column_stack([1 - positive, positive])


def add_version(store: Store, estimator: Classifier | None = None, model: str = "delays") -> ModelVersion:
    """Register an estimator as the model's next version; version n of the default answers n / 100."""
    number = len(store.query("model_version", {"model": model})) + 1
    table = pa.table({"distance": [1.5, None, 2.0], "carrier": ["AA", "UA", None], "late": [0, 1, 0]})
    with start_run(store, "serving") as run:
        return package_model(store, model, estimator or Fixed(number / 100), table, COLUMNS, run=run)


def add_route(store: Store, *versions: ModelVersion, endpoint: str = ENDPOINT, hash: str | None = None) -> int:
    """Append the next revision of an endpoint; returns it."""
    last = store.query("route", {"endpoint": endpoint}, order_by=["-revision"], limit=1)
    revision = last[0]["revision"] + 1 if last else 1
    variants = [{"mv_id": version.mv_id, "hash": hash or version.hash, "weight": 1} for version in versions]
    detail = canonical_json({"variants": variants})
    store.append("route", {"endpoint": endpoint, "revision": revision, "detail": detail, "decision": 0})
    return revision


def prediction(id: str = "a", **changes: object) -> Prediction:
    """A record of the log."""
    plain = Prediction(
        id=id,
        ts="2026-01-01T00:00:00.000000Z",
        event_ts=None,
        request_id="r",
        row=0,
        endpoint=ENDPOINT,
        model="delays",
        version=1,
        mv_id="m",
        role="live",
        unit=None,
        propensity=1.0,
        features=(1.0, "AA", None),
        output=0.5,
        status="ok",
        error=None,
        latency_us=100,
    )
    return msgspec.structs.replace(plain, **changes)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    content: dict[str, object]


def call(
    application: Application,
    method: str,
    path: str,
    body: bytes | Sequence[bytes] = b"",
    headers: Mapping[str, str] | None = None,
    *,
    disconnect: bool = False,
) -> Answer:
    """One request to the ASGI callable; a sequence of bodies arrives in pieces."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    waiting: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": position < len(pieces) - 1 or disconnect}
        for position, piece in enumerate(pieces)
    ]
    waiting += [{"type": "http.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    encoded = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": method, "path": path, "headers": encoded}
    asyncio.run(application(scope, receive, send))
    start, end = sent
    content = msgspec.json.decode(end["body"], type=dict[str, object])
    answer_headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert answer_headers["content-length"] == str(len(end["body"]))
    return Answer(start["status"], answer_headers, content)


def predict(application: Application, request: object, **headers: str) -> Answer:
    """POST /predict with a request as JSON."""
    return call(application, "POST", "/predict", msgspec.json.encode(request), headers)


def serve_command(
    folder: Path, endpoint: str = ENDPOINT, *, before: str = "", workers: int = 1, name: str = "assay"
) -> list[str]:
    """A command that serves without the command line, after the statements `before`."""
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'src')!r}]\n"
        f"{before}\n"
        "import msgspec\n"
        "from assay.operate.serve_endpoint import serve\n"
        "from assay.progress import announcing\n"
        "from assay.record.location import open_store\n"
        "with announcing(lambda begun: print(msgspec.json.encode(begun).decode(), flush=True)):\n"
        f"    store, workers = open_store({str(folder)!r}), '{workers}'\n"
        f"    serve(store, {endpoint!r}, port=0, workers=workers, exit_with_parent=True, name={name!r})\n"
    )
    return [sys.executable, "-W", "error", "-c", code]


def append_until_killed(folder: Path) -> None:
    """Append records with growing ids and say each id once it is logged."""
    with LogWriter(folder) as writer:
        number = 0
        while True:
            batch = [prediction(str(number + offset)) for offset in range(3)]
            writer.append(batch)
            number += len(batch)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
