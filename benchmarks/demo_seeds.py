"""Does the gate tell the candidates apart whatever the seed? Runs the demo for many seeds; a line of JSON for each.

    python benchmarks/demo_seeds.py [--first 1] [--last 20] [--fast]

The flawed candidate counts as refused on its segment where the verdict is fail and the segment named first is of the
carrier whose labels were mixed up; the good one as passed where it was promoted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from assay.demo.pipeline import MIXED_UP_CARRIER


def main() -> None:
    """Run the seeds and print what happened, then the totals."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--last", type=int, default=20)
    parser.add_argument("--fast", action="store_true")
    options = parser.parse_args()
    lines = [turn(seed, fast=options.fast) for seed in range(options.first, options.last + 1)]
    totals = {key: sum(bool(line[key]) for line in lines) for key in ("refused_on_segment", "good_promoted", "alarm")}
    seconds = sorted(float(str(line["seconds"])) for line in lines)
    print(json.dumps({"workload": "demo-seeds", "seeds": len(lines), **totals, "median_s": seconds[len(seconds) // 2]}))


def turn(seed: int, *, fast: bool) -> dict[str, object]:
    """One demo in a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.html"
        command = [sys.executable, "-m", "assay", "--store", f"{folder}/.assay", "demo", "--json", "--seed", str(seed)]
        command += ["--report", str(report), *(["--fast"] if fast else [])]
        start = time.perf_counter()
        done = subprocess.run(
            command, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}, check=True, capture_output=True, text=True
        )
        seconds = time.perf_counter() - start
    found = json.loads(done.stdout)
    refused, promoted, decay = found["refused"] or {}, found["promoted"] or {}, found["decay"] or {}
    on_segment = refused.get("verdict") == "fail" and f"carrier={MIXED_UP_CARRIER}" in str(refused.get("segment"))
    line: dict[str, object] = {"workload": "demo-seed", "seed": seed, "seconds": round(seconds, 1)}
    line |= {"refused_on_segment": on_segment, "segment": refused.get("segment"), "delta": refused.get("delta")}
    line |= {"good_promoted": bool(promoted) and bool(refused) and promoted["version"] != refused["version"]}
    line |= {"alarm": decay.get("alarm_day"), "days": decay.get("days"), "rollback_s": found["rollback_seconds"]}
    line |= {"failed_requests": promoted.get("failed_requests"), "predictions": found["predictions_logged"]}
    print(json.dumps(line), flush=True)
    return line


if __name__ == "__main__":
    main()
