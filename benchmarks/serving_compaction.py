"""The p99 of requests while the log is compacted beside the p99 without, in pairs of rounds that alternate.

python -m benchmarks.serving_compaction --pairs 8 --seconds 4
"""

import argparse
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from benchmarks.measured import say
from benchmarks.prediction_log import some_predictions
from benchmarks.serving_world import ENDPOINT, body_of, endpoint_of, loaded, requests

from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.keeping import Told
from assay.operate.predictions.log import LogWriter
from assay.operate.serving.client import ServerProcess
from assay.operate.serving.keeping_log import COMMAND
from assay.record.store import Store

_OTHER = "other"  # an endpoint whose log is compacted: that of the one which answers grows meanwhile


def fill(store: Store, rows: int) -> None:
    """More than one round compacts; the process is killed after it, and the next goes on."""
    some = some_predictions(20_000, 1)
    with LogWriter(log_folder(store, _OTHER), durability="process") as writer:
        for _ in range(rows // len(some)):
            for start in range(0, len(some), 64):
                writer.append(some[start : start + 64])


@contextlib.contextmanager
def compacting(folder: Path) -> Iterator[None]:
    """A process as servers start it, inside the block."""
    told = Told(str(folder), str(folder / "blobs"), _OTHER, None)
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(told) + b"\n")
    process.stdin.close()
    yield
    if process.poll() is not None:
        raise RuntimeError("there was not enough to compact: more --rows")
    process.kill()
    process.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=16)
    given = parser.parse_args()
    body = body_of(requests())
    with endpoint_of() as (folder, store, _):
        fill(store, given.rows)
        with ServerProcess(folder, ENDPOINT) as server:
            url = f"{server.url}/predict"

            def p99() -> float:
                return loaded(url, body, given.seconds, connections=given.connections).p99_ms

            p99()
            alone, beside = [], []
            for _ in range(given.pairs):
                alone.append(p99())
                with compacting(folder):
                    beside.append(p99())
    ratios = np.array(beside) / np.array(alone)
    say("p99 while the log is compacted, times the p99 without: median of pairs", None, float(np.median(ratios)))
    say("p99 in ms, alone and beside a compaction", None, min(beside), alone=min(alone), pairs=given.pairs)


if __name__ == "__main__":
    main()
