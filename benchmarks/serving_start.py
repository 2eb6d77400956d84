"""From the start of `assay serve` to its first answer: with a compiled model, and with the estimator itself beside what
importing its library and loading it takes.

    python -m benchmarks.serving_start --rounds 3
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measured import say
from benchmarks.serving_world import ENDPOINT, endpoint_of, requests

from assay.operate.serving.client import PredictionClient, ServerProcess

_LOAD = """
import numpy, uvicorn, uvloop, httptools
from assay.build.models.packaging import load_model
from assay.record.location import open_store
from assay.record.models.registry import find_version
store = open_store({folder!r}, create=False)
model = load_model(store, find_version(store, {endpoint!r}, 1))
"""
_NATIVE = "import assay.build.models.served_model as served\nserved.compiled = lambda model, store: None\n"
_SERVE = """
import msgspec
from assay.operate.serve_endpoint import serve
from assay.progress import announcing
from assay.record.location import open_store
with announcing(lambda begun: print(msgspec.json.encode(begun).decode(), flush=True)):
    serve(open_store({folder!r}), {endpoint!r}, port=0, exit_with_parent=True)
"""


def to_answer(folder: Path, command: list[str] | None, row: dict[str, object]) -> float:
    """Seconds until a request has its answer."""
    began = time.perf_counter()
    with ServerProcess(folder, ENDPOINT, command=command) as server, PredictionClient(server.url) as client:
        client.predict([row])
        return time.perf_counter() - began


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    (row,) = requests()
    with endpoint_of() as (folder, _, _):
        said = {"folder": str(folder), "endpoint": ENDPOINT}
        native = [sys.executable, "-c", _NATIVE + _SERVE.format(**said)]
        compiled_s, native_s, load_s = [], [], []
        for _ in range(given.rounds):
            compiled_s.append(to_answer(folder, None, row))
            native_s.append(to_answer(folder, native, row))
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", _LOAD.format(**said)], check=True)
            load_s.append(time.perf_counter() - began)
    say("start to answer with a compiled model (s)", 1.5, min(compiled_s))
    say("start to answer with the estimator, times import and load", 1.2, min(native_s) / min(load_s), s=min(native_s))


if __name__ == "__main__":
    main()
