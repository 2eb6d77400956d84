"""A call of a step as what decides its result: its key, and what the key was made of."""

import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.build.steps import values
from assay.build.steps.closure import code_of
from assay.build.steps.modules import importable_name
from assay.build.steps.outside import tokens
from assay.build.steps.step_options import Options
from assay.build.steps.step_record import Keyed
from assay.errors import InvalidInput
from assay.record.blobs import Blobs
from assay.record.canonical import canonical_json, digest_bytes

__all__ = ["Definition", "defined", "keep", "key_of"]

_KEY_FORMAT = 2  # 1 had modules, not functions


@dataclass(frozen=True, slots=True)
class Definition:
    """A step: its function, how it is called, what was said beside it. `name` has the module before it."""

    name: str
    function: Callable[..., Any]
    options: Options
    signature: inspect.Signature

    @property
    def label(self) -> str:
        """The name of the function alone, as people call it."""
        return str(self.function.__name__)

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """What is passed, by name, with what was left out."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def hints(self) -> dict[str, Any]:
        """Annotations as types; those that cannot be evaluated here are left out."""
        try:
            return typing.get_type_hints(inspect.unwrap(self.function))
        except Exception:  # noqa: BLE001 - whatever an annotation does; it only helps to find mistakes early
            return {}


def defined(function: Callable[..., Any], options: Options) -> Definition:
    """The step that a function becomes."""
    if not callable(function):
        raise InvalidInput(f"a step cannot be made of {function!r}", expected="a function")
    qualified = getattr(function, "__qualname__", type(function).__qualname__)
    name = f"{importable_name(getattr(function, '__module__', None) or 'none')}.{qualified}"
    return Definition(name, function, options, inspect.signature(function))


def key_of(
    step: Definition,
    arguments: Mapping[str, Any],
    *,
    seed: int | None = None,
    known: Mapping[str, str] | None = None,
) -> Keyed:
    """The key of a call. `known` holds hashes of arguments that were computed before, `seed` that of the pipeline.

    InvalidInput names the argument that has no hash, or what is read and cannot be reached.
    """
    name, options = step.name, step.options
    ready = known or {}
    inputs = {
        key: ready[key] if key in ready else _input_hash(value, f"{name}: argument {key}", options)
        for key, value in arguments.items()
    }
    code = code_of(step.function, options.code)
    components: dict[str, object] = {
        "format": _KEY_FORMAT,
        "step": name,
        "closed_over": _closed_over(step.function, name, options, set()),
        "inputs": inputs,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **({"version": options.version} if options.version is not None else {}),
        **({} if options.cache else {"cache": False}),
        **({"seed": seed} if seed is not None else {}),
        **({"reads": tokens(options.reads, name)} if options.reads else {}),
    }
    text = canonical_json(components)
    key = digest_bytes(f"{code.hash}{text}".encode())
    # Where the closure was widened is for people, and no part of the key: its lines move with every comment.
    told = f'{{"code":{code.text},"widened":{canonical_json(code.widened)}}}'
    parts = f'{{"code":"{digest_bytes(told.encode())}",{text[1:]}'
    return Keyed(step.label, key, parts, told, canonical_json(inputs))


def keep(step: Definition, result: object, blobs: Blobs) -> str | None:
    """Keep a result and say as JSON how to get it back; None for one that nobody asks to keep.

    InvalidInput, naming the step, where it cannot be kept.
    """
    try:
        return canonical_json(values.encode(result, blobs, f"{step.name}: result"))
    except InvalidInput:
        if step.options.cache:
            raise
        return None


def _input_hash(value: object, where: str, options: Options) -> str:
    """Its hash; where nothing is remembered, what has no hash is called by its type."""
    try:
        return values.value_hash(value, where)
    except InvalidInput:
        if options.cache:
            raise
        return f"not hashed: {type(value).__qualname__}"


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
