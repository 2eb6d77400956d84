"""One line of JSON a figure: what was measured, beside its target."""

import json
from typing import Any

__all__ = ["say"]


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
