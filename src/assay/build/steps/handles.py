"""Handles: what a step gives back inside a pipeline, before there is a result."""

import contextvars
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from assay.build.steps.calls import Definition
from assay.errors import InvalidInput

__all__ = [
    "Calls",
    "Handle",
    "Mapped",
    "current_calls",
    "handles_in",
    "inside_step",
    "replaced",
    "running_pipelines",
    "within_pipeline",
]

T = TypeVar("T")


class Calls(Protocol):
    """A pipeline that goes on, as steps meet it."""

    def add(self, step: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "Handle[Any]":
        """A call that runs when what it needs is there."""
        ...

    def add_all(self, step: Definition, items: object, fixed: dict[str, Any]) -> "Mapped[Any]":
        """A call for every item."""
        ...

    def ask(self, question: str, evidence: object, deadline: timedelta | datetime | None) -> Any:
        """The answer of a person, when everything that was called before is finished."""
        ...


within_pipeline: contextvars.ContextVar["Calls | None"] = contextvars.ContextVar("assay_pipeline", default=None)
running_pipelines: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("assay_pipelines", default=())
inside_step: contextvars.ContextVar[str | None] = contextvars.ContextVar("assay_inside_step", default=None)


def current_calls() -> "Calls | None":
    """The pipeline whose body this is."""
    return within_pipeline.get()


class Handle(Generic[T]):
    """The result of a step to come. Later steps take it as an argument, also inside lists, tuples and dictionaries."""

    __slots__ = ("__weakref__", "_name", "_take")

    def __init__(self, name: str, take: Callable[[], T]) -> None:
        self._name = name
        self._take = take

    def result(self) -> T:
        """The value; waits for the step, and raises what it raised."""
        return self._take()

    def __repr__(self) -> str:
        return f"<result of step {self._name}>"

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # protocols of Python and of libraries ask for those
            raise AttributeError(name)
        raise AttributeError(f"the result of step {self._name} is not there yet: take it by .result() before .{name}")

    def _not_yet(self, what: str) -> InvalidInput:
        return InvalidInput(
            f"the result of step {self._name} cannot be {what}: it is not there yet",
            expected="a step that takes it as an argument",
            hint=".result() waits for the value",
        )

    def __bool__(self) -> bool:
        raise self._not_yet("tested")

    def __iter__(self) -> Iterator[Any]:
        raise self._not_yet("iterated over")

    def __len__(self) -> int:
        raise self._not_yet("counted")

    def __getitem__(self, key: object) -> Any:
        raise self._not_yet("indexed")

    def __reduce__(self) -> NoReturn:
        raise self._not_yet("written")


class Mapped(Handle[list[T]]):
    """The results of a step for every item, in their order; each is a handle of its own, too."""

    __slots__ = ("_each",)

    def __init__(self, name: str, take: Callable[[], list[T]], each: Sequence[Handle[T]]) -> None:
        super().__init__(name, take)
        self._each = tuple(each)

    def __len__(self) -> int:
        return len(self._each)

    def __iter__(self) -> Iterator[Handle[T]]:
        return iter(self._each)

    def __getitem__(self, key: Any) -> Any:
        return self._each[key]


def handles_in(value: object) -> Iterator[Handle[Any]]:
    """Handles that stand in a value: itself, or in lists, tuples and dictionaries at any depth."""
    kind = type(value)
    if isinstance(value, Handle):
        yield value
    elif isinstance(value, list | tuple) and kind in (list, tuple):
        for item in value:
            yield from handles_in(item)
    elif isinstance(value, dict) and kind is dict:
        for item in value.values():
            yield from handles_in(item)


def replaced(value: Any, by: Callable[[Handle[Any]], Any]) -> Any:
    """The value with every handle replaced; what holds none is given back as it is."""
    kind = type(value)
    if isinstance(value, Handle):
        return by(value)
    if isinstance(value, list | tuple | dict) and kind in (list, tuple, dict) and any(True for _ in handles_in(value)):
        if isinstance(value, Mapping):
            return {key: replaced(item, by) for key, item in value.items()}
        return kind(replaced(item, by) for item in value)
    return value


def taken(value: Any) -> Any:
    """A value, or that of the handle which a step gave for it inside a pipeline."""
    return value.result() if isinstance(value, Handle) else value
