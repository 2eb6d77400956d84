"""Why a worker died, in words: the signal, the exit code, and whether the machine was short of memory."""

import signal
from pathlib import Path

from assay.errors import WorkerLost

__all__ = ["lost", "out_of_memory_kills"]

_LESS_MEMORY = "give it less at once, use fewer workers, or a machine with more memory"


def lost(name: str, status: int | None, *, is_memory_short: bool) -> WorkerLost:
    """What to say when a process died with a task; `status` is minus the signal, or the exit code."""
    task = f"task {name!r} lost its worker"
    if status is None or status >= 0:
        return WorkerLost(
            f"{task}: the process ended by itself, with exit code {status}",
            hint="raise an error instead: os._exit also ends what belongs to others",
        )
    number = -status
    try:
        signalled = f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        signalled = f"signal {number}"
    if number == signal.SIGKILL and is_memory_short:
        return WorkerLost(
            f"{task}: the process was killed by {signalled} while the kernel was out of memory", hint=_LESS_MEMORY
        )
    if number == signal.SIGKILL:
        return WorkerLost(
            f"{task}: the process was killed by {signalled}",
            hint=f"where nobody did so, it was the kernel, for lack of memory: {_LESS_MEMORY}",
        )
    if number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT):
        return WorkerLost(
            f"{task}: the process crashed in compiled code, by {signalled}",
            hint="its log shows the line of Python that called it",
        )
    return WorkerLost(f"{task}: the process was ended by {signalled}", hint="look for who sent it")


def out_of_memory_kills() -> int | None:
    """How many processes the kernel has killed for lack of memory, in this machine or container; None if not told."""
    try:
        counters = Path("/proc/vmstat").read_text()
    except OSError:
        return None
    _, found, rest = counters.partition("\noom_kill ")
    return int(rest.split(maxsplit=1)[0]) if found else None
