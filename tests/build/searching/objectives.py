"""Objectives that a worker can import."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from assay.build import Trial


def bowl(params: dict[str, Any], trial: Trial) -> float:
    print(f"trial {trial.number}")
    for step in range(1, 9):
        trial.report((params["x"] - 1) ** 2 + 1 / step, step)
    time.sleep(0.01)
    return float((params["x"] - 1) ** 2)


def deadly_once(params: dict[str, Any], trial: Trial) -> float:
    """The first to meet the file takes its process down."""
    file = Path(os.environ["DEADLY"])
    if trial.number == 4 and not file.exists():
        file.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return bowl(params, trial)


def slow_bowl(params: dict[str, Any], trial: Trial, folder: str) -> float:
    """It leaves a file named after the node of the cluster that it runs on; the first one there takes its time."""
    import ray

    file = Path(folder) / ray.get_runtime_context().get_node_id()
    is_first = not file.exists()
    file.touch()
    time.sleep(6.0 if is_first else 0.1)
    return bowl(params, trial)
