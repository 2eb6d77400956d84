"""Whether what is passed fits what a parameter is annotated with, told before anything runs.

Only plain classes are looked at, also in unions and as the origin of `list[int]`; what else an annotation says is
between the reader and a type checker. Whole numbers pass where floats are expected.
"""

import numbers
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from assay.build.steps.calls import Definition
from assay.build.steps.handles import Handle, Mapped
from assay.errors import InvalidInput

__all__ = ["check_arguments"]

_NUMBERS: dict[type, type] = {int: numbers.Integral, float: numbers.Real, complex: numbers.Complex}  # NumPy's, too


def check_arguments(
    step: Definition,
    arguments: Mapping[str, Any],
    maker: Callable[[Handle[Any]], Definition],
    what: str = "step",
) -> None:
    """InvalidInput names the first argument of another class than its annotation says.

    A handle is judged by what the step that makes it is annotated to return.
    """
    hints = step.hints()
    for name, given in arguments.items():
        expected = _classes(hints.get(name))
        if expected is None or step.signature.parameters[name].kind in (
            step.signature.parameters[name].VAR_POSITIONAL,
            step.signature.parameters[name].VAR_KEYWORD,
        ):
            continue
        if isinstance(given, Mapped):
            if not issubclass(list, _accepted(expected)):
                raise _wrong(what, step, name, "a list, one result for each item", expected)
        elif isinstance(given, Handle):
            made = maker(given)
            returned = _classes(made.hints().get("return"))
            if returned is not None and not any(_may_be(one, expected) for one in returned):
                found = f"{_named(returned)}, the result of step {made.label}"
                raise _wrong(what, step, name, found, expected)
        elif not isinstance(given, _accepted(expected)):
            raise _wrong(what, step, name, type(given).__qualname__, expected)


def _may_be(one: type, expected: tuple[type, ...]) -> bool:
    """Whether a value that is annotated as `one` may be one of those; a base class may turn out to be."""
    return issubclass(one, _accepted(expected)) or any(issubclass(other, one) for other in expected)


def _accepted(expected: tuple[type, ...]) -> tuple[type, ...]:
    """The classes whose values pass."""
    return tuple(_NUMBERS.get(kind, kind) for kind in expected)


def _classes(hint: object) -> tuple[type, ...] | None:
    """The classes that an annotation allows; None where it says something else."""
    if hint is None or hint is Any:
        return None
    if hint is type(None):
        return (type(None),)
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _classes(typing.get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        parts = [_classes(part) for part in typing.get_args(hint)]
        return None if any(part is None for part in parts) else tuple(one for part in parts if part for one in part)
    found = origin if origin is not None else hint
    if not isinstance(found, type) or found is object or getattr(found, "_is_protocol", False):
        return None
    return (found,)


def _wrong(what: str, step: Definition, name: str, found: str, expected: tuple[type, ...]) -> InvalidInput:
    return InvalidInput(f"{what} {step.name}: argument {name} is {found}", expected=_named(expected))


def _named(kinds: tuple[type, ...]) -> str:
    return " or ".join(dict.fromkeys("None" if kind is type(None) else kind.__qualname__ for kind in kinds))
