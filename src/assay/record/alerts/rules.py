"""How alerts are handled: how long one may wait for a person, when it is the same again, and who has to look."""

from datetime import timedelta
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.changes import note_change
from assay.record.lengths import FORM, written_length
from assay.record.notify.severity import Severity, rank
from assay.record.store import Row, Store

__all__ = ["LENGTHS", "AlertRoute", "AlertRules", "alert_rules", "kind_of", "rules_for", "rules_of", "write_rules"]

LENGTHS = ("escalate_after", "critical_after", "same_within")


class AlertRoute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who hears of some alerts: of those at least as bad as `least`, of these `kinds` (of all where none is named).

    A kind is that of the monitor, or what the alert's key begins with, such as `data`; `incident` is what incidents
    without an alert are. Only the named `channels` are told, all that asked where none is. The rest goes before what
    the rules say.
    """

    least: Severity = "info"
    kinds: list[str] = []
    channels: list[str] = []
    owner: str | None = None
    runbook: str | None = None
    escalate_after: str | None = None
    critical_after: str | None = None

    def fits(self, kind: str, severity: str) -> bool:
        """Whether it is about alerts of that kind and severity."""
        return rank(severity) >= rank(self.least) and (not self.kinds or kind in self.kinds)


_PLAIN = (*LENGTHS, "owner", "runbook")
_OF_ROUTE = ("escalate_after", "critical_after", "owner", "runbook")


class AlertRules(msgspec.Struct, frozen=True, kw_only=True):
    """How the alerts of a model are handled, or those of all models where `model` is empty.

    One that nobody acknowledged is raised after `escalate_after`, a critical one is told again after `critical_after`.
    What comes back within `same_within` of its closing is the same alert. `owner` and `runbook` are those of alerts
    that name none. Lengths are texts such as "4h". Of `routes` the first that fits an alert counts.
    """

    model: str = ""
    escalate_after: str = "4h"
    critical_after: str = "1h"
    same_within: str = "1d"
    owner: str | None = None
    runbook: str | None = None
    routes: list[AlertRoute] = []
    route: AlertRoute | None = None  # the one that fits, in the rules for one alert

    def length(self, name: str) -> timedelta:
        """One of the lengths."""
        found = written_length(getattr(self, name))
        assert found is not None, "lengths are checked where they are set"
        return found


def rules_of(store: Store, model: str | None) -> AlertRules:
    """The rules of a model: what is set for it, else for all, else the defaults."""
    rows = store.query("alert_rule", {"model in": ["", model or ""]}, order_by=["model"])
    said = {name: row[name] for row in rows for name in _PLAIN if row[name] is not None}
    kept = [msgspec.json.decode(row["routes"], type=list[AlertRoute]) for row in reversed(rows) if row["routes"]]
    return AlertRules(model=model or "", routes=[one for several in kept for one in several], **said)


def rules_for(store: Store, model: str | None, kind: str, severity: str) -> AlertRules:
    """The rules for one alert: those of its model, with what the first route that fits says."""
    rules = rules_of(store, model)
    route = next((one for one in rules.routes if one.fits(kind, severity)), None)
    if route is None:
        return rules
    said = {name: value for name in _OF_ROUTE if (value := getattr(route, name)) is not None}
    return msgspec.structs.replace(rules, route=route, **said)


def kind_of(store: Store, key: str | None, monitor_id: str | None) -> str:
    """What routes ask of an alert: the kind of its monitor, else what its key begins with."""
    rows = store.query("monitor", {"monitor_id": monitor_id}, limit=1) if monitor_id else []
    return str(rows[0]["kind"]) if rows else (key or "").partition(":")[0]


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
    for name in LENGTHS:
        if name in changes and not written_length(changes[name]):
            raise InvalidInput(f"{name} is {changes[name]!r}", expected=FORM)
    if changes:
        write_rules(store, model or "", changes)
    return rules_of(store, model)


def write_rules(store: Store, model: str, said: Row) -> None:
    """Write columns of the rules of a model, of all where it is empty; what is so already is no change."""
    key = {"model": model}
    with store.transaction():
        store.append_many("alert_rule", [key], skip_existing=True)
        before = store.get("alert_rule", key)
        changes = {name: value for name, value in said.items() if before[name] != value}
        if changes:
            store.amend("alert_rule", key, changes)
        for name, value in changes.items():
            note_change(store, "alert_rule", model, name, before=before[name], after=value)
