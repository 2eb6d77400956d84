"""Who has to agree to versions of a model: its risk tier, for how long an approval counts, and one-person teams."""

from datetime import timedelta
from typing import Annotated, Literal, get_args

import msgspec

from assay.errors import InvalidInput, NotFound, Refused, nearest
from assay.operation import operation
from assay.record.canonical import canonical_json
from assay.record.clock import happened
from assay.record.ledger import decide
from assay.record.lengths import checked_length
from assay.record.people import people_with
from assay.record.store import Row, Store

__all__ = [
    "ANSWERING",
    "PEERS",
    "SECOND",
    "TIERS",
    "ApprovalPolicy",
    "approval_policy",
    "check_policy_words",
    "declare_policy",
    "policy_of",
]

Tier = Literal["low", "medium", "high"]
TIERS: tuple[Tier, ...] = get_args(Tier)
PEERS = ("owner", "data-scientist", "ml-engineer", "developer", "validator")
SECOND = ("validator", "compliance")
ANSWERING = ("owner", "validator", "compliance")  # who may ask for less than before
_DAYS = 30
_MOST_DAYS = 366
_LEAST_DELAY = timedelta(hours=1)


class _Detail(msgspec.Struct, frozen=True, omit_defaults=True):
    days: int = _DAYS
    one_person: bool = False
    delay: str = "24h"


class ApprovalPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for before a version of a model goes live. `tier` is None where nothing is declared.

    `days` is how long an approval counts at most, `delay` how long a one-person team waits. `model` is empty for what
    counts for all models.
    """

    model: str
    tier: Tier | None = None
    days: int = _DAYS
    one_person: bool = False
    delay: str = "24h"
    declared_by: str | None = None
    declared: str | None = None
    words: str = ""

    @property
    def asks(self) -> bool:
        """Whether people have to agree."""
        return self.tier in ("medium", "high")

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of which one has to agree."""
        return tuple(dict.fromkeys((*PEERS, *SECOND))) if self.tier == "high" else PEERS


def policy_of(store: Store, model: str) -> ApprovalPolicy:
    """What counts for a model now: what is declared for it, else for all models, else nothing."""
    rows = {row["model"]: row for row in store.query("approval_rule", {"model in": [model, ""]})}
    row = rows.get(model) or rows.get("")
    return _told(model, row)


@operation("approve policy", local=True)  # a person says it in their own name, not a server in its
def approval_policy(
    store: Store,
    model: str | None = None,
    *,
    tier: Annotated[
        str | None, "low: the gate alone; medium: one peer; high: a peer and validator or compliance"
    ] = None,
    days: Annotated[int | None, "For how many days an approval counts at most"] = None,
    one_person: Annotated[bool, "Nobody else can agree: a delay and a later review take their place"] = False,
    several_people: Annotated[bool, "No longer a team of one"] = False,
    delay: Annotated[str | None, "How long a one-person team waits before a version goes live, as 24h"] = None,
) -> ApprovalPolicy:
    """Say who has to agree before versions of a model go live, or show what counts; without a model for all of them."""
    if one_person and several_people:
        raise InvalidInput("a team is of one person or of several", expected="--one-person or --several-people")
    alone = True if one_person else False if several_people else None
    if any(value is not None for value in (tier, days, alone, delay)):
        return declare_policy(store, model or "", tier=tier, days=days, one_person=alone, delay=delay)
    _check_model(store, model or "")
    return policy_of(store, model or "")


def declare_policy(
    store: Store,
    model: str,
    *,
    tier: str | None = None,
    days: int | None = None,
    one_person: bool | None = None,
    delay: str | None = None,
) -> ApprovalPolicy:
    """Declare what is asked for; what is None stays as it is. A decision of the ledger; nothing where nothing changes.

    To ask for less than before is up to people who answer for it, where there are any (`ANSWERING`): Refused for
    others, and for a service.
    """
    _check_model(store, model)
    check_policy_words(tier, days, delay)
    with store.transaction():
        before = policy_of(store, model)
        if tier is None and before.tier is None:
            raise InvalidInput("nothing is declared yet, and no tier is given", expected=" | ".join(TIERS))
        changes = {"tier": tier, "days": days, "one_person": one_person, "delay": delay}
        now: ApprovalPolicy = msgspec.structs.replace(
            before, **{name: value for name, value in changes.items() if value is not None}
        )
        own = store.query("approval_rule", {"model": model})
        if own and now == before:
            return before
        if _less(now, before):
            _check_may_lessen(store, model)
        detail = {"days": now.days, "one_person": now.one_person, "delay": now.delay}
        was = {"tier": before.tier, "days": before.days, "one_person": before.one_person, "delay": before.delay}
        decide(store, "approval_policy", model or "all models", {"tier": now.tier, **detail, "before": was})
        row: Row = {"model": model, "tier": now.tier, "detail": canonical_json(detail)}
        who = {"actor": store.actor.name, "actor_kind": store.actor.kind}
        if own:
            store.amend("approval_rule", {"model": model}, {**row, **who})
        else:
            store.append("approval_rule", row)
        return policy_of(store, model)


def check_policy_words(tier: str | None, days: int | None, delay: str | None, where: str | None = None) -> None:
    """InvalidInput for a tier, a number of days or a delay that cannot be."""
    if tier is not None and tier not in TIERS:
        close = nearest(tier, list(TIERS))
        hint = f"did you mean {close!r}?" if close else None
        raise InvalidInput(f"there is no risk tier {tier!r}", where=where, expected=" | ".join(TIERS), hint=hint)
    if days is not None and not 1 <= days <= _MOST_DAYS:
        raise InvalidInput(f"days is {days}", where=where, expected=f"1 to {_MOST_DAYS}: every approval expires")
    if delay is not None and checked_length(delay, "delay", where=where) < _LEAST_DELAY:
        raise InvalidInput(f"delay is {delay!r}", where=where, expected="1h or more: time to think again")


def _told(model: str, row: Row | None) -> ApprovalPolicy:
    name = model or "all models"
    if row is None:
        words = f"nothing is declared for {name}: no approval is asked for, the gate alone decides"
        return ApprovalPolicy(model=model, words=words)
    detail = msgspec.json.decode(row["detail"], type=_Detail)
    asked = {
        "low": "no approval is asked for, the gate alone decides",
        "medium": f"one peer has to agree ({', '.join(PEERS)})",
        "high": f"a peer ({', '.join(PEERS)}) and another person ({' or '.join(SECOND)}) have to agree",
    }[row["tier"]]
    words = f"{name}: risk tier {row['tier']}: {asked}"
    if row["tier"] != "low":
        words += f"; an approval counts for {detail.days} days"
        if detail.one_person:
            words += (
                f"; one-person team: while nobody else can agree, a version goes live {detail.delay} after it was "
                "asked for, with a review later"
            )
    return ApprovalPolicy(
        model=model,
        tier=row["tier"],
        days=detail.days,
        one_person=detail.one_person,
        delay=detail.delay,
        declared_by=row["actor"],
        declared=happened(row),
        words=words,
    )


def _less(now: ApprovalPolicy, before: ApprovalPolicy) -> bool:
    """Whether less is asked for than before."""
    if before.tier is None:
        return False
    assert now.tier is not None, "a tier that was declared is never taken away"
    lower = TIERS.index(now.tier) < TIERS.index(before.tier)
    sooner = checked_length(now.delay, "delay") < checked_length(before.delay, "delay")
    return lower or now.days > before.days or (now.one_person and (not before.one_person or sooner))


def _check_may_lessen(store: Store, model: str) -> None:
    people = {person for found in people_with(store, ANSWERING, model).values() for person in found}
    if store.actor.kind != "human" or (people and store.actor.name not in people):
        who = f"{store.actor.name} is {'a service' if store.actor.kind != 'human' else 'none of them'}"
        raise Refused(
            f"to ask for less than before is up to {', '.join(ANSWERING)}: {who}",
            expected=", ".join(sorted(people)) or "a person",
            hint="`assay role ls` shows who has which role",
        )


def _check_model(store: Store, model: str) -> None:
    if model and not store.query("registered_model", {"name": model}, limit=1):
        raise NotFound(f"there is no model {model!r}", where=store.location, hint="`assay models`")
