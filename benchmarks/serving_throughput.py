"""Requests a second of one row, beside the leanest handler that parses and predicts with the same compiled model.

python -m benchmarks.serving_throughput --seconds 6 --rounds 3
"""

import argparse
import contextlib
import os
import statistics
import sys
from pathlib import Path

from benchmarks.measured import say
from benchmarks.serving_world import ENDPOINT, Load, body_of, endpoint_of, listening, loaded, requests, started

from assay.operate.serving.client import ServerProcess


def bare(folder: Path, processes: int, body: bytes, seconds: float) -> Load:
    """The handler by hand."""
    with listening() as listener, contextlib.ExitStack() as stack:
        listener.set_inheritable(True)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        command = [sys.executable, "-m", "benchmarks.serving_bare", str(listener.fileno()), str(folder)]
        for _ in range(processes):
            stack.enter_context(started(command, url, body, fds=[listener.fileno()]))
        loaded(url, body, 4)
        return loaded(url, body, seconds, pid=os.getpid())


def ours(folder: Path, processes: int, body: bytes, seconds: float) -> Load:
    """The server."""
    options = ["--port", "0", "--exit-with-parent", "--json", "--workers", str(processes)]
    command = [sys.executable, "-m", "assay", "--store", str(folder), "serve", ENDPOINT, *options]
    with ServerProcess(folder, ENDPOINT, command=command) as server:
        loaded(f"{server.url}/predict", body, 4)
        return loaded(f"{server.url}/predict", body, seconds, pid=os.getpid() if processes == 1 else server.pid)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    body = body_of(requests())
    with endpoint_of() as (folder, _, _):
        for processes in (1, 2):
            pairs = [
                (bare(folder, processes, body, given.seconds), ours(folder, processes, body, given.seconds))
                for _ in range(given.rounds)
            ]
            ratio = statistics.median(one.rate / other.rate for one, other in pairs)
            say(
                f"times slower than a bare handler, {processes} processes",
                1.5,
                ratio,
                bare=max(one.rate for one, _ in pairs),
                assay=max(other.rate for _, other in pairs),
                p99_ms=min(other.p99_ms for _, other in pairs),
                cpu_us=[min(pair[place].cpu_us for pair in pairs) for place in (0, 1)],
            )


if __name__ == "__main__":
    main()
