"""Spaces: parameters by name, some of which count only when others have certain values.

    {"lr": Float(1e-4, 0.1, log=True), "kind": Choice(["tree", "linear"]), "depth": Int(2, 10, when={"kind": "tree"})}

The same as a table of assay.toml, which is also the form that is kept and compared:

    [search.space]
    lr = { float = [1e-4, 0.1], log = true }
    kind = { choice = ["tree", "linear"] }
    depth = { int = [2, 10], when = { kind = "tree" } }
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.build.searching.parameters import Choice, Float, Int, Parameter, Value
from assay.errors import InvalidInput, nearest
from assay.record.names import check_key

__all__ = ["Misfit", "Params", "Space", "checked_space", "parse_space"]

Params = dict[str, Any]

_KINDS = ("float", "int", "choice")
_MOST_POINTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why params are none of a space; `is_outside` where names and kinds are right, and only a bound is passed."""

    reason: str
    is_outside: bool


class Space:
    """Parameters in an order in which each stands after those that it depends on. See `checked_space`."""

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        self.parameters = dict(parameters)

    def choose(self, draw: Callable[[str, Parameter], Value]) -> Params:
        """Values of the parameters that count, each drawn when those it depends on are known."""
        chosen: Params = {}
        for name, parameter in self.parameters.items():
            if self._counts(parameter, chosen):
                chosen[name] = draw(name, parameter)
        return chosen

    def at(self, places: Sequence[float]) -> Params:
        """The values at a point of the unit cube, one number for each parameter in order."""
        place = dict(zip(self.parameters, places, strict=True))
        return self.choose(lambda name, parameter: parameter.at(place[name]))

    def grid(self) -> Iterator[Params]:
        """Every point, the last parameter changing fastest. InvalidInput where there are infinitely many."""
        for name, parameter in self.parameters.items():
            if parameter.points() is None:
                raise InvalidInput(
                    f"a grid over {name} has no end",
                    expected="a Float with a step, an Int or a Choice",
                    hint=f"{name}: step=..., or a Choice of the values to try",
                )
        return self._grid({}, list(self.parameters))

    def grid_size(self) -> int:
        """How many points a grid has; InvalidInput for more than a million."""
        count = 0
        for _ in self.grid():
            count += 1
            if count > _MOST_POINTS:
                raise InvalidInput("the grid has more than a million points", hint="give larger steps, or sample")
        return count

    def read(self, texts: Mapping[str, str]) -> "Params | Misfit":
        """The values that a run keeps as text, or why they are none of this space; other params are passed over."""
        chosen: Params = {}
        for name, parameter in self.parameters.items():
            if not self._counts(parameter, chosen):
                if name in texts:
                    return Misfit(f"{name} does not count there", is_outside=False)
                continue
            if name not in texts:
                return Misfit(f"{name} is missing", is_outside=False)
            try:
                value = parameter.read(texts[name])
            except ValueError:
                return Misfit(f"{name} is {texts[name]}", is_outside=isinstance(parameter, Choice))
            if not parameter.holds(value):
                return Misfit(f"{name} is {texts[name]}", is_outside=True)
            chosen[name] = value
        return chosen

    def canonical(self) -> dict[str, Any]:
        """The space as JSON, in the form of assay.toml."""
        return {name: parameter.canonical() for name, parameter in self.parameters.items()}

    def differs_from(self, other: "Space") -> str | None:
        """How names, kinds and conditions differ from another space's, in words; bounds may."""
        here, there = self.canonical(), other.canonical()
        for name in here.keys() - there.keys():
            return f"{name} is not a parameter there"
        for name in there.keys() - here.keys():
            return f"{name} is a parameter there"
        for name in here:
            kinds = [next(iter(canonical[name])) for canonical in (here, there)]
            if kinds[0] != kinds[1]:
                return f"{name} is {kinds[0]} here and {kinds[1]} there"
            if here[name].get("when") != there[name].get("when"):
                return f"{name} counts under other conditions there"
        return None

    def _counts(self, parameter: Parameter, chosen: Params) -> bool:
        conditions = parameter.conditions() if parameter.when else {}
        return all(name in chosen and chosen[name] in wanted for name, wanted in conditions.items())

    def _grid(self, chosen: Params, names: list[str]) -> Iterator[Params]:
        if not names:
            yield chosen
            return
        name, *rest = names
        parameter = self.parameters[name]
        if not self._counts(parameter, chosen):
            yield from self._grid(chosen, rest)
            return
        for value in parameter.points() or ():
            yield from self._grid({**chosen, name: value}, rest)


def checked_space(given: "Mapping[str, Parameter] | Space") -> Space:
    """The space of those parameters; InvalidInput for names and conditions that lead nowhere."""
    if isinstance(given, Space):
        return given
    found: object = given
    if not isinstance(found, Mapping) or not found:
        raise InvalidInput(
            "the space has no parameters", expected='parameters by name, such as {"lr": Float(1e-4, 0.1, log=True)}'
        )
    for name, parameter in given.items():
        check_key("param", name)
        if not isinstance(parameter, Parameter):
            raise InvalidInput(f"the parameter {name} is {parameter!r}", expected="Float, Int or Choice")
    for name, parameter in given.items():
        for other, wanted in parameter.conditions().items():
            _check_condition(given, name, other, wanted)
    return Space({name: given[name] for name in _in_order(given)})


def parse_space(table: object, where: str) -> Space:
    """The space of a table as assay.toml has it; `where` names the file and the table in messages."""
    if not isinstance(table, Mapping) or not table:
        raise InvalidInput(
            "the space has no parameters", where=where, expected="lines such as lr = { float = [1e-4, 0.1] }"
        )
    parameters: dict[str, Parameter] = {}
    for name, said in table.items():
        place = f"{where}.{name}"
        if not isinstance(said, Mapping):
            raise InvalidInput(
                f"the parameter {name} is {said!r}",
                where=place,
                expected="a table, such as { float = [1e-4, 0.1], log = true } or { choice = [...] }",
            )
        try:
            parameters[name] = _parameter(said)
        except InvalidInput as error:
            raise error.at(place) from None
    try:
        return checked_space(parameters)
    except InvalidInput as error:
        raise error.at(where) from None


def _parameter(said: Mapping[str, Any]) -> Parameter:
    kinds = [kind for kind in _KINDS if kind in said]
    unknown = [key for key in said if key not in (*_KINDS, "log", "step", "when")]
    if unknown:
        close = nearest(unknown[0], [*_KINDS, "log", "step", "when"])
        raise InvalidInput(
            f"{unknown[0]!r} says nothing about a parameter",
            expected="float, int or choice, and log, step, when",
            hint=f"did you mean {close!r}?" if close else None,
        )
    if len(kinds) != 1:
        raise InvalidInput(
            "it is not said what it is" if not kinds else "it is two things at once",
            expected="one of float, int and choice",
        )
    (kind,) = kinds
    values, rest = said[kind], {key: value for key, value in said.items() if key != kind}
    if "log" in rest and not isinstance(rest["log"], bool):
        raise InvalidInput(f"log is {rest['log']!r}", expected="true or false")
    if "when" in rest and not isinstance(rest["when"], Mapping):
        raise InvalidInput(f"when is {rest['when']!r}", expected='a table, such as { kind = "tree" }')
    if kind == "choice":
        if rest.keys() - {"when"}:
            raise InvalidInput(f"a choice has no {' and no '.join(sorted(rest.keys() - {'when'}))}")
        return Choice(values, **rest)
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 2:
        raise InvalidInput(f"{kind} is {values!r}", expected="two numbers: the bounds")
    made: Parameter = Float(*values, **rest) if kind == "float" else Int(*values, **rest)
    return made


def _check_condition(given: Mapping[str, Parameter], name: str, other: str, wanted: Sequence[Value]) -> None:
    if other not in given:
        close = nearest(other, list(given))
        raise InvalidInput(
            f"{name} depends on {other}, which is no parameter",
            expected=f"one of {', '.join(given)}",
            hint=f"did you mean {close!r}?" if close else None,
        )
    parameter = given[other]
    if isinstance(parameter, Float):
        raise InvalidInput(f"{name} depends on {other}, a Float", expected="a Choice or an Int")
    for value in wanted:
        if not parameter.holds(value):
            raise InvalidInput(
                f"{name} counts when {other} is {value!r}, which it never is",
                expected=f"values of {other}: {', '.join(map(str, (parameter.points() or ())[:8]))}",
            )


def _in_order(given: Mapping[str, Parameter]) -> list[str]:
    """The names, each after those it depends on, else as given."""
    placed: list[str] = []
    left = list(given)
    while left:
        ready = [name for name in left if all(other in placed for other in given[name].when or ())]
        if not ready:
            raise InvalidInput(f"{', '.join(left)} depend on each other in a circle")
        placed.append(ready[0])
        left.remove(ready[0])
    return placed
