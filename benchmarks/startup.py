"""How long `import assay` and `assay --help` take, beside the leanest that Python itself can do, as lines of JSON.

    python benchmarks/startup.py [--runs 15]

Each command is a process of its own; the commands take turns, so that a busy moment hits all of them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "limit-python": ["-c", "pass"],
    "limit-argparse": ["-c", "import argparse; argparse.ArgumentParser().format_help()"],
    "import-assay": ["-c", "import assay"],
    "assay-help": ["-m", "assay", "--help"],
}
TARGETS = {"import-assay": 0.1, "assay-help": 0.2}


def main() -> None:
    """Measure and print a line for each command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(runs + 1):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
            if number:  # the first one writes byte code
                seconds[name].append(time.perf_counter() - start)
    limit = statistics.median(seconds["limit-python"])
    for name, found in seconds.items():
        median = statistics.median(found)
        line: dict[str, object] = {"workload": "startup", "name": name, "median_s": round(median, 4)}
        line |= {
            "min_s": round(min(found), 4),
            "max_s": round(max(found), 4),
            "ratio_to_python": round(median / limit, 2),
        }
        if name in TARGETS:
            line |= {"target_s": TARGETS[name], "ok": median < TARGETS[name]}
        print(json.dumps(line))


if __name__ == "__main__":
    main()
