"""Conditions of an approval, as people write them: a few that can be checked, each when the version goes live."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from assay.errors import InvalidInput
from assay.prove.approvals.plan import Going, Plan
from assay.record.clock import iso, moment, written_moment
from assay.record.lengths import UNITS, written_length
from assay.record.store import Store

__all__ = ["FORMS", "Condition", "ConditionCheck", "check_condition", "read_condition", "read_conditions"]

Kind = Literal["ran", "after", "no alert", "no incident", "drill"]
FORMS = (
    '"canary >= 48h" (also shadow, ab)',
    '"after 2026-12-01"',
    '"no open alert"',
    '"no open incident"',
    '"rollback drill <= 30d"',
)
_RAN = re.compile(r"(shadow|canary|ab)>=(\w+)")
_DRILL = re.compile(r"rollbackdrill<=(\w+)")


class Condition(msgspec.Struct, frozen=True):
    """What has to hold when a version goes fully live. `value` is a stage and a length, a moment, or a length."""

    kind: Kind
    text: str
    stage: str = ""
    seconds: int = 0
    moment: str = ""


class ConditionCheck(msgspec.Struct, frozen=True):
    """Whether a condition holds; `words` say what was found. `stage` is the one whose length it is about, if it is."""

    condition: str
    verdict: Literal["pass", "fail"]
    words: str
    stage: str = ""


def read_condition(text: str, plan: Plan | None = None) -> Condition:
    """What the words of a condition ask for.

    InvalidInput for words that nothing could check, and for a stage that the plan does not have: an approval must not
    hang on what nobody will ever know.
    """
    said = " ".join(text.split())
    bare = said.replace(" ", "").casefold()
    if found := _RAN.fullmatch(bare):
        length = written_length(found[2])
        if length:
            if plan is not None and found[1] not in re.findall(r"[a-z]+", plan.strategy):
                raise InvalidInput(
                    f"the condition {said!r} can never hold: the plan {plan.strategy!r} has no {found[1]}",
                    expected="a stage of the plan",
                    hint='ask for another plan: assay approve request MODEL VERSION --plan "canary:5,25,50"',
                )
            return Condition("ran", f"{found[1]} >= {found[2]}", stage=found[1], seconds=int(length.total_seconds()))
    if (found := _DRILL.fullmatch(bare)) and (length := written_length(found[1])):
        return Condition("drill", f"rollback drill <= {found[1]}", seconds=int(length.total_seconds()))
    if bare.startswith("after") and (when := written_moment(said[len("after") :].strip().upper())):
        return Condition("after", f"after {iso(when)[:16]}Z", moment=iso(when))
    if bare in ("noopenalert", "noopenincident"):
        kind: Kind = "no alert" if bare == "noopenalert" else "no incident"
        return Condition(kind, "no open alert" if kind == "no alert" else "no open incident")
    raise InvalidInput(
        f"the condition {said!r} cannot be checked",
        expected=", ".join(FORMS),
        hint="what cannot be checked belongs into --comment, or is a reason to reject",
    )


def read_conditions(text: str | None) -> tuple[Condition, ...]:
    """The conditions that an approval keeps, as JSON."""
    return msgspec.json.decode(text, type=tuple[Condition, ...]) if text else ()


def check_condition(store: Store, one: Condition, model: str, going: Going, at: datetime) -> ConditionCheck:
    """Whether a condition holds at a moment for a version that goes live so."""
    held, words = _CHECKS[one.kind](store, one, model, going, at)
    return ConditionCheck(one.text, "pass" if held else "fail", words, one.stage)


def _ran(_store: Store, one: Condition, _model: str, going: Going, _at: datetime) -> tuple[bool, str]:
    ran = going.ran.get(one.stage, 0.0)
    if ran >= one.seconds:
        return True, f"{one.stage} ran for {_length(ran)}"
    return False, f"{one.stage} ran for {_length(ran)}, {_length(one.seconds - ran)} are missing"


def _after(_store: Store, one: Condition, _model: str, _going: Going, at: datetime) -> tuple[bool, str]:
    return at >= moment(one.moment), f"it is {iso(at)[:16]}Z"


def _no_alert(store: Store, _one: Condition, model: str, _going: Going, _at: datetime) -> tuple[bool, str]:
    rows = store.query("alert", {"model": model, "closed": None, "severity !=": "info"})
    return _none_open(rows, "alert", "message")


def _no_incident(store: Store, _one: Condition, model: str, _going: Going, _at: datetime) -> tuple[bool, str]:
    return _none_open(store.query("incident", {"model": model, "restored": None, "closed": None}), "incident", "title")


def _none_open(rows: "Sequence[dict[str, object]]", kind: str, title: str) -> tuple[bool, str]:
    if not rows:
        return True, f"no {kind} is open"
    return False, f"{len(rows)} open: {rows[0][title]}"


def _drill(store: Store, one: Condition, model: str, _going: Going, at: datetime) -> tuple[bool, str]:
    rows = store.query("drill", {"model": model, "kind": "rollback", "result": "pass"}, order_by=["-ts"], limit=1)
    if not rows:
        return False, "no rollback was ever rehearsed"
    age = (at - moment(rows[0]["event_ts"] or rows[0]["ts"])).total_seconds()
    return age <= one.seconds, f"the last one was {_length(max(age, 0.0))} ago"


def _length(seconds: float) -> str:
    for unit in ("d", "h", "m"):
        if seconds >= 2 * UNITS[unit]:
            return f"{seconds / UNITS[unit]:.0f} {'min' if unit == 'm' else unit}"
    return f"{seconds:.0f} s"


_CHECKS = {"ran": _ran, "after": _after, "no alert": _no_alert, "no incident": _no_incident, "drill": _drill}
