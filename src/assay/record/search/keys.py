"""What can be asked about: the subjects of searches, their attributes, and what hangs on them under keys of its own."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from assay.errors import InvalidInput, nearest
from assay.record.clock import iso

__all__ = ["PARTS", "Child", "Key", "Subject", "split"]

PARTS = {
    "last": "{row}.value",
    "first": "{row}.first",
    "min": "{row}.low",
    "max": "{row}.high",
    # PostgreSQL refuses quotients too small for a float
    "mean": "CASE WHEN abs({row}.total) < 1e-280 THEN 0.0 ELSE {row}.total / {row}.numbers END",
}


@dataclass(frozen=True, slots=True)
class Child:
    """A table whose rows belong to a subject's by the column `owner`.

    keyed: they have the column `key`. single: at most one row (of a layer) for each owner and key. layers: `no`, `each`
    where a row of layer 1 came late, `sums` where it sums up all there is. value: the expression compared, with {row}.
    """

    table: str
    owner: str
    kind: str
    keyed: bool = True
    single: bool = True
    layers: str = "no"
    value: str = "{row}.value"
    names: Mapping[str, str] = field(default_factory=dict)  # of rows that are not keyed: expression by name


@dataclass(frozen=True, slots=True)
class Key:
    """What a comparison is about. kind: text | number | time. sql: an expression, with {row} where it has a child."""

    entity: str
    name: str
    kind: str
    sql: str
    shown: str
    child: Child | None = None
    nullable: bool = True
    datasets: tuple[tuple[str, str | None], ...] = ()  # only on one of these, by name and digest
    sorted_by: str = ""  # the expression to sort by where it is another one
    fold: Callable[[str], str] | None = None

    def moment(self, text: str) -> str:
        """A date or time in ISO form as text of the store; without a zone it is UTC."""
        try:
            time = datetime.fromisoformat(text)
            return iso(time if time.tzinfo else time.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            raise InvalidInput(
                f"{text!r} is no time", where=self.shown, expected="a date such as '2026-11-25' or milliseconds"
            ) from None


@dataclass(frozen=True, slots=True)
class Subject:
    """A table that is searched: attributes by name as (kind, expression), children by entity, entities by spelling."""

    name: str
    table: str
    id: str
    attributes: Mapping[str, tuple[str, str]]
    children: Mapping[str, Child]
    entities: Mapping[str, str]
    aliases: Mapping[str, str]
    examples: str
    required: frozenset[str] = frozenset()  # attributes that are never null
    folds: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    sorts: Mapping[str, str] = field(default_factory=dict)
    differences: Mapping[tuple[str, str], Key] = field(default_factory=dict)
    parts: bool = False  # whether metrics.x.max is the greatest value of x

    def key(self, text: str, error: Callable[[str, str | None], InvalidInput]) -> Key:
        """The key that a word names; `error` makes the error of what is wrong and a hint."""
        entity, name, quoted = split(text)
        if not entity:
            return self.attribute(name, error)
        kind = self.entities.get(entity)
        if kind is None:
            close = nearest(entity, [*self.entities])
            raise error(
                f"{text}: there is no {entity!r}",
                f"did you mean {close}.{name}?" if close else f"there are {', '.join(sorted(set(self.entities)))}",
            )
        if kind == "attribute":
            return self.attribute(name, error)
        child = self.children.get(kind)
        if child is None:  # another table's attribute, such as experiment.name
            return self.attribute(f"{kind}.{name}", error)
        if not child.keyed:
            if name not in child.names:
                close = nearest(name, [*child.names])
                raise error(
                    f"{text}: a {kind} has no {name!r}",
                    f"it has {', '.join(child.names)}" if not close else f"did you mean {entity}.{close}?",
                )
            return Key(kind, name, "text", child.names[name], f"{kind}s.{name}", child)
        part = ""
        if kind == "metric" and self.parts and not quoted:
            stem, _, last = name.rpartition(".")
            if stem and last in PARTS:
                name, part = _bare(stem), last
        if not name:
            raise error(f"{text}: the name is empty", None)
        sql = PARTS[part] if part else child.value
        return Key(kind, name, child.kind, sql, f"{kind}s.{name}{'.' if part else ''}{part}", child)

    def attribute(self, name: str, error: Callable[[str, str | None], InvalidInput]) -> Key:
        """The key of an attribute or of one of its other names."""
        name = self.aliases.get(name, name)
        if name not in self.attributes:
            known = [*self.attributes, *self.aliases]
            close = nearest(name, known)
            hint = f"did you mean {close}?" if close else f"there are {', '.join(sorted(self.attributes))}"
            raise error(f"{self.name} have no {name!r}", hint)
        kind, sql = self.attributes[name]
        return Key(
            "attribute",
            name,
            kind,
            sql,
            name,
            nullable=name not in self.required,
            sorted_by=self.sorts.get(name, ""),
            fold=self.folds.get(name),
        )


_SPLIT = re.compile(r"(?P<entity>[^\W\d]\w*|`[^`]*`)\.(?P<name>.+)", re.DOTALL)
_QUOTED = re.compile(r"(?:`[^`]*`|\"[^\"]*\")")


def split(text: str) -> tuple[str, str, bool]:
    """Entity ("" for none), name without its quotes, and whether it was quoted, of a word such as metrics.`m 2`."""
    match = _SPLIT.fullmatch(text)
    if match is None:
        return "", _bare(text), text[:1] in '`"'
    name = match["name"]
    return _bare(match["entity"]), _bare(name), bool(_QUOTED.fullmatch(name))


def _bare(text: str) -> str:
    return text[1:-1] if _QUOTED.fullmatch(text) else text
