"""Who has which role for which model, from when to when: whom to ask, whom to tell, who may approve."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from assay.errors import Conflict, InvalidInput, NotFound, nearest
from assay.operation import operation
from assay.record.changes import note_change
from assay.record.clock import iso, moment
from assay.record.identity import new_id
from assay.record.store import Row, Store

__all__ = [
    "ROLES",
    "RoleOf",
    "addressee",
    "end_role",
    "grant_role",
    "list_roles",
    "people_with",
    "roles_at",
    "roles_of",
]

_MAX_NAME = 200
ROLES = {
    "owner": "answers for the model",
    "data-scientist": "is it decaying, and why",
    "ml-engineer": "is the pipeline sound",
    "developer": "what does my code rely on",
    "visualisation": "what stands behind a plot",
    "product": "what changed for users, can we ship",
    "ux": "when is it wrong, how sure, how to say it",
    "operations": "will it page me",
    "management": "does it still meet the objective, what does it cost",
    "business-owner": "is the decision it drives still right",
    "validator": "challenges a version before it goes live",
    "compliance": "prove it",
    "auditor": "verify without trust",
}


class RoleOf(msgspec.Struct, frozen=True):
    """A role of a person for a model, or for all models where `model` is empty. `to_ts` is None while it lasts."""

    owner_id: str
    person: str
    role: str
    model: str
    from_ts: str
    to_ts: str | None
    granted_by: str


@operation("role grant")
def grant_role(
    store: Store,
    person: str,
    role: str,
    *,
    model: Annotated[str, "For this model only; without it for all"] = "",
) -> RoleOf:
    """Give a person a role from now on."""
    _check_person(person)
    _check_role(role)
    if model and not store.query("registered_model", {"name": model}, limit=1):
        raise NotFound(f"there is no model {model!r}", where=store.location, hint="`assay models`")
    with store.transaction():
        if any(one.model == model and one.role == role for one in roles_of(store, person)):
            raise Conflict(f"{person} has the role {role} already" + (f" for {model}" if model else ""))
        row: Row = {
            "owner_id": new_id(),
            "person": person,
            "role": role,
            "model": model,
            "from_ts": iso(store.clock.latest()),
            "to_ts": None,
        }
        store.append("owner", row)
        note_change(store, "person", person, f"role {role}", after=model or "all models")
    return _role({**row, "actor": store.actor.name})


@operation("role end")
def end_role(
    store: Store,
    person: str,
    role: str,
    *,
    model: Annotated[str, "For this model only; without it the role for all"] = "",
) -> RoleOf:
    """End a role of a person now; what was done with it stays valid."""
    _check_role(role)
    with store.transaction():
        found = [one for one in roles_of(store, person) if one.model == model and one.role == role]
        if not found:
            raise NotFound(
                f"{person} does not have the role {role}" + (f" for {model}" if model else ""),
                where=store.location,
                hint="`assay role ls`",
            )
        ended = iso(store.clock.latest())
        store.amend("owner", {"owner_id": found[0].owner_id}, {"to_ts": ended})
        note_change(store, "person", person, f"role {role}", before=model or "all models")
    return msgspec.structs.replace(found[0], to_ts=ended)


@operation("role ls")
def list_roles(
    store: Store,
    *,
    model: Annotated[str | None, "Roles that count for this model"] = None,
    ended: Annotated[bool, "Also those that have ended"] = False,
) -> list[RoleOf]:
    """List who has which role."""
    rows = map(_role, store.query("owner", order_by=["person", "role", "model", "from_ts"]))
    return [one for one in rows if (ended or one.to_ts is None) and (model is None or one.model in ("", model))]


def roles_of(store: Store, person: str) -> list[RoleOf]:
    """The roles a person has now, for any model."""
    return list(map(_role, store.query("owner", {"person": person, "to_ts": None}, order_by=["from_ts"])))


def roles_at(store: Store, person: str, model: str, at: datetime) -> set[str]:
    """The roles a person had for a model at a moment."""
    rows = store.query("owner", {"person": person, "from_ts <=": iso(at)})
    return {
        row["role"] for row in rows if row["model"] in ("", model) and (not row["to_ts"] or moment(row["to_ts"]) > at)
    }


def people_with(store: Store, roles: Sequence[str], model: str) -> dict[str, list[str]]:
    """The people who have each of the roles for a model now, in the order of their names."""
    rows = store.query("owner", {"role in": list(roles), "to_ts": None})
    found: dict[str, set[str]] = {role: set() for role in roles}
    for row in rows:
        if row["model"] in ("", model):
            found[row["role"]].add(row["person"])
    return {role: sorted(people) for role, people in found.items()}


def addressee(text: str) -> str:
    """Whom a text names: `role:NAME` for a role (also where it says just the name of one), else a person.

    InvalidInput for a role that there is not, and for what cannot be a name.
    """
    if text in ROLES:
        return f"role:{text}"
    if text.startswith("role:"):
        _check_role(text.removeprefix("role:"))
    else:
        _check_person(text)
    return text


def _check_person(person: str) -> None:
    if not person.strip() or not person.isprintable() or len(person) > _MAX_NAME:
        raise InvalidInput(
            f"the name {person[:_MAX_NAME]!r} cannot name a person",
            expected=f"what `ASSAY_ACTOR` says of them, at most {_MAX_NAME} characters",
        )


def _check_role(role: str) -> None:
    if role not in ROLES:
        close = nearest(role, list(ROLES))
        raise InvalidInput(
            f"there is no role {role!r}",
            expected=", ".join(ROLES),
            hint=f"did you mean {close!r}?" if close else "`assay role ls` shows who has which",
        )


def _role(row: Row) -> RoleOf:
    return RoleOf(
        owner_id=row["owner_id"],
        person=row["person"],
        role=row["role"],
        model=row["model"],
        from_ts=row["from_ts"],
        to_ts=row["to_ts"],
        granted_by=row["actor"],
    )
