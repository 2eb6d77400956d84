"""Steps: plain functions that remember their results by content.

    @assay.step
    def clean(flights: pa.Table, weather: pa.Table) -> pa.Table: ...

Called inside a run, a step computes its key (code, arguments, versions) and returns the remembered result where there
is one; the run records the step, its inputs by hash, its time, and whether it was computed. Outside a run, calling it
just calls the function.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from assay.build.steps.at_once import call_at_once
from assay.build.steps.calls import defined
from assay.build.steps.closure import Grain
from assay.build.steps.fan_out import mapped
from assay.build.steps.handles import current_calls, inside_step
from assay.build.steps.idempotency import plainly
from assay.build.steps.step_options import checked_options
from assay.record.tracking.runs import current_run

__all__ = ["Step", "step"]

P = ParamSpec("P")
R = TypeVar("R")


class Step(Protocol[P, R]):
    """A function that is a step: called as before, and for many items at once."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns; in a pipeline a handle that stands for it."""
        ...

    def map(self, items: Iterable[Any], **fixed: Any) -> list[R]:
        """The results for every item, in their order; `fixed` are further arguments by name.

        The item is the first argument. Where some fail, the others are computed and remembered all the same; then an
        ExceptionGroup says which failed and why. In a pipeline, a handle that stands for the list.
        """
        ...


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    retries: int = 0,
    retry_on: Iterable[type[Exception]] = (Exception,),
    backoff: float = 1.0,
    timeout: float | None = None,
    cache: bool = True,
    version: str | int | None = None,
    code: Grain = "function",
    resources: Mapping[str, float] | None = None,
    reads: Sequence[Any] | Mapping[str, Any] | None = None,
    fresh_for: str | timedelta | None = None,
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    function: Callable[P, R] | None = None,
    /,
    *,
    retries: int = 0,
    retry_on: Iterable[type[Exception]] = (Exception,),
    backoff: float = 1.0,
    timeout: float | None = None,
    cache: bool = True,
    version: str | int | None = None,
    code: Grain = "function",
    resources: Mapping[str, float] | None = None,
    reads: Sequence[Any] | Mapping[str, Any] | None = None,
    fresh_for: str | timedelta | None = None,
) -> Step[P, R] | Callable[[Callable[P, R]], Step[P, R]]:
    """Make a plain function a step. It must be deterministic in its arguments: pass a seed where it draws.

    Variables of a surrounding function count as arguments, and globals by their content at the call. A `Path` that is
    passed or returned counts by the file or folder it leads to; other files and the network are not seen. In a run,
    InvalidInput names the argument or the result that cannot be kept.

    `retries` more attempts follow one that failed with an exception of `retry_on`, after `backoff` seconds that double
    each time, give or take half; every attempt is recorded. An attempt longer than `timeout` seconds ends with
    TimedOut; what that cannot stop is said in `assay.build.steps.time_limit`. With `cache=False` it is computed every
    time, and may take and return what cannot be kept. `version` is one more part of the key. With `code="module"` or
    `"package"` the whole module or package counts. `resources` is what a cluster must have free for it: `num_cpus`,
    `num_gpus`, `memory` in bytes, or a word of its own; elsewhere it takes one worker. `reads` is what it reads
    outside: tokens, or functions without arguments that give them, asked at every call; their values are part of the
    key, by the name of the function. A remembered result older than `fresh_for`, such as "1d", is computed again.

    InvalidInput for options that make no sense.
    """
    options = checked_options(
        retries=retries,
        retry_on=retry_on,
        backoff=backoff,
        timeout=timeout,
        cache=cache,
        version=version,
        code=code,
        resources=resources,
        reads=reads,
        fresh_for=fresh_for,
    )

    def decorate(plain: Callable[P, R]) -> Step[P, R]:
        definition = defined(plain, options)

        @functools.wraps(plain)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            calls = current_calls()
            if calls is not None:
                return calls.add(definition, args, kwargs)  # type: ignore[return-value] # a handle stands for it
            run = current_run() if inside_step.get() is None else None
            if run is None:
                with plainly():
                    return plain(*args, **kwargs)
            arguments = definition.arguments(args, kwargs)
            result: R = call_at_once(run, definition, arguments, lambda: plain(*args, **kwargs))
            return result

        def over(items: Iterable[Any], **fixed: Any) -> list[R]:
            calls = current_calls()
            if calls is not None:
                return cast(list[R], calls.add_all(definition, items, fixed))
            return mapped(definition, call, items, fixed)

        made = cast(Step[P, R], call)
        made.map = over  # type: ignore[method-assign] # a function has none
        return made

    return decorate if function is None else decorate(function)
