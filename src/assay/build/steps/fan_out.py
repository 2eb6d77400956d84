"""A step for many items: results in their order, and one failure that does not discard the others."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.build.steps.calls import Definition
from assay.errors import InvalidInput

__all__ = ["iterated", "mapped", "results_or_failures"]

_SHOWN = 10


def mapped(step: Definition, call: Callable[..., Any], items: object, fixed: Mapping[str, Any]) -> list[Any]:
    """Call a step for every item, one after another."""
    results, failed = [], []
    for index, item in enumerate(iterated(items, step)):
        try:
            results.append(call(item, **fixed))
        except Exception as error:  # noqa: BLE001 - they are raised together
            results.append(None)
            failed.append((index, error))
    return results_or_failures(step, results, failed)


def results_or_failures(
    step: Definition, results: list[Any], failed: Sequence[tuple[int | None, BaseException]]
) -> list[Any]:
    """The results where no item failed; else all failures together, which say whose they are."""
    if not failed:
        return results
    errors = []
    for index, error in failed:
        if not isinstance(error, Exception):
            raise error
        if f"item {index}" not in getattr(error, "__notes__", ()):
            error.add_note(f"item {index}")
        errors.append(error)
    shown = ", ".join(str(index) for index, _ in failed[:_SHOWN]) + (", ..." if len(failed) > _SHOWN else "")
    raise ExceptionGroup(f"step {step.name}: {len(failed)} of {len(results)} items failed: {shown}", errors)


def iterated(items: object, step: Definition) -> list[Any]:
    """The items as a list; InvalidInput where there are none to iterate over."""
    with contextlib.suppress(TypeError):
        return list(items)  # type: ignore[call-overload,no-any-return] # a TypeError says that it is none
    raise InvalidInput(
        f"step {step.name}: map was given {type(items).__name__}", expected="a list, or anything to iterate over"
    )
