"""`[alert_rules]` in `assay.toml`: who hears of the alerts of a project's model, whose they are, how long they wait."""

from collections.abc import Iterator

import msgspec

from assay.errors import InvalidInput, nearest
from assay.operate.monitors.definition import KINDS
from assay.record.alerts.rules import LENGTHS, AlertRoute, rules_of, write_rules
from assay.record.canonical import canonical_json
from assay.record.lengths import checked_length
from assay.record.store import Row, Store

__all__ = ["AlertRulesPart", "check_alert_rules", "declare_alert_rules"]

_KINDS = (*KINDS, "data", "incident")


class AlertRulesPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the alerts of the project's model are handled; what is not said is as it is for all models.

    `routes` say more of some of them: the first that fits an alert counts.
    """

    escalate_after: str | None = None
    critical_after: str | None = None
    same_within: str | None = None
    owner: str | None = None
    runbook: str | None = None
    routes: list[AlertRoute] = []


def check_alert_rules(part: AlertRulesPart) -> Iterator[tuple[list[str | int], InvalidInput]]:
    """What is wrong in it, each with the keys of its place below the part."""
    for name in LENGTHS:
        yield from _length(getattr(part, name), name, [name])
    for number, route in enumerate(part.routes):
        place: list[str | int] = ["routes", number]
        for name in ("escalate_after", "critical_after"):
            yield from _length(getattr(route, name), name, [*place, name])
        for kind in route.kinds:
            if kind not in _KINDS:
                close = nearest(kind, list(_KINDS))
                hint = f"did you mean {close!r}?" if close else None
                error = InvalidInput(f"no alert is of the kind {kind!r}", expected=", ".join(_KINDS), hint=hint)
                yield [*place, "kinds"], error
        if route.least == "info" and not route.kinds and number < len(part.routes) - 1:
            error = InvalidInput("this route fits every alert", expected="it as the last one, or `least`, or `kinds`")
            yield place, error


def declare_alert_rules(store: Store, model: str, part: AlertRulesPart, *, where: str = "alert_rules") -> None:
    """Put the rules of a model in place as the file says them; the same again changes nothing.

    InvalidInput for a new route to a channel that is not there.
    """
    known = {name for route in rules_of(store, model).routes for name in route.channels}
    there = {row["name"] for row in store.query("webhook", {"deleted": None})}
    for number, route in enumerate(part.routes):
        for name in route.channels:
            if name not in there and name not in known:  # one that went away later holds nothing up
                close = nearest(name, sorted(there))
                raise InvalidInput(
                    f"there is no channel {name!r}",
                    where=f"{where}.routes, number {number + 1}",
                    expected=", ".join(sorted(there)) or "a channel",
                    hint=f"did you mean {close!r}?" if close else f"assay notify add {name} ...",
                )
    said: Row = {name: getattr(part, name) for name in AlertRulesPart.__struct_fields__ if name != "routes"}
    routes = canonical_json(msgspec.to_builtins(part.routes)) if part.routes else None
    write_rules(store, model, {**said, "routes": routes})


def _length(text: str | None, name: str, keys: list[str | int]) -> Iterator[tuple[list[str | int], InvalidInput]]:
    if text is not None:
        try:
            checked_length(text, name, zero=False)
        except InvalidInput as error:
            yield keys, error
