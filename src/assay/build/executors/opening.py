"""An executor by a word: what people write in assay.toml, after `--on`, or in Python."""

import os

from assay.build.executors.executor import Executor
from assay.errors import InvalidInput, nearest

__all__ = ["open_executor"]

_WORDS = ["threads", "processes", "ray"]


def open_executor(where: str = "threads", *, workers: int | None = None) -> Executor:
    """Where tasks run, by a word; close it, or use it as a context.

    `threads` of this process; `processes` of this machine, for work in Python that computes long and for code that may
    crash; `ray` for a local cluster, or the address of a running one: `ray://host:port`, `host:port`, `auto`. As many
    tasks run at once as `workers` says; without it as there are processors here, or as the cluster has.

    InvalidInput for another word; MissingExtra where Ray is not installed.
    """
    if workers is not None and workers < 1:
        raise InvalidInput(f"workers must be at least 1, not {workers}", hint="leave it out: one for each processor")
    if where == "threads":
        from assay.build.executors.threads import ThreadExecutor

        return ThreadExecutor(workers or _processors())
    if where == "processes":
        from assay.build.executors.processes import ProcessExecutor

        return ProcessExecutor(workers or _processors())
    if where in ("ray", "auto") or ":" in where:
        from assay.build.executors.ray_cluster import RayExecutor

        if where != "ray" and workers is not None:
            raise InvalidInput("a running cluster has the workers it has", hint="leave workers out")
        return RayExecutor(None if where == "ray" else where, workers or _processors())
    close = nearest(where, _WORDS)
    raise InvalidInput(
        f"unknown executor {where!r}",
        expected="threads, processes, ray, or the address of a Ray cluster: ray://host:port, host:port or auto",
        hint=close,
    )


def _processors() -> int:
    """Those this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
