"""A call in a pipeline: what it needs, what it waits for, and how it ended."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from assay.build.steps.calls import Definition
from assay.build.steps.handles import Handle, Mapped
from assay.build.steps.step_record import Attempt, Keyed

__all__ = ["Node", "before", "one_by_one"]


@dataclass(slots=True, eq=False)
class Node:
    """A call: `parts` are what it needs. Over when it has a value or an error."""

    step: Definition
    arguments: dict[str, Any]
    parts: list["Node"]
    index: int | None = None
    missing: int = 0  # parts that are not over
    next: list["Node"] = field(default_factory=list)  # calls that this one is a part of
    same: list["Node"] = field(default_factory=list)  # calls with the same key, which wait for this one
    over: bool = False
    value: Any = None
    error: BaseException | None = None
    is_told: bool = False  # somebody has got the error
    hash: str | None = None
    keyed: Keyed | None = None
    attempt: Attempt | None = None
    number: int = 1
    lost: int = 0
    due: float = 0.0
    note: str | None = None
    is_anew: bool = False
    is_chosen: bool = False  # named by from_step, or after one that is


def one_by_one(handles: Iterable[Handle[Any]]) -> Iterable[Handle[Any]]:
    """Handles, those of a mapped step one by one."""
    for handle in handles:
        if isinstance(handle, Mapped):
            yield from handle
        else:
            yield handle


def before(node: Node) -> list[Node]:
    """Everything that a call rests on."""
    found: dict[int, Node] = {}
    waiting = list(node.parts)
    while waiting:
        part = waiting.pop()
        if id(part) not in found:
            found[id(part)] = part
            waiting += part.parts
    return list(found.values())
