"""Tasks on a Ray cluster: one of this machine's own, or a running one that several machines share.

Ray's core runs them as plain tasks, never by itself a second time: a task whose worker or node dies is lost, and who
asked gives it again. Only this module imports Ray.
"""

import contextlib
import logging
import os
import pickle
import socket
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Self

from assay.build.executors import child, log_ends, ray_side
from assay.build.executors.executor import Info, Outcome, Task, TaskId
from assay.build.executors.ray_side import runner, said_and_result, versions
from assay.build.executors.sending import arrived, packed
from assay.errors import InvalidInput, MissingExtra, WorkerLost

__all__ = ["RayExecutor"]

_OWN_WORDS = {"num_cpus", "num_gpus", "memory"}  # what Ray takes by name; anything else is a resource of the cluster's


class RayExecutor:
    """`address` is that of a running cluster; None starts one here with `workers` processors. See `Executor`.

    A cluster that this program has already joined with `ray.init` is used as it is, and stays when this is closed.
    """

    def __init__(self, address: str | None, workers: int | None) -> None:
        try:
            import ray
        except ImportError:
            raise MissingExtra("ray", "ray") from None
        self._ray: Any = ray
        self._is_own = not ray.is_initialized()
        self._is_local = address is None
        if self._is_own:
            _join(ray, address, workers)
        self._place = address or "a cluster on this machine"
        self._path = set(sys.path)  # Ray tells it to the workers of a local cluster
        self._versions = versions()
        for module in (child, log_ends, ray_side):
            self._ray.cloudpickle.register_pickle_by_value(module)
        self._run = self._ray.remote(max_retries=0)(runner(self._versions))
        self._given: dict[TaskId, tuple[str, Any]] = {}
        self._count = 0
        self._is_closed = False

    def submit(self, task: Task) -> TaskId:
        """Take a task; InvalidInput where it cannot be sent or the local cluster can never run it."""
        if self._is_closed:
            raise InvalidInput("this executor is closed", hint="open another one with open_executor")
        call = packed(task)
        path = [entry for entry in sys.path if entry not in self._path] if self._is_local else []
        try:
            run = self._run.options(**self._options(task)) if task.resources else self._run
        except (TypeError, ValueError) as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput(f"task {task.name!r} asks for what Ray does not give: {_first_line(error)}") from error
        reference = run.remote(pickle.dumps(path), call)
        self._count += 1
        number = TaskId(self._count)
        self._given[number] = task.name, reference
        return number

    def wait(self, ids: Collection[TaskId], timeout_s: float | None = None) -> dict[TaskId, Outcome]:
        """The outcomes of those that have ended."""
        numbers = {self._given[number][1]: number for number in ids}
        if not numbers:
            return {}
        ended, others = self._ray.wait(list(numbers), num_returns=len(numbers), timeout=0)
        if not ended:
            ended, _ = self._ray.wait(others, timeout=timeout_s)
        return {numbers[reference]: self._outcome(*self._given.pop(numbers[reference])) for reference in ended}

    def cancel(self, task: TaskId) -> bool:
        """Kill the worker that runs it."""
        if task not in self._given:
            return False
        _, reference = self._given[task]
        if self._ray.wait([reference], timeout=0)[0]:
            return False
        del self._given[task]
        self._ray.cancel(reference, force=True)
        return True

    def info(self) -> Info:
        """What it is; a cluster has as many workers as processors, now."""
        return Info("ray", self._place, max(int(self._ray.cluster_resources().get("CPU", 1)), 1))

    def close(self) -> None:
        """Stop every task, and leave the cluster, which ends where it was started here."""
        if self._is_closed:
            return
        self._is_closed = True
        for _, reference in self._given.values():
            self._ray.cancel(reference, force=True)
        self._given.clear()
        if self._is_own:
            self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _options(self, task: Task) -> dict[str, Any]:
        if self._is_local:
            there = self._ray.cluster_resources()
            for word, amount in task.resources.items():
                has = there.get({"num_cpus": "CPU", "num_gpus": "GPU"}.get(word, word), 0)
                if amount > has:
                    raise InvalidInput(
                        f"task {task.name!r} asks for {word} = {amount:g}, and this machine has {has:g}",
                        hint="ask for less, or run it on a cluster that has it",
                    )
        more = {word: amount for word, amount in task.resources.items() if word not in _OWN_WORDS}
        own = {word: amount for word, amount in task.resources.items() if word in _OWN_WORDS}
        return {**own, "resources": more} if more else own

    def _outcome(self, name: str, reference: Any) -> Outcome:
        errors = self._ray.exceptions
        try:
            said, result = said_and_result(self._ray.get(reference))
        except errors.RuntimeEnvSetupError as error:
            return Outcome(error=InvalidInput(f"task {name!r}: its worker cannot be set up: {_first_line(error)}"))
        except errors.TaskUnschedulableError as error:
            return Outcome(error=InvalidInput(f"task {name!r} cannot run on this cluster: {_first_line(error)}"))
        except errors.RayTaskError as error:  # Ray could not even begin it
            return Outcome(error=InvalidInput(f"task {name!r} failed before it began: {_first_line(error.cause)}"))
        except errors.RayError as error:  # the worker, its node, or what held the result is gone
            return Outcome(error=self._lost(name, error), lost=True)
        if said["stage"] == "versions":
            return Outcome(error=_differing(name, said, self._versions), worker=said["worker"])
        value, failure = arrived(name, said["worker"], said, result)
        return Outcome(
            value=value,
            error=failure,
            log=said["log"],
            worker=said["worker"],
            seconds=said["seconds"],
            cpu_s=said["cpu_s"],
            memory_mb=said["memory_mb"],
        )

    def _lost(self, name: str, error: Exception) -> WorkerLost:
        errors = self._ray.exceptions
        if isinstance(error, errors.OutOfMemoryError):
            return WorkerLost(
                f"task {name!r} lost its worker: Ray killed the process, as its node was out of memory",
                hint="give it less at once, or say in its resources how much memory it needs",
            )
        if isinstance(error, errors.NodeDiedError | errors.LocalRayletDiedError):
            why = "its node is gone"
        elif isinstance(error, errors.WorkerCrashedError):
            why = "the process was killed, or crashed, or ended by itself"
        else:
            why = _first_line(error)
        return WorkerLost(
            f"task {name!r} lost its worker: {why}",
            hint="where nobody ended it, look into Ray's logs there for a crash or a lack of memory",
        )


def _join(ray: Any, address: str | None, workers: int | None) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        # Without the word Ray joins a cluster that somebody else has running on this machine.
        options |= {"address": "local", "num_cpus": workers, "include_dashboard": False}
    else:
        options |= {"address": address, "runtime_env": {"working_dir": str(Path.cwd()), "excludes": [".assay*"]}}
        _check_reachable(address)
    ray._private.worker._worker_logs_enabled = False  # else it prints what Outcome.error says already
    try:
        with _without_reports():
            ray.init(**options)
    except Exception as error:
        raise InvalidInput(
            f"cannot join the Ray cluster {address!r}: {_first_line(error)}"
            if address
            else f"cannot start a Ray cluster here: {_first_line(error)}",
            expected="a running cluster with the same versions of Python and Ray, and a folder small enough to send",
        ) from error


def _check_reachable(address: str) -> None:
    """InvalidInput where nobody listens at the address: Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:  # auto
        return
    if not port.isdecimal():
        raise InvalidInput(f"{address!r} is no address of a Ray cluster", expected="ray://host:port or host:port")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise InvalidInput(
            f"cannot join the Ray cluster {address!r}: {error}",
            hint="start one with `ray start --head`, or use ray for a cluster of this machine alone",
        ) from error


@contextlib.contextmanager
def _without_reports() -> Iterator[None]:
    """A cluster that is started here sends nobody statistics of its use; who wants that has set the variable."""
    name = "RAY_USAGE_STATS_ENABLED"
    before = os.environ.get(name)
    os.environ.setdefault(name, "0")
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]


def _differing(name: str, said: dict[str, Any], wanted: dict[str, str]) -> InvalidInput:
    there = said["versions"]
    parts = [f"{what} {there[what]} there, {wanted[what]} here" for what in wanted if there[what] != wanted[what]]
    return InvalidInput(
        f"task {name!r}: the worker is not like this process: {'; '.join(parts)}",
        where=said["worker"],
        expected="the same versions, or results could differ unseen",
        hint="install the same there",
    )


def _first_line(error: object) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
