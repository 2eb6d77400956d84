"""One line of JSON a figure: what was measured, beside its target."""

import json
import resource
import sys
from pathlib import Path
from typing import Any

__all__ = ["peak_mb", "say"]


def say(workload: str, target: float | None, value: float, *, at_least: bool = False, **more: Any) -> None:
    """Print a figure. `ratio` is the share of the target that it takes, so that up to 1 is ok, whichever way it counts.

    A figure without a target, such as one whose peer is not installed, is printed without a judgement.
    """
    line: dict[str, object] = {"workload": workload, "value": round(value, 3)}
    if target is not None:
        ratio = (target / value if value else float("inf")) if at_least else (value / target if target else value)
        is_ok = value >= target if at_least else value <= target
        line |= {"target": target, "at": "least" if at_least else "most", "ratio": round(ratio, 3), "ok": is_ok}
    print(json.dumps(line | more), flush=True)


def peak_mb() -> float:
    """The largest resident memory of this process so far, in units of 1024 * 1024 bytes.

    Linux counts the parent's at the start into getrusage's, so there the kernel's own mark of this program is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return next(float(line.split()[1]) / 1024 for line in status.read_text().splitlines() if "VmHWM" in line)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
