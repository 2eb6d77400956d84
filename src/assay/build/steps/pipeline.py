"""Pipelines: plain functions that call steps. Called, they run as a run; what is finished can be resumed.

    @assay.pipeline
    def nightly(path: Path) -> float:
        table = load(path)
        return score(train(table), table)

    nightly(Path("flights.parquet"))
    nightly.options(executor="processes", seed=7)(Path("flights.parquet"))
    nightly.resume("5f3a0c21")

Inside, a step gives back a handle that later steps take; what does not need each other runs at the same time. A body is
executed, not compiled: loops and conditions are Python, on values taken by `.result()`.
"""

import functools
import inspect
import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from assay.build.executors.executor import Executor
from assay.build.executors.inline import InlineExecutor
from assay.build.executors.opening import open_executor
from assay.build.steps import values
from assay.build.steps.annotations import check_arguments
from assay.build.steps.calls import defined
from assay.build.steps.choices import Choices
from assay.build.steps.closure import code_of
from assay.build.steps.graph import Graph
from assay.build.steps.handles import inside_step, running_pipelines, within_pipeline
from assay.build.steps.step_options import checked_options
from assay.build.steps.step_record import Found, record_of
from assay.build.steps.work import SEEDS
from assay.errors import InvalidInput, Waiting
from assay.record.canonical import canonical_json
from assay.record.changes import note_change
from assay.record.location import open_store
from assay.record.store import Row, Store
from assay.record.tracking.runs import Run, continue_run, current_run, find_run, start_run

__all__ = ["Pipeline", "pipeline"]

P = ParamSpec("P")
R = TypeVar("R")

_ARGUMENTS = "assay.arguments"  # tag of a run: what its pipeline was called with
_PLAIN = {"retries": 0, "retry_on": (Exception,), "backoff": 1.0, "timeout": None, "cache": True, "version": None}


@dataclass(frozen=True, slots=True)
class Settings:
    """How a pipeline runs; nothing of it is part of a key but `seed`."""

    store: Store | str | Path | None = None
    executor: str | Executor = "threads"
    workers: int | None = None
    seed: int | None = None
    experiment: str | None = None
    trigger_type: str = "manual"
    no_cache: bool = False
    from_step: str | None = None
    only: str | None = None
    resume: str | None = None


class Pipeline(Generic[P, R]):
    """A function that runs as a pipeline when it is called. Made by `assay.pipeline`."""

    def __init__(self, function: Callable[P, R], settings: Settings) -> None:
        functools.update_wrapper(self, function)
        self.__wrapped__ = function
        self._definition = defined(function, checked_options(**_PLAIN, code="function"))  # type: ignore[arg-type]
        self._settings = settings

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it and give what it returns, with values in place of handles."""
        try:
            arguments = self._definition.arguments(args, kwargs)
        except TypeError as error:
            raise InvalidInput(f"pipeline {self.name} is called in a wrong way: {error}") from None
        return self._run(arguments, self._settings)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self._definition.label

    def options(
        self,
        *,
        store: Store | str | Path | None = None,
        executor: str | Executor | None = None,
        workers: int | None = None,
        seed: int | None = None,
        experiment: str | None = None,
        trigger_type: str | None = None,
        no_cache: bool | None = None,
        from_step: str | None = None,
        only: str | None = None,
        resume: str | None = None,
    ) -> "Pipeline[P, R]":
        """The same pipeline with other settings; those that are left out stay.

        `no_cache` computes every step; `from_step` a step and all that takes its result; `only` one step, and refuses
        to compute others. `resume` is the id of a run, or its beginning, to go on with.
        """
        given = {
            "store": store,
            "executor": executor,
            "workers": workers,
            "seed": seed,
            "experiment": experiment,
            "trigger_type": trigger_type,
            "no_cache": no_cache,
            "from_step": from_step,
            "only": only,
            "resume": resume,
        }
        _check_seed(seed)
        changed = {name: value for name, value in given.items() if value is not None}
        return Pipeline(self.__wrapped__, replace(self._settings, **changed))  # type: ignore[arg-type] # checked above

    def resume(self, run: str) -> R:
        """Go on with a run of this pipeline, called with what it was called with then.

        What is finished with an unchanged key is reused, the rest runs. NotFound for a run that is not there.
        """
        with _opened(self._settings.store) as store:
            row = find_run(store, run)
            arguments = self._kept_arguments(store, row)
            return self._run(arguments, replace(self._settings, store=store, resume=row["run_id"]))

    def _kept_arguments(self, store: Store, row: Row) -> dict[str, Any]:
        self._check_own(row)
        tags = store.query("run_tag", {"run_id": row["run_id"], "key": _ARGUMENTS})
        if not tags:
            raise InvalidInput(
                f"what run {row['run_id'][:8]} was called with could not be kept",
                hint=f"call it with the same arguments: {self.name}.options(resume={row['run_id'][:8]!r})(...)",
            )
        kept = json.loads(tags[0]["value"])
        others = cast(dict[str, Any], values.decode(kept["values"], store.blobs))
        found = {**others, **{name: Path(path) for name, path in kept["paths"].items()}}
        return {name: found[name] for name in self._definition.signature.parameters}

    def _check_own(self, row: Row) -> None:
        if row["pipeline"] != self._definition.name:
            raise InvalidInput(
                f"run {row['run_id'][:8]} is no run of pipeline {self._definition.name}",
                expected=f"a run of it; that one is of {row['pipeline'] or 'no pipeline'}",
            )

    def _run(self, arguments: dict[str, Any], settings: Settings) -> R:
        name = self._definition.name
        if (step := inside_step.get()) is not None:
            raise InvalidInput(
                f"step {step} calls the pipeline {name}: a step cannot run a pipeline",
                hint="call it in the body of a pipeline, or call the functions that you need",
            )
        if name in running_pipelines.get():
            raise InvalidInput(f"the pipeline {name} calls itself", hint="use a loop, or a step for what repeats")
        check_arguments(self._definition, arguments, lambda _: self._definition, "pipeline")
        _check_executor(settings)
        token = running_pipelines.set((*running_pipelines.get(), name))
        try:
            with ExitStack() as stack:
                store = stack.enter_context(_opened(settings.store))
                run = stack.enter_context(self._started(store, arguments, settings))
                stack.enter_context(record_of(store).going_on(run.run_id))
                choices = Choices(settings.no_cache, settings.from_step, settings.only, _kept_results(run, settings))
                graph = Graph(run, _executor(settings), settings.seed, choices)
                try:
                    return self._body(graph, arguments)
                except Waiting:
                    run.pause()
                    raise
        finally:
            running_pipelines.reset(token)

    def _body(self, graph: Graph, arguments: dict[str, Any]) -> R:
        bound = inspect.BoundArguments(self._definition.signature, arguments)
        token = within_pipeline.set(graph)
        try:
            returned = graph.value(self._definition.function(*bound.args, **bound.kwargs))
            graph.finish()
        except Exception:
            graph.leave(cancel=False)
            raise
        except BaseException:
            graph.leave(cancel=True)
            raise
        finally:
            within_pipeline.reset(token)
        graph.leave(cancel=False)
        return cast(R, returned)

    @contextmanager
    def _started(self, store: Store, arguments: dict[str, Any], settings: Settings) -> Iterator[Run]:
        code = code_of(self._definition.function)
        if settings.resume is not None:
            row = find_run(store, settings.resume)
            self._check_own(row)
            with continue_run(store, row["run_id"]) as run:
                if row["pipeline_hash"] != code.hash:
                    note_change(store, "run", run.run_id, "pipeline", before=row["pipeline_hash"], after=code.hash)
                    store.amend("run", {"run_id": run.run_id}, {"pipeline_hash": code.hash})
                yield run
            return
        with start_run(
            store,
            settings.experiment or self.name,
            self.name,
            kind="pipeline",
            trigger_type=settings.trigger_type,
            pipeline=self._definition.name,
            pipeline_hash=code.hash,
            seed=settings.seed,
        ) as run:
            _keep_arguments(run, arguments)
            yield run


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(
    *,
    executor: str | Executor = "threads",
    workers: int | None = None,
    seed: int | None = None,
    experiment: str | None = None,
) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(
    function: Callable[P, R] | None = None,
    /,
    *,
    executor: str | Executor = "threads",
    workers: int | None = None,
    seed: int | None = None,
    experiment: str | None = None,
) -> Pipeline[P, R] | Callable[[Callable[P, R]], Pipeline[P, R]]:
    """Make a plain function that calls steps a pipeline; see `Pipeline.options` for what can be said at a call.

    Called inside a run it is a child of that run and uses its store; elsewhere the store is found as always. `executor`
    is threads, processes, inline (this thread alone) or the address of a Ray cluster; results are the same. `seed` is
    0 to 4294967295: steps get theirs from it, and results of another seed are not reused.
    """
    _check_seed(seed)
    settings = Settings(executor=executor, workers=workers, seed=seed, experiment=experiment)

    def decorate(plain: Callable[P, R]) -> Pipeline[P, R]:
        return Pipeline(plain, settings)

    return decorate if function is None else decorate(function)


@contextmanager
def _opened(place: Store | str | Path | None) -> Iterator[Store]:
    """The store that is given, that of the run whose block this is, or the nearest."""
    if place is not None and not isinstance(place, str | Path):
        yield place
        return
    run = current_run() if place is None else None
    if run is not None:
        yield run.store
        return
    store = open_store(place)
    try:
        yield store
    finally:
        store.close()


def _check_seed(seed: object) -> None:
    if seed is not None and not (isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < SEEDS):
        raise InvalidInput(f"the seed of a pipeline is {seed!r}", expected="0 to 4294967295")


def _check_executor(settings: Settings) -> None:
    """InvalidInput for a word that names no executor, before there is a run; a cluster is not asked yet."""
    where = settings.executor
    is_word = isinstance(where, str) and where not in ("inline", "ray", "auto") and ":" not in where
    if is_word and (where not in ("threads", "processes") or settings.workers is not None):
        open_executor(str(where), workers=settings.workers).close()


def _executor(settings: Settings) -> Executor | Callable[[], Executor]:
    """The executor that is given, or what opens one when the first step is to be computed."""
    where = settings.executor
    if not isinstance(where, str):
        return where
    if where == "inline":
        return InlineExecutor
    return lambda: open_executor(where, workers=settings.workers)


def _kept_results(run: Run, settings: Settings) -> dict[str, deque[Found]]:
    """Results of the resumed run, by key, oldest first: they count also where a step is otherwise not remembered."""
    found: dict[str, deque[Found]] = {}
    if settings.resume is not None and not settings.no_cache:
        rows = run.store.query("step", {"run_id": run.run_id, "state": "done"}, order_by=["started", "step_id"])
        for row in rows:
            if row["output"] is not None:
                found.setdefault(row["key"], deque()).append(Found(row["output"], row["run_id"]))
    return found


def _keep_arguments(run: Run, arguments: dict[str, Any]) -> None:
    """Keep what the pipeline is called with: short values as params, all of it as a tag where it can be kept."""
    shown = {name: value for name, value in arguments.items() if isinstance(value, str | int | float | Path)}
    run.params({name: str(value)[:500] for name, value in shown.items()})
    paths = {name: str(value) for name, value in arguments.items() if isinstance(value, Path)}  # never copied
    others = {name: value for name, value in arguments.items() if name not in paths}
    try:
        kept = values.encode(others, run.store.blobs, "the arguments")
    except InvalidInput:  # a connection, say; then only a call with arguments can resume it
        return
    run.tags({_ARGUMENTS: canonical_json({"values": kept, "paths": paths})})
