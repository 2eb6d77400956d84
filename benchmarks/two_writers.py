"""Two processes log runs into one SQLite store at the same time; one line of JSON says whether any failed or is lost.

python benchmarks/two_writers.py [--runs 200] [--writers 2]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time

from assay.record.location import open_store

WRITER = """
import sys
from assay.record import open_store, start_run
store = open_store(sys.argv[1])
for number in range(int(sys.argv[2])):
    with start_run(store, "writers", f"{sys.argv[3]}-{number}") as run:
        run.params({"number": number, "writer": sys.argv[3]})
        run.metrics({"auc": number / 1000, "loss": 1 - number / 1000})
"""


def main() -> None:
    """Run the writers and count what is there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--writers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/.assay"
        start = time.perf_counter()
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, place, str(options.runs), str(writer)])
            for writer in range(options.writers)
        ]
        codes = [writer.wait() for writer in writers]
        seconds = time.perf_counter() - start
        store = open_store(place, create=False)
        finished = {row["name"] for row in store.query("run", {"status": "finished"})}
        metrics = len(store.query("run_metric"))
        store.close()
    expected = {f"{writer}-{number}" for writer in range(options.writers) for number in range(options.runs)}
    lost = len(expected - finished)
    ok = not any(codes) and not lost and metrics == 2 * len(expected)
    line = {"workload": "two-writers", "runs": len(expected), "failed": sum(map(bool, codes)), "lost": lost}
    print(json.dumps({**line, "seconds": round(seconds, 2), "ok": ok}))


if __name__ == "__main__":
    main()
