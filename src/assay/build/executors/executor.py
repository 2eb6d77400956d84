"""The contract of an executor: threads of this process, processes of this machine, or a cluster."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NewType, Protocol, Self

__all__ = ["Executor", "Info", "Outcome", "Task", "TaskId"]

TaskId = NewType("TaskId", int)


@dataclass(frozen=True, slots=True)
class Task:
    """A call. Where it leaves the process, function, arguments and result must be something pickle can write.

    `name` is what people read: in logs, errors and the record. `resources` is what a cluster must have free for it:
    `num_cpus`, `num_gpus`, `memory` in bytes, or a word of the cluster's own; other executors take one worker.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended.

    Exactly one of these holds: `error` is None and `value` is what the call returned; `error` is what it raised; or
    `lost` is true, when the worker died under it (killed, out of memory, its node gone) and `error` says so. A task
    that was lost may be given again: whether it had begun is not known.

    `log` is what it wrote to stdout and stderr, at most the first and the last 64 KiB with a line between that says
    how much is left out. `seconds` is wall time on the worker, `cpu_s` its processor time, `memory_mb` the greatest
    resident size of the worker's process; None where it is not known.
    """

    value: Any = None
    error: BaseException | None = None
    lost: bool = False
    log: str = ""
    worker: str = ""
    seconds: float = 0.0
    cpu_s: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """`kind` is threads, inline, processes or ray, `place` where in words, `workers` how many tasks run at once."""

    kind: str
    place: str
    workers: int

    @property
    def is_here(self) -> bool:
        """Whether tasks run in this process, and see what it holds."""
        return self.kind in ("threads", "inline")


class Executor(Protocol):
    """Runs tasks. One thread talks to an executor at a time; results come in the order in which they end.

    As a context it is closed at the end.
    """

    def submit(self, task: Task) -> TaskId:
        """Take a task; it runs as soon as a worker is free. InvalidInput, naming it, where it cannot be sent."""
        ...

    def wait(self, ids: Collection[TaskId], timeout_s: float | None = None) -> dict[TaskId, Outcome]:
        """The outcomes of those that have ended: at least one, unless `timeout_s` passes first.

        An outcome is given once; asking again for its id is a KeyError.
        """
        ...

    def cancel(self, task: TaskId) -> bool:
        """Stop a task and free its worker. False where it had ended, or cannot be stopped: its outcome comes."""
        ...

    def info(self) -> Info:
        """What it is."""
        ...

    def close(self) -> None:
        """Stop every task and worker. Nothing is submitted afterwards; closing twice changes nothing.

        A thread cannot be stopped: what has begun there ends first.
        """
        ...

    def __enter__(self) -> Self:
        """Itself."""
        ...

    def __exit__(self, *raised: object) -> None:
        """Close it."""
        ...
