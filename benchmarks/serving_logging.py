"""The p99 of requests with the prediction log beside the p99 without, in pairs of rounds that alternate.

    python -m benchmarks.serving_logging --pairs 20 --seconds 2

Two servers of one process live all the time, and load goes to one of them at a time. The one without makes no records
either. In half of the pairs, drawn at random, it is the first. At the end the log has every answer of the other.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from benchmarks.measured import say
from benchmarks.serving_world import CONNECTIONS, ENDPOINT, Load, body_of, endpoint_of, loaded, requests

from assay.operate.predictions.checking import count_answered
from assay.operate.serving.client import ServerProcess

_WITHOUT = """
from assay.operate.predictions.log import LogWriter
from assay.operate.serving.recording import Work
LogWriter.append = lambda self, predictions: None
Work.records = lambda self, *given: []
"""


def command(folder: Path, before: str) -> list[str]:
    """A server of one process, after the statements `before`."""
    code = (
        f"{before}\nimport msgspec\n"
        "from assay.operate.serve_endpoint import serve\n"
        "from assay.progress import announcing\n"
        "from assay.record.location import open_store\n"
        "with announcing(lambda begun: print(msgspec.json.encode(begun).decode(), flush=True)):\n"
        f"    serve(open_store({str(folder)!r}), {ENDPOINT!r}, port=0, exit_with_parent=True)\n"
    )
    return [sys.executable, "-c", code]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    body = body_of(requests())
    random = np.random.default_rng(1)
    with (
        endpoint_of() as (folder, store, _),
        ServerProcess(folder, ENDPOINT, command=command(folder, "")) as logging,
        ServerProcess(folder, ENDPOINT, command=command(folder, _WITHOUT)) as silent,
    ):
        servers = (logging, silent)
        answered = 0
        for server in servers:
            warm = loaded(f"{server.url}/predict", body, 5.0)  # the estimator beside the compiled form is loaded
            answered += warm.requests if server is logging else 0
        rounds: list[tuple[Load, Load]] = []
        for is_first in random.permutation(np.arange(given.pairs) % 2 == 0):
            order = servers if is_first else servers[::-1]
            found = {server.pid: loaded(f"{server.url}/predict", body, given.seconds) for server in order}
            rounds.append((found[logging.pid], found[silent.pid]))
            answered += found[logging.pid].requests
        logged = count_answered(store, ENDPOINT)
    most = answered + CONNECTIONS * (given.pairs + 1)  # a round ends while some are on their way
    if not answered <= logged <= most:
        raise RuntimeError(f"{answered} answers of the server with a log, {logged} rows in it")
    ratios = [one.p99_ms / other.p99_ms for one, other in rounds]
    medians = np.median(random.choice(ratios, (10_000, len(ratios))), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    say("p99 with the log, times the p99 without: low end of the 95 % interval", 1.05, float(low), high=float(high))
    say(
        "p99 with the log, times the p99 without: median",
        None,
        float(np.median(ratios)),
        pairs=given.pairs,
        requests=min(one.requests for pair in rounds for one in pair),
        p99_ms=[float(np.median([pair[place].p99_ms for pair in rounds])) for place in (0, 1)],
        seconds_ratio=float(np.median([other.rate / one.rate for one, other in rounds])),
    )


if __name__ == "__main__":
    main()
