"""Steps: plain functions that remember their results by content.

    @assay.step
    def clean(flights: pa.Table, weather: pa.Table) -> pa.Table: ...

Called inside a run, a step computes its key (code, arguments, versions) and returns the remembered result where there
is one; the run records the step, its inputs by hash, its time, and whether it was computed. Outside a run, calling it
just calls the function.
"""

import functools
import inspect
import json
import sys
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, overload

from assay.build.steps import values
from assay.build.steps.closure import Grain, code_of
from assay.build.steps.step_options import Options, checked_options
from assay.build.steps.time_limit import time_limit
from assay.errors import InvalidInput, NotFound, Tampered
from assay.record.canonical import canonical_json, digest_bytes
from assay.record.clock import iso
from assay.record.identity import ordered_id
from assay.record.tracking.runs import Run, current_run, printable

__all__ = ["step"]

P = ParamSpec("P")
R = TypeVar("R")

_KEY_FORMAT = 2  # 1 had modules, not functions


@overload
def step(function: Callable[P, R], /) -> Callable[P, R]: ...
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
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
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
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a plain function a step. It must be deterministic in its arguments: pass a seed where it draws.

    Variables of a surrounding function count as arguments, and globals by their content at the call; files and the
    network are not seen. In a run, InvalidInput names the argument or the result that cannot be kept.

    `retries` more attempts follow one that failed with an exception of `retry_on`, after `backoff` seconds that double
    each time, give or take half; every attempt is recorded. An attempt longer than `timeout` seconds ends with
    TimedOut; what that cannot stop is said in `assay.build.steps.time_limit`. With `cache=False` it is computed every
    time, and may take and return what cannot be kept. `version` is one more part of the key. With `code="module"` or
    `"package"` the whole module or package counts. InvalidInput for options that make no sense.
    """
    options = checked_options(
        retries=retries,
        retry_on=retry_on,
        backoff=backoff,
        timeout=timeout,
        cache=cache,
        version=version,
        code=code,
    )

    def decorate(plain: Callable[P, R]) -> Callable[P, R]:
        if not callable(plain):
            raise InvalidInput(f"a step cannot be made of {plain!r}", expected="a function")
        signature = inspect.signature(plain)

        @functools.wraps(plain)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            run = current_run()
            if run is None:
                return plain(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return _remembered(run, plain, options, bound.arguments, lambda: plain(*args, **kwargs))

        return call

    return decorate if function is None else decorate(function)


def _remembered(
    run: Run, function: Callable[..., R], options: Options, arguments: dict[str, Any], compute: Callable[[], R]
) -> R:
    name = f"{function.__module__}.{function.__qualname__}"
    inputs = {key: _input_hash(value, f"{name}: argument {key}", options) for key, value in arguments.items()}
    code = code_of(function, options.code)
    components: dict[str, object] = {
        "format": _KEY_FORMAT,
        "step": name,
        "closed_over": _closed_over(function, name, options, set()),
        "inputs": inputs,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **({"version": options.version} if options.version is not None else {}),
        **({} if options.cache else {"cache": False}),
    }
    text = canonical_json(components)
    key = digest_bytes(f"{code.hash}{text}".encode())
    # Where the closure was widened is for people, and no part of the key: its lines move with every comment.
    told = f'{{"code":{code.text},"widened":{canonical_json(code.widened)},{text[1:]}'
    attempt = _Attempt(run, function.__name__, key, told, canonical_json(inputs))
    known = run.store.query("step", {"key": key, "state": "done"}, order_by=["-started"], limit=1)
    reason = None
    if known and options.cache:
        output = json.loads(known[0]["output"])
        try:
            result: Any = values.decode(output, run.store.blobs)
        except (NotFound, Tampered, InvalidInput) as error:
            reason = f"computed again: {error.what}"  # a lost blob costs time, never a wrong result
        else:
            attempt.record("cached", known[0]["output"])
            return result  # type: ignore[no-any-return] # what the step returned when it was computed
    for number in range(1, options.retries + 2):
        try:
            with time_limit(options.timeout, f"step {name}"):
                result = compute()
            kept = _kept(result, run, f"{name}: result", options)
        except BaseException as error:
            which = f"attempt {number} of {options.retries + 1}: " if options.retries else ""
            attempt.record("failed", reason=f"{which}{type(error).__name__}: {error}"[:500])
            if number > options.retries or not isinstance(error, options.retry_on):
                raise
            time.sleep(options.wait(number))
            attempt = attempt.next()
        else:
            again = f"attempt {number} of {options.retries + 1}" if number > 1 else None
            attempt.record(
                "done",
                canonical_json(kept) if kept is not None else None,
                "; ".join(part for part in (again, reason) if part) or None,
            )
            break
    return result  # type: ignore[no-any-return] # of type R


class _Attempt:
    """One row of the record: begins now, ends when it is recorded."""

    def __init__(self, run: Run, name: str, key: str, components: str, inputs: str) -> None:
        self._run = run
        self._name = name
        self._key = key
        self._components = components
        self._inputs = inputs
        self._started = run.store.clock.now()
        self._clock = time.perf_counter()

    def next(self) -> "_Attempt":
        """Another attempt at the same, from now."""
        return _Attempt(self._run, self._name, self._key, self._components, self._inputs)

    def record(self, state: str, output: str | None = None, reason: str | None = None) -> None:
        """Write the row; `state` is done, cached or failed, `output` JSON."""
        seconds = time.perf_counter() - self._clock
        self._run.store.append(
            "step",
            {
                "step_id": ordered_id(),
                "run_id": self._run.run_id,
                "name": self._name,
                "key": self._key,
                "components": self._components,
                "state": state,
                "started": iso(self._started),
                "ended": iso(self._started + timedelta(seconds=seconds)),
                "seconds": seconds,
                "inputs": self._inputs,
                "output": output,
                "reason": printable(reason) if reason is not None else None,
            },
        )


def _input_hash(value: object, where: str, options: Options) -> str:
    """Its hash; where nothing is remembered, what has no hash is called by its type."""
    try:
        return values.value_hash(value, where)
    except InvalidInput:
        if options.cache:
            raise
        return f"not hashed: {type(value).__qualname__}"


def _kept(result: object, run: Run, where: str, options: Options) -> values.Encoded | None:
    try:
        return values.encode(result, run.store.blobs, where)
    except InvalidInput:
        if options.cache:
            raise
        return None


def _closed_over(function: Callable[..., object], name: str, options: Options, seen: set[int]) -> dict[str, object]:
    """The variables of surrounding functions that a function uses: values by hash, functions by their code."""
    inner = inspect.unwrap(function)
    seen.add(id(inner))
    found: dict[str, object] = {}
    for variable, cell in zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True):
        value = cell.cell_contents
        if not inspect.isfunction(value):
            found[variable] = _input_hash(value, f"{name}: the variable {variable} around it", options)
        elif id(inspect.unwrap(value)) not in seen:
            found[variable] = [code_of(value).components, _closed_over(value, name, options, seen)]
    return found
