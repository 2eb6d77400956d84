"""Whom a text is for: `@name` in it, a person or a role that is asked; and whether anybody is called so here."""

import json
import re
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from assay.errors import InvalidInput, nearest
from assay.record.people import ROLES
from assay.record.schema import TABLES
from assay.record.store import Row, Store

__all__ = ["Addressed", "addressed", "checked_addressees", "checked_text", "known_people", "mentioned"]

_MENTION = re.compile(r"(?<![\w@.+-])@([\w.+-]+(?:@[\w.-]+)?)")
_LONGEST = 10_000
_SHOWN = 60


class Addressed(msgspec.Struct, frozen=True):
    """People and roles that a text is for, and names in it that nobody has."""

    people: list[str] = []
    roles: list[str] = []
    unknown: list[str] = []


def addressed(row: Row) -> Addressed:
    """Whom a comment or question is for, from its row."""
    return msgspec.convert(json.loads(row["mentions"] or "{}"), Addressed)


def known_people(store: Store) -> set[str]:
    """Who has or had a role, has said something here, or acts now."""
    owner, comment = TABLES["owner"].c, TABLES["comment"].c
    found = store.select(sa.select(owner.person.label("name")).distinct())
    found += store.select(sa.select(comment.actor.label("name")).distinct())
    return {str(row["name"]) for row in found} | {store.actor.name}


def mentioned(store: Store, text: str) -> Addressed:
    """The people and roles that `@name` in a text means; names are compared without regard to case."""
    names = list(dict.fromkeys(name.rstrip(".-+") for name in _MENTION.findall(text)))
    if not names:
        return Addressed()
    people = {name.casefold(): name for name in sorted(known_people(store), reverse=True)}
    roles = [name.casefold() for name in names if name.casefold() in ROLES and name.casefold() not in people]
    known = [people[name.casefold()] for name in names if name.casefold() in people]
    left = [name for name in names if name.casefold() not in people and name.casefold() not in ROLES]
    return Addressed(list(dict.fromkeys(known)), list(dict.fromkeys(roles)), left)


def checked_addressees(store: Store, names: Sequence[str]) -> Addressed:
    """People and roles by their names, `role:NAME` among them; InvalidInput for a name that nobody has here."""
    people, roles = known_people(store), []
    found = []
    for name in names:
        role = name.removeprefix("role:")
        if name in people:
            found.append(name)
        elif role in ROLES:
            roles.append(role)
        else:
            close = nearest(role, sorted(people | set(ROLES)))
            raise InvalidInput(
                f"nobody here is called {name!r}, and it is no role",
                expected=f"a person with a role, or one of {', '.join(ROLES)}",
                hint=f"did you mean {close!r}?" if close else f"assay role grant {name} ROLE",
            )
    return Addressed(found, roles)


def checked_text(text: str, what: str) -> str:
    """The text without spaces around it; InvalidInput where it says nothing, is too long or cannot be printed."""
    said = text.strip().replace("\r\n", "\n")
    if not said:
        raise InvalidInput(f"{what} says nothing", expected="words")
    if len(said) > _LONGEST:
        raise InvalidInput(f"{what} has {len(said):,} characters", expected=f"at most {_LONGEST:,}")
    odd = next((letter for letter in said if not letter.isprintable() and letter not in "\n\t"), None)
    if odd is not None:
        raise InvalidInput(
            f"{what} holds a character that cannot be printed: {odd!r}", where=said[:_SHOWN].splitlines()[0]
        )
    return said
