"""What a worker does for a step: finds the function, seeds, limits the time, calls."""

import functools
import importlib
import inspect
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np

from assay.build.steps.calls import Definition
from assay.build.steps.handles import inside_step, within_pipeline
from assay.build.steps.idempotency import token_of, with_token
from assay.build.steps.modules import OWN_NAME, version_of_assay
from assay.build.steps.time_limit import time_limit
from assay.errors import AssayError, InvalidInput, StoreMismatch
from assay.record.canonical import digest
from assay.record.location import open_store
from assay.record.store import Store
from assay.record.tracking.runs import Run, leave, stand_in

__all__ = ["SEEDS", "Work", "derived_seed", "perform", "work_of"]

SEEDS = 2**32


@dataclass(slots=True)
class RunThere:
    """The run of a step in another process, which opens its store when the step logs something."""

    run_id: str
    location: str

    def kept(self) -> Run | None:
        """The run; None where the store cannot be opened from there."""
        store = _store_at(self.location)
        return Run(store, self.run_id) if store is not None else None


@functools.lru_cache(maxsize=8)
def _store_at(location: str) -> Store | None:
    try:
        return open_store(location, create=False)
    except AssayError:
        return None


@dataclass(frozen=True, slots=True)
class Work:
    """A call that may leave the process: the function itself, or where it is found, never both.

    `versions` are those that count in the key, as the driver has them; the worker's must be the same. `run` is that of
    the pipeline: what the step logs belongs to it. `token` is what `idempotency_token` gives.
    """

    name: str
    function: Callable[..., Any] | None
    module: str
    qualname: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    seed: int
    timeout: float | None
    run: Run | RunThere | None = None
    python: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    token: str = ""


def derived_seed(seed: int, step: str, index: int | None) -> int:
    """The seed of a step, from that of its pipeline, its name and the place of its item: 0 to 4294967295."""
    return int(digest([seed, step, index])[:8], 16)


def work_of(
    step: Definition,
    arguments: Mapping[str, Any],
    seed: int,
    run: Run,
    *,
    key: str,
    leaves: bool,
    versions: Mapping[str, str],
) -> Work:
    """The work of a call. Where it `leaves` the process, its function must be found again by its name."""
    bound = inspect.BoundArguments(step.signature, dict(arguments))
    inner = inspect.unwrap(step.function)
    stays = not leaves or "<" in inner.__qualname__ or inner.__module__ == "__main__"
    return Work(
        step.name,
        step.function if stays else None,
        inner.__module__,
        inner.__qualname__,
        bound.args,
        bound.kwargs,
        seed,
        step.options.timeout,
        RunThere(run.run_id, run.store.location) if leaves else run,
        f"{sys.version_info.major}.{sys.version_info.minor}" if leaves else "",
        versions if leaves else {},
        token_of(run.run_id, key),
    )


def perform(work: Work) -> Any:
    """Call the function. A step that it calls is part of it and is only called; a pipeline is refused."""
    function = work.function or _found(work)
    _check_versions(work)
    random.seed(work.seed)
    np.random.seed(work.seed)
    inside, within = inside_step.set(work.name), within_pipeline.set(None)
    token = stand_in(work.run) if work.run is not None else None
    try:
        with with_token(work.token), time_limit(work.timeout, f"step {work.name}"):
            return function(*work.args, **work.kwargs)
    finally:
        if token is not None:
            leave(token)
        inside_step.reset(inside)
        within_pipeline.reset(within)


def _found(work: Work) -> Callable[..., Any]:
    try:
        found: Any = importlib.import_module(work.module)
        for part in work.qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(
            f"step {work.name} cannot run on this worker: {work.module} is not found there ({error})",
            expected="a worker that can import the code of the project",
            hint="start it in the project's folder, or install the project where it runs",
        ) from error
    step: Callable[..., Any] = found
    return step


def _check_versions(work: Work) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if work.python and work.python != here:
        raise StoreMismatch(
            f"step {work.name} cannot run on this worker: it has Python {here}", expected=f"Python {work.python}"
        )
    for library, version in work.versions.items():
        try:
            found = version_of_assay() if library == OWN_NAME else metadata.version(library)
        except metadata.PackageNotFoundError:
            found = "not installed"
        if found != version:
            raise StoreMismatch(
                f"step {work.name} cannot run on this worker: {library} is {found} there",
                expected=f"{library} {version}, as where the pipeline runs",
            )
