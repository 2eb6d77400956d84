"""The p99 of requests with the prediction log beside the p99 without, in pairs of rounds that alternate.

python -m benchmarks.serving_logging --pairs 20 --seconds 2
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from benchmarks.measured import say
from benchmarks.serving_world import ENDPOINT, body_of, endpoint_of, loaded, requests

from assay.operate.serving.client import ServerProcess

_WITHOUT = "from assay.operate.predictions.log import LogWriter\nLogWriter.append = lambda self, predictions: None"


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
    with (
        endpoint_of() as (folder, _, _),
        ServerProcess(folder, ENDPOINT, command=command(folder, "")) as logging,
        ServerProcess(folder, ENDPOINT, command=command(folder, _WITHOUT)) as silent,
    ):
        urls = [f"{server.url}/predict" for server in (logging, silent)]
        for url in urls:
            loaded(url, body, 5.0)  # the estimator beside the compiled form is loaded meanwhile
        ratios = []
        for pair in range(given.pairs):
            order = urls if pair % 2 else urls[::-1]
            found = {url: loaded(url, body, given.seconds).p99_ms for url in order}
            ratios.append(found[urls[0]] / found[urls[1]])
    random = np.random.default_rng(1)
    medians = np.median(random.choice(ratios, (10_000, len(ratios))), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    say("p99 with the log, times the p99 without: low end of the 95 % interval", 1.05, float(low), high=float(high))
    say("p99 with the log, times the p99 without: median", None, float(np.median(ratios)), pairs=given.pairs)


if __name__ == "__main__":
    main()
