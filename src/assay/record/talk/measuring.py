"""Who had to know, was told, read and acted, measured: rules COMM-1 and ACK-1 of maturity, from the notices alone."""

import statistics
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.clock import happened, iso, moment, written_moment
from assay.record.lengths import checked_length
from assay.record.people import ROLES
from assay.record.store import Row, Store
from assay.record.talk.comments import is_unanswered
from assay.record.talk.rules import GOVERNANCE
from assay.record.talk.spreading import NAMED
from assay.record.talk.standing import catch_up
from assay.stats.intervals import wilson

__all__ = ["Acknowledged", "Communication", "Reached", "measure_communication"]

_HOUR_S = 3_600
_GIVEN_UP = ("false alarm", "accepted")  # how an alert is closed about which nothing was done


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """Of one event and role: how often somebody had to know, and how often that went as it should.

    `told`: somebody had the role; `sent`: a channel of theirs took it; `in_time`: read or acted on within its time.
    `pending` are not read and not due yet: they are not counted in the others. `people` says who had to know.
    """

    event: str
    role: str
    had_to_know: int
    told: int
    sent: int
    read: int
    acted: int
    in_time: int
    pending: int
    people: list[str]


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """ACK-1: of the alerts that were opened, how soon somebody said that they look, and how they were closed.

    Shares are None where there is nothing to divide by.
    """

    alerts: int
    acknowledged: int
    median_hours: float | None
    closed: int
    acted_share: float | None
    ignored: int
    ignored_with_reason: int


class Communication(msgspec.Struct, frozen=True, kw_only=True):
    """How well people were told from `since` to `as_of`.

    `share` is COMM-1: of `n` governance events that were due, those of which every required role knew in time; with
    Wilson's 95 % interval, None where there were none. `pending` of them are not due yet. `nobody` are roles that
    had to know and that nobody had. Questions and comments for somebody wait more than five days in `unanswered`;
    `reviews_overdue` are decisions whose review date has passed.
    """

    since: str
    as_of: str
    share: float | None
    low: float | None
    high: float | None
    n: int
    pending: int
    reached: list[Reached]
    nobody: list[str]
    acknowledged: Acknowledged
    unanswered: int
    reviews_overdue: int


@operation("notices measure")
def measure_communication(
    store: Store,
    *,
    since: Annotated[str, "How far back, such as 90d"] = "90d",
    as_of: Annotated[str | None, "As it was known then, such as 2026-03-01; without it now"] = None,
    model: Annotated[str | None, "Only of this model"] = None,
    everything: Annotated[bool, "The table also of what does not concern governance"] = False,
) -> Communication:
    """Measure who had to know, was told, read and acted, and the share that knew in time."""
    now = store.clock.latest()
    if as_of is not None:
        given = written_moment(as_of)
        if given is None:
            raise InvalidInput(f"--as-of is {as_of!r}", expected="a time such as 2026-03-01T10:00Z")
        now = min(given, now)
    start = now - checked_length(since, "--since", zero=False)
    catch_up(store)
    rows = _notices(store, start, now, model)
    governed = [row for row in rows if row["event"] in GOVERNANCE]
    outcomes = _outcomes(governed, now)
    n, good = len(outcomes), sum(outcomes.values())
    known = {row["event_id"] for row in governed}
    ends = wilson(good, n) if n else None
    shown = rows if everything else governed
    return Communication(
        since=iso(start),
        as_of=iso(now),
        share=good / n if n else None,
        low=ends.low if ends else None,
        high=ends.high if ends else None,
        n=n,
        pending=len(known) - n,
        reached=[_reached(key, found, now) for key, found in sorted(_by(shown, "event", "role").items())],
        nobody=_nobody(shown),
        acknowledged=_acknowledged(store, start, now, model),
        unanswered=_unanswered(store, now),
        reviews_overdue=_overdue(store, now, model),
    )


def _notices(store: Store, start: datetime, now: datetime, model: str | None) -> list[Row]:
    """Those of events that happened in between, as they stood `now`: what came later is left out."""
    rows = store.query("notice", {"model": model} if model else {}, order_by=["ts", "notice_id"])
    found = []
    for row in rows:
        if iso(start) <= happened(row) <= iso(now):
            later = {name: None for name in ("sent", "read", "acted", "escalated") if (row[name] or "") > iso(now)}
            found.append({**row, **later})
    return found


def _outcomes(rows: Sequence[Row], now: datetime) -> dict[str, bool]:
    """Of each event that is decided, whether every role that had to know knew in time."""
    found: dict[str, bool] = {}
    for (event_id,), group in _by(rows, "event_id").items():
        roles = [_in_time(one, now) for one in _by(group, "role").values()]
        if any(one is False for one in roles):
            found[event_id] = False
        elif all(roles):
            found[event_id] = True
    return found


def _in_time(rows: Sequence[Row], now: datetime) -> bool | None:
    """Whether somebody of a role knew in time of an event; None where that is not decided yet."""
    if any((_knew(row) or "~") <= row["due"] for row in rows):
        return True
    return False if all(not row["person"] or moment(row["due"]) <= now for row in rows) else None


def _knew(row: Row) -> str | None:
    return min((time for time in (row["read"], row["acted"]) if time), default=None)


def _reached(key: tuple[str, ...], rows: Sequence[Row], now: datetime) -> Reached:
    event, role = key
    groups = list(_by(rows, "event_id").values())
    decided = [group for group in groups if _in_time(group, now) is not None]

    def count(name: str) -> int:
        return sum(any(row[name] for row in group) for group in decided)

    return Reached(
        event=event,
        role=role,
        had_to_know=len(decided),
        told=count("person"),
        sent=count("sent"),
        read=count("read"),
        acted=count("acted"),
        in_time=sum(_in_time(group, now) is True for group in decided),
        pending=len(groups) - len(decided),
        people=sorted({row["person"] for row in rows if row["person"]}),
    )


def _nobody(rows: Sequence[Row]) -> list[str]:
    missing = {(row["role"], row["model"] or "") for row in rows if not row["person"] and row["role"] != NAMED}
    return [f"{role}{f' for {model}' if model else ''}: {ROLES.get(role, '')}" for role, model in sorted(missing)]


def _acknowledged(store: Store, start: datetime, now: datetime, model: str | None) -> Acknowledged:
    where: Row = {"opened >=": iso(start), "opened <=": iso(now)} | ({"model": model} if model else {})
    rows = store.query("alert", where)
    seen = [row for row in rows if row["acked"] and row["acked"] <= iso(now)]
    closed = [row for row in rows if row["closed"] and row["closed"] <= iso(now)]
    ignored = [row for row in closed if row["action"] in _GIVEN_UP]
    waits = [(moment(row["acked"]) - moment(row["opened"])).total_seconds() / _HOUR_S for row in seen]
    return Acknowledged(
        alerts=len(rows),
        acknowledged=len(seen),
        median_hours=statistics.median(waits) if waits else None,
        closed=len(closed),
        acted_share=(len(closed) - len(ignored)) / len(closed) if closed else None,
        ignored=len(ignored),
        ignored_with_reason=sum(bool((row["reason"] or "").strip()) for row in ignored),
    )


def _unanswered(store: Store, now: datetime) -> int:
    rows = [row for row in store.query("comment", order_by=["ts"]) if happened(row) <= iso(now)]
    return sum(is_unanswered(store, row, rows) for row in rows)


def _overdue(store: Store, now: datetime, model: str | None) -> int:
    where: Row = {"review_due <": iso(now)} | ({"model": model} if model else {})
    over = {row["supersedes"] for row in store.query("decision_record", {"supersedes !=": None})}
    return sum(row["record_id"] not in over for row in store.query("decision_record", where))


def _by(rows: Sequence[Row], *names: str) -> dict[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found
