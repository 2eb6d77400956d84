"""Kill the demo at random moments and look whether anything that was acknowledged is lost; a line of JSON a kill.

    python benchmarks/kill_demo.py [--kills 10] [--seed 0] [--fast]

The demo writes the id of everything the store acknowledged to a file outside the store (`--journal`). It is killed with
SIGKILL, its server with it. Then `assay doctor` must call the store sound and every id must be found. All kills hit
one store, which the last, undisturbed run uses too.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from assay.operate.predictions.reading import read_all
from assay.record.location import open_store
from assay.record.schema import TABLES


def main() -> None:
    """Kill, examine, repeat; then run it through."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fast", action="store_true")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        started = time.perf_counter()
        run(folder, options.fast, seed=999).wait()
        whole = time.perf_counter() - started
        results: list[dict[str, object]] = []
        while sum(bool(result["killed"]) for result in results) < options.kills:  # one that was through is none
            results.append(kill(folder, options.fast, len(results), moments.uniform(0.5, whole)))
        last = run(folder, options.fast, seed=1000).wait()
        line = {"workload": "kill-demo", "kills": len(results), "again": last == 0, **examine(folder)}
        line["ok"] = last == 0 and all(result["ok"] for result in results) and bool(line["ok"])
        print(json.dumps(line))


def run(folder: Path, fast: bool, seed: int) -> subprocess.Popen[bytes]:
    """Start the demo in a process group of its own."""
    command = [sys.executable, "-m", "assay", "--store", str(folder / ".assay"), "demo", "--seed", str(seed)]
    command += ["--journal", str(folder / "journal"), "--report", str(folder / "report.html")]
    return subprocess.Popen(
        [*command, *(["--fast"] if fast else [])],
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(folder: Path, fast: bool, number: int, after_s: float) -> dict[str, object]:
    """Kill one demo, with its server, `after_s` seconds after its start."""
    process = run(folder, fast, seed=number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    killed = process.poll() is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    line = {"workload": "kill-demo", "kill": number, "after_s": round(after_s, 2), "killed": killed, **examine(folder)}
    print(json.dumps(line), flush=True)
    return line


def examine(folder: Path) -> dict[str, object]:
    """What the doctor says, and how many acknowledged ids are not in the store."""
    command = [sys.executable, "-m", "assay", "--store", str(folder / ".assay"), "doctor", "--json"]
    doctor = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(doctor.stdout)
    acknowledged = set((folder / "journal").read_text().splitlines()[:-1] if (folder / "journal").exists() else [])
    present = ids_in(folder / ".assay")
    missing = acknowledged - present
    sound = bool(found["sound"])
    return {"sound": sound, "acknowledged": len(acknowledged), "missing": len(missing), "ok": sound and not missing}


def ids_in(store_folder: Path) -> set[str]:
    """Everything the store and its logs hold, in the words of the journal."""
    store = open_store(store_folder, create=False)
    present = set()
    for kind, table in TABLES.items():
        keys = [column.name for column in table.primary_key]
        present |= {f"{kind} {':'.join(str(row[key]) for key in keys)}" for row in store.query(kind)}
    for log in (store_folder / "predictions").glob("*"):
        present |= {f"prediction {prediction.id}" for prediction in read_all(log)}
    store.close()
    return present


if __name__ == "__main__":
    main()
