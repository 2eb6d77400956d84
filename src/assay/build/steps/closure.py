"""The code a step depends on, at the grain of functions: what it reaches in the project, and versions of the rest.

From the step on, names are followed through the objects they lead to now, and through the syntax alone where a module
has not been imported yet; looking never imports. What cannot be followed widens to the module or the package, and the
result says so. Rather run again than be wrong.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CellType
from typing import Any, Literal, NamedTuple

from assay.build.steps.content import content_hash
from assay.build.steps.modules import Signature, importable_name, signature
from assay.build.steps.walk import MISSING, Walk
from assay.errors import InvalidInput
from assay.record.canonical import canonical_json, digest_bytes

__all__ = ["Code", "Grain", "code_of", "code_of_objects"]

Grain = Literal["function", "module", "package"]
_MOST_PLANS = 512


class Code(NamedTuple):
    """`components` are hashed: `module:qualname -> fingerprint`, `module:(statements)`, `distribution== -> version`.

    `widened` says in words where the closure took in more than was named, and why; lines are for people, not hashed.
    `text` is the components as JSON, `hash` their hash: made once, as a step asks for them at every call.
    """

    components: dict[str, str]
    widened: list[str]
    text: str
    hash: str


@dataclass(slots=True)
class _Plan:
    """What was found, and everything that has to be as it was for that to be still true."""

    code: Code
    files: list[tuple[str, Signature]]
    bindings: list[tuple[Any, str, object]]
    attributes: list[tuple[object, str, object]]
    cells: list[tuple[CellType, object]]
    values: list[tuple[str, object, str]]
    held: object

    def holds(self) -> bool:
        """Whether every file, name and content is what it was; costs microseconds."""
        for space, name, value in self.bindings:  # loops, as this runs for every call of every step
            if space.get(name, MISSING) is not value:
                return False
        for owner, name, value in self.attributes:
            if getattr(owner, name, MISSING) is not value:
                return False
        try:
            return (
                all(cell.cell_contents is value for cell, value in self.cells)
                and all(signature(path) == known for path, known in self.files)
                and all(content_hash(value, name, []) == known for name, value, known in self.values)
            )
        except (OSError, ValueError, RecursionError):  # a file or a cell is gone, a value cannot be encoded any more
            return False


_PLANS: "OrderedDict[tuple[int, ...], _Plan]" = OrderedDict()


def code_of(function: Callable[..., object], grain: Grain = "function") -> Code:
    """Everything that a function reaches; InvalidInput for a lambda, which nothing names."""
    if getattr(function, "__name__", "") == "<lambda>":
        raise InvalidInput("a lambda cannot be a step", expected="a function with a name", hint="write it with def")
    plans: dict[str, _Plan] = vars(function).get("__assay_plans__", {})
    plan = plans.get(grain)
    if plan is None or not plan.holds():
        walk = Walk(getattr(function, "__module__", None) or "")
        walk.start(function, grain)
        plan = _plan(walk, None)
        # Kept at the function, so that it goes when the function goes.
        function.__dict__["__assay_plans__"] = {**plans, grain: plan}
    return plan.code


def code_of_objects(objects: Iterable[object]) -> dict[str, str]:
    """The same for classes and functions that stand in a value."""
    distinct = {id(one): one for one in objects}
    key = tuple(sorted(distinct))
    plan = _PLANS.get(key)
    if plan is None or not plan.holds():
        walk = Walk("")
        for one in distinct.values():
            walk.visit_named(one)
        plan = _PLANS[key] = _plan(walk, list(distinct.values()))
        if len(_PLANS) > _MOST_PLANS:
            _PLANS.popitem(last=False)
    return plan.code.components


def _plan(walk: Walk, held: object) -> _Plan:
    program = importable_name("__main__")  # run or imported, the same code has the same key
    named = {
        f"{program}{name.removeprefix('__main__')}" if name.startswith("__main__:") else name: found
        for name, found in walk.components.items()
    }
    components = dict(sorted(named.items()))
    text = canonical_json(components)
    code = Code(components, sorted(set(walk.widened)), text, digest_bytes(text.encode()))
    return _Plan(code, list(walk.files.items()), walk.bindings, walk.attributes, walk.cells, walk.values, held)
