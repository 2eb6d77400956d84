"""How alerts are handled: how long one may wait for a person, when it is the same again, and who has to look."""

from datetime import timedelta
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.changes import note_change
from assay.record.lengths import FORM, written_length
from assay.record.store import Row, Store

__all__ = ["AlertRules", "alert_rules", "rules_of"]

_LENGTHS = ("escalate_after", "critical_after", "same_within")


class AlertRules(msgspec.Struct, frozen=True, kw_only=True):
    """How the alerts of a model are handled, or those of all models where `model` is empty.

    One that nobody acknowledged is raised after `escalate_after`, a critical one is told again after `critical_after`.
    What comes back within `same_within` of its closing is the same alert. `owner` and `runbook` are those of alerts
    that name none. Lengths are texts such as "4h".
    """

    model: str = ""
    escalate_after: str = "4h"
    critical_after: str = "1h"
    same_within: str = "1d"
    owner: str | None = None
    runbook: str | None = None

    def length(self, name: str) -> timedelta:
        """One of the lengths."""
        found = written_length(getattr(self, name))
        assert found is not None, "lengths are checked where they are set"
        return found


def rules_of(store: Store, model: str | None) -> AlertRules:
    """The rules of a model: what is set for it, else for all, else the defaults."""
    rows = store.query("alert_rule", {"model in": ["", model or ""]}, order_by=["model"])
    said = {name: row[name] for row in rows for name in AlertRules.__struct_fields__[1:] if row[name] is not None}
    return AlertRules(model=model or "", **said)


@operation("monitor rules")
def alert_rules(
    store: Store,
    model: Annotated[str | None, "Of which model; without it of all"] = None,
    *,
    escalate_after: Annotated[str | None, "How long an alert may wait for a person, such as 4h"] = None,
    critical_after: Annotated[str | None, "How long a critical one may wait, such as 30m"] = None,
    same_within: Annotated[
        str | None, "How long after its closing an alert that comes back is the same, such as 1d"
    ] = None,
    owner: Annotated[str | None, "Who looks at alerts that name nobody"] = None,
    runbook: Annotated[str | None, "Where it says what to do"] = None,
) -> AlertRules:
    """Say how alerts are handled, of a model or of all, or show what counts."""
    given: Row = {"escalate_after": escalate_after, "critical_after": critical_after, "same_within": same_within}
    given |= {"owner": owner, "runbook": runbook}
    changes = {name: value for name, value in given.items() if value is not None}
    for name in _LENGTHS:
        if name in changes and not written_length(changes[name]):
            raise InvalidInput(f"{name} is {changes[name]!r}", expected=FORM)
    if changes:
        key = {"model": model or ""}
        with store.transaction():
            store.append_many("alert_rule", [key], skip_existing=True)
            before = store.get("alert_rule", key)
            store.amend("alert_rule", key, changes)
            for name, value in changes.items():
                note_change(store, "alert_rule", key["model"], name, before=before[name], after=value)
    return rules_of(store, model)
