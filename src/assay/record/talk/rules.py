"""Which role has to know of which events, and how soon. Some are there from the beginning; a team adds and changes."""

import json
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, NotFound, nearest
from assay.operation import operation
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.ledger import decide
from assay.record.lengths import checked_length, written_length
from assay.record.notify.severity import checked_severity
from assay.record.notify.telling import EVENTS
from assay.record.people import ROLES
from assay.record.store import Row, Store
from assay.record.talk.quiet_hours import read_quiet_hours

__all__ = ["GOVERNANCE", "NAMED_WITHIN", "NoticeRule", "notice_rule", "notice_rules", "rules_for"]

GOVERNANCE = (  # of these every required role has to know: COMM-1
    "gate.failed",
    "gate.overridden",
    "approval.overridden",
    "incident.opened",
    "objective.review_opened",
)
NAMED_WITHIN = timedelta(days=2)  # for who is named by an event that says no other time
_ESCALATE_TO = ("owner", "management")
_NO_RULE = "the rules that count: `assay notify rules`"


class NoticeRule(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a role has to know of an event, and to read of it `within` a length of time such as "1d".

    `least` is the lowest severity that counts. In `quiet` hours nothing is sent that is not critical, and the time
    begins when they are over. Unread, it goes to those with the roles of `escalate_to`. `model` is empty for all;
    `default` says that nobody has set it. `off` is a rule that was taken away.
    """

    event: str
    role: str
    within: str
    least: str = "info"
    quiet: str | None = None
    escalate_to: list[str] = []
    model: str = ""
    default: bool = False
    off: bool = False

    def times(self, happened: datetime, *, critical: bool) -> tuple[datetime, datetime]:
        """When it may be sent, and until when somebody has to have read it."""
        sent = read_quiet_hours(self.quiet).over(happened) if self.quiet and not critical else happened
        length = written_length(self.within)
        assert length is not None, "lengths are checked where they are set"
        return sent, sent + length


def _defaults() -> dict[tuple[str, str], NoticeRule]:
    said = {
        "gate.failed": ("1d", "info", ("owner", "data-scientist")),
        "gate.overridden": ("1d", "info", ("owner", "validator", "compliance")),
        "approval.overridden": ("1d", "info", ("owner", "validator", "compliance")),
        "approval.review_due": ("1d", "info", ("owner", "compliance")),
        "incident.opened": ("4h", "info", ("owner", "operations")),
        "objective.review_opened": ("3d", "info", ("owner", "business-owner")),
        "alert.opened": ("1d", "warning", ("owner",)),  # of data among them: the owner hears of a broken column
        "alert.escalated": ("4h", "warning", ("owner", "operations")),
    }
    return {
        (event, role): NoticeRule(
            event=event, role=role, within=within, least=least, escalate_to=list(_ESCALATE_TO), default=True
        )
        for event, (within, least, roles) in said.items()
        for role in roles
    }


_DEFAULTS = _defaults()


@operation("notify rule")
def notice_rule(
    store: Store,
    event: Annotated[str, "Such as incident.opened; `assay notify rules` shows which count"],
    role: Annotated[str, "Who has to know: a role"],
    *,
    within: Annotated[str | None, "How soon it has to be read, such as 4h or 2d"] = None,
    least: Annotated[str | None, "The lowest severity that counts: info, warning or critical"] = None,
    quiet: Annotated[
        str | None, "When nothing is sent that is not critical: 22:00-07:00, also with a time zone; or none"
    ] = None,
    escalate_to: Annotated[str | None, "Roles that hear of it unread, with commas"] = None,
    model: Annotated[str, "For this model only; without it for all"] = "",
    off: Annotated[bool, "This role need not know of it"] = False,
    reason: Annotated[str | None, "Why; needed to take away who has to know of what concerns governance"] = None,
) -> NoticeRule:
    """Say that a role has to know of an event, and how soon.

    What is not said stays as it was. Who changes who has to know is on record in the ledger.
    """
    _check(event, role, within, least, quiet, model, store)
    roles = None if escalate_to is None else [part.strip() for part in escalate_to.split(",") if part.strip()]
    for one in roles or ():
        _known(one, list(ROLES), "role")
    with store.transaction():
        counting = {(rule.event, rule.role): rule for rule in rules_for(store, None, model or None)}
        before = counting.get((event, role))
        if off and before is None:
            raise NotFound(f"no rule says that {role} has to know of {event}", hint=_NO_RULE)
        if off and event in GOVERNANCE and not (reason or "").strip():
            raise InvalidInput(
                f"{role} has to know of {event} in every team that has the role",
                expected="why here it is otherwise: --reason TEXT",
            )
        start = before or NoticeRule(event=event, role=role, within="1d", escalate_to=list(_ESCALATE_TO))
        given: Row = {"within": within, "least": least, "quiet": quiet, "escalate_to": roles}
        changes = {name: value for name, value in given.items() if value is not None}
        if quiet == "none":
            changes["quiet"] = None
        rule = msgspec.structs.replace(start, **changes, model=model, default=False, off=off)
        now = iso(store.clock.latest())
        for row in store.query("notice_rule", {"event": event, "role": role, "model": model, "ended": None}):
            store.amend("notice_rule", {"rule_id": row["rule_id"]}, {"ended": now})
        detail = {"within": rule.within, "quiet": rule.quiet, "escalate_to": rule.escalate_to, "off": off}
        row = {"rule_id": new_id(), "event": event, "role": role, "severity": rule.least, "model": model}
        store.append("notice_rule", {**row, "detail": canonical_json(detail)})
        decide(store, "notice_rule", model or "all models", {**row, **detail, "reason": reason})
    return rule


@operation("notify rules")
def notice_rules(
    store: Store,
    *,
    model: Annotated[str | None, "Those that count for this model"] = None,
    event: Annotated[str | None, "Those for this event"] = None,
) -> list[NoticeRule]:
    """List who has to know of what, and how soon."""
    if event is not None:
        _known(event, list(EVENTS), "event")
    found = rules_for(store, event, model)
    return sorted(found, key=lambda rule: (rule.event, rule.role, rule.model))


def rules_for(store: Store, event: str | None, model: str | None) -> list[NoticeRule]:
    """The rules that count for an event (None: for each) of a model: its own, else those of all, else the defaults."""
    found = {key: rule for key, rule in _DEFAULTS.items() if event in (None, rule.event)}
    where: Row = {"ended": None, "model in": ["", model] if model else [""]}
    if event is not None:
        where["event"] = event
    for row in store.query("notice_rule", where, order_by=["model", "ts"]):  # those of the model come last
        said = json.loads(row["detail"])
        found[row["event"], row["role"]] = NoticeRule(
            event=row["event"], role=row["role"], least=row["severity"], model=row["model"], **said
        )
    return [rule for rule in found.values() if not rule.off]


def _check(
    event: str, role: str, within: str | None, least: str | None, quiet: str | None, model: str, store: Store
) -> None:
    _known(event, list(EVENTS), "event")
    _known(role, list(ROLES), "role")
    if within is not None:
        checked_length(within, "--within", zero=False)
    if least is not None:
        checked_severity(least)
    if quiet is not None and quiet != "none":
        read_quiet_hours(quiet)
    if model and not store.query("registered_model", {"name": model}, limit=1):
        raise NotFound(f"there is no model {model!r}", where=store.location, hint="`assay models`")


def _known(name: str, names: list[str], what: str) -> None:
    if name not in names:
        close = nearest(name, names)
        hint = f"did you mean {close!r}?" if close else None
        raise InvalidInput(f"there is no {what} {name!r}", expected=", ".join(names), hint=hint)
