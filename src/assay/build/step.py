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
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from assay.build import values
from assay.build.closure import code_of
from assay.errors import InvalidInput, NotFound, Tampered
from assay.record.canonical import canonical_json, digest
from assay.record.clock import iso
from assay.record.identity import ordered_id
from assay.record.tracking.runs import Run, current_run

__all__ = ["step"]

P = ParamSpec("P")
R = TypeVar("R")

_KEY_FORMAT = 2  # 1 had modules, not functions


def step(function: Callable[P, R]) -> Callable[P, R]:
    """Make a plain function a step. It must be deterministic in its arguments: pass a seed where it draws.

    Variables of a surrounding function count as arguments, and globals by their content at the call; files and the
    network are not seen. In a run, InvalidInput names the argument or the result that cannot be kept.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        run = current_run()
        if run is None:
            return function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return _remembered(run, function, bound.arguments, lambda: function(*args, **kwargs))

    return call


def _remembered(run: Run, function: Callable[..., R], arguments: dict[str, Any], compute: Callable[[], R]) -> R:
    name = f"{function.__module__}.{function.__qualname__}"
    inputs = {key: values.value_hash(value, f"{name}: argument {key}") for key, value in arguments.items()}
    code = code_of(function)
    components: dict[str, object] = {
        "format": _KEY_FORMAT,
        "step": name,
        "code": code.components,
        "closed_over": _closed_over(function, name, set()),
        "inputs": inputs,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    key = digest(components)
    # Where the closure was widened is for people: its lines move with every comment.
    told = canonical_json({**components, "widened": code.widened})
    started = run.store.clock.now()
    clock = time.perf_counter()

    def record(state: str, output: values.Encoded | None = None, reason: str | None = None) -> None:
        seconds = time.perf_counter() - clock
        run.store.append(
            "step",
            {
                "step_id": ordered_id(),
                "run_id": run.run_id,
                "name": function.__name__,
                "key": key,
                "components": told,
                "state": state,
                "started": iso(started),
                "ended": iso(started + timedelta(seconds=seconds)),
                "seconds": seconds,
                "inputs": canonical_json(inputs),
                "output": canonical_json(output) if output is not None else None,
                "reason": reason,
            },
        )

    known = run.store.query("step", {"key": key, "state": "done"}, order_by=["-started"], limit=1)
    reason = None
    if known:
        output = json.loads(known[0]["output"])
        try:
            result: Any = values.decode(output, run.store.blobs)
        except (NotFound, Tampered, InvalidInput) as error:
            reason = f"computed again: {error.what}"  # a lost blob costs time, never a wrong result
        else:
            record("cached", output)
            return result  # type: ignore[no-any-return] # what the step returned when it was computed
    try:
        result = compute()
        output = values.encode(result, run.store.blobs, f"{name}: result")
    except BaseException as error:
        record("failed", reason=_printable(f"{type(error).__name__}: {error}"[:500]))
        raise
    record("done", output, reason)
    return result  # type: ignore[no-any-return] # of type R


def _closed_over(function: Callable[..., object], name: str, seen: set[int]) -> dict[str, object]:
    """The variables of surrounding functions that a function uses: values by hash, functions by their code."""
    inner = inspect.unwrap(function)
    seen.add(id(inner))
    found: dict[str, object] = {}
    for variable, cell in zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True):
        value = cell.cell_contents
        if not inspect.isfunction(value):
            found[variable] = values.value_hash(value, f"{name}: the variable {variable} around it")
        elif id(inspect.unwrap(value)) not in seen:
            found[variable] = [code_of(value).components, _closed_over(value, name, seen)]
    return found


def _printable(text: str) -> str:
    """Without what a database may refuse: null characters, halves of characters."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
