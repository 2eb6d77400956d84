"""Time that people spend on projects: what they say themselves, and what their runs took, none of it counted twice."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import sqlalchemy as sa

from assay.errors import Conflict, InvalidInput
from assay.operation import operation
from assay.record.clock import iso, moment
from assay.record.identity import new_id
from assay.record.schema import TABLES
from assay.record.store import Row, Store
from assay.record.tracking.projects import Project, find_project, list_projects

__all__ = ["TimeEntry", "TimeLine", "TimeReport", "add_time", "start_time", "stop_time", "time_report"]

_BY = ("project", "person", "activity")
_MOST_HOURS = 24 * 366.0
_OF_RUNS = "runs"
_Span = tuple[datetime, datetime]


class TimeEntry(msgspec.Struct, frozen=True):
    """Time of a person; `ended` is None while it goes on."""

    entry_id: str
    project: str
    activity: str
    person: str
    started: str
    ended: str | None
    note: str | None


class TimeLine(msgspec.Struct, frozen=True):
    """Hours under one heading; a heading that was not asked for is None.

    `hours` was entered, `run_hours` is the time of runs outside of it, `cpu_hours` what those runs computed.
    """

    project: str | None
    person: str | None
    activity: str | None
    hours: float
    run_hours: float
    total_hours: float
    cpu_hours: float


class TimeReport(msgspec.Struct, frozen=True):
    """Where time went, most first, and the projects that are late."""

    by: list[str]
    lines: list[TimeLine]
    late: list[Project]


@operation("time start")
def start_time(
    store: Store,
    project: str,
    *,
    activity: Annotated[str, "What is done, such as labelling"] = "work",
    note: Annotated[str | None, "A remark"] = None,
    person: Annotated[str | None, "Whose time; yours if left out"] = None,
) -> TimeEntry:
    """Start the clock of a person on a project."""
    person = person or store.actor.name
    with store.transaction():
        _require_open(store, project)
        running = _running(store, person)
        if running:
            raise Conflict(f"the time of {person} runs on {running[0]['project']} already", hint="assay time stop")
        return _append(store, project, activity, person, store.clock.now(), None, note)


@operation("time stop")
def stop_time(
    store: Store,
    *,
    person: Annotated[str | None, "Whose time; yours if left out"] = None,
) -> TimeEntry:
    """Stop the clock of a person."""
    person = person or store.actor.name
    with store.transaction():
        running = _running(store, person)
        if not running:
            raise Conflict(f"no time of {person} runs", hint="assay time start PROJECT")
        row = running[0]
        ended = max(iso(store.clock.now()), row["started"])  # a clock that went back makes no negative time
        store.amend("time_entry", {"entry_id": row["entry_id"]}, {"ended": ended})
    return _entry({**row, "ended": ended})


@operation("time add")
def add_time(
    store: Store,
    project: str,
    hours: float,
    *,
    start: Annotated[str | None, "When it began, such as 2026-12-01T09:00; if left out it ended just now"] = None,
    activity: Annotated[str, "What was done, such as labelling"] = "work",
    note: Annotated[str | None, "A remark"] = None,
    person: Annotated[str | None, "Whose time; yours if left out"] = None,
) -> TimeEntry:
    """Enter time that was spent on a project, in hours."""
    if not 0 < hours <= _MOST_HOURS:
        raise InvalidInput(f"{hours} hours cannot be entered", expected="more than 0, at most a year")
    length = timedelta(hours=hours)
    began = _time(start) if start is not None else store.clock.now() - length
    with store.transaction():
        _require_open(store, project)
        return _append(store, project, activity, person or store.actor.name, began, began + length, note)


@operation("time report")
def time_report(
    store: Store,
    *,
    by: Annotated[str, "Headings with commas between: project, person, activity"] = "project,person",
    since: Annotated[str | None, "Count from this day or time on"] = None,
) -> TimeReport:
    """Say where time went: what was entered and what runs took besides, and which projects are late.

    Time of a person on a project counts once: entries that overlap, and runs beside them or beside each other.
    """
    headings = [name.strip() for name in by.split(",")]
    if not set(headings) <= set(_BY):
        raise InvalidInput(f"time cannot be reported by {by!r}", expected="some of project, person, activity")
    start = _time(since) if since is not None else datetime.min.replace(tzinfo=UTC)
    entered, of_runs, cpu = _collect(store, start)
    sums: dict[tuple[str | None, ...], list[float]] = {}

    def count(project: str, person: str, activity: str, *hours: float) -> None:
        values = {"project": project, "person": person, "activity": activity}
        line = sums.setdefault(tuple(values[name] if name in headings else None for name in _BY), [0.0, 0.0, 0.0])
        for place, more in enumerate(hours):
            line[place] += more

    for project, person in sorted(entered.keys() | of_runs.keys()):
        spans = sorted(entered.get((project, person), []))
        reach = start
        for began, ended, activity in spans:
            count(project, person, activity, _hours(max(began, reach), ended), 0.0, 0.0)
            reach = max(reach, ended)
        if (project, person) in of_runs:
            plain = [(began, ended) for began, ended, _ in spans]
            besides = _covered([*plain, *of_runs[project, person]]) - _covered(plain)
            count(project, person, _OF_RUNS, 0.0, besides, cpu[project, person])
    lines = [
        TimeLine(project, person, activity, round(own, 4), round(run, 4), round(own + run, 4), used)
        for (project, person, activity), (own, run, used) in sums.items()
    ]
    lines.sort(key=lambda line: (-line.total_hours, line.project or "", line.person or "", line.activity or ""))
    return TimeReport(headings, lines, [project for project in list_projects(store) if project.late])


def _collect(
    store: Store, start: datetime
) -> tuple[
    dict[tuple[str, str], list[tuple[datetime, datetime, str]]],
    dict[tuple[str, str], list[_Span]],
    dict[tuple[str, str], float],
]:
    """By project and person: what was entered, when runs went on, and their hours of CPU."""
    now, since = store.clock.now(), iso(start)
    entered: dict[tuple[str, str], list[tuple[datetime, datetime, str]]] = {}
    for row in store.query("time_entry"):
        ended = moment(row["ended"]) if row["ended"] else now
        if ended > start:
            span = (max(moment(row["started"]), start), ended, row["activity"])
            entered.setdefault((row["project"], row["person"]), []).append(span)
    projects = {row["experiment_id"]: row["project"] or "" for row in store.query("experiment")}
    of_runs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    cpu: dict[tuple[str, str], float] = {}
    run = TABLES["run"]
    columns = [run.c[name] for name in ("experiment_id", "actor", "started", "ended", "seen", "cpu_s")]
    for row in store.select(sa.select(*columns).where(run.c.status != "scheduled")):  # there may be very many
        until = row["ended"] or row["seen"] or row["started"]
        if until > since:
            key = (projects.get(row["experiment_id"], ""), row["actor"])
            of_runs.setdefault(key, []).append((max(row["started"], since), until))
            cpu[key] = cpu.get(key, 0.0) + (row["cpu_s"] or 0.0) / 3600
    return entered, {key: _merged(spans) for key, spans in of_runs.items()}, cpu


def _merged(spans: list[tuple[str, str]]) -> list[_Span]:
    """Spans that overlap as one. Times of the store sort as text, and of many runs few spans are left to be read."""
    merged: list[tuple[str, str]] = []
    for began, ended in sorted(spans):
        if merged and began <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ended))
        else:
            merged.append((began, ended))
    return [(moment(began), moment(ended)) for began, ended in merged]


def _covered(spans: Iterable[_Span]) -> float:
    """Hours that at least one of the spans covers."""
    total = 0.0
    reach = datetime.min.replace(tzinfo=UTC)
    for began, ended in sorted(spans):
        total += _hours(max(began, reach), ended)
        reach = max(reach, ended)
    return total


def _hours(began: datetime, ended: datetime) -> float:
    return max((ended - began).total_seconds(), 0.0) / 3600


def _running(store: Store, person: str) -> list[Row]:
    return store.query("time_entry", {"person": person, "ended": None})


def _require_open(store: Store, project: str) -> None:
    if find_project(store, project).closed:
        raise Conflict(f"project {project!r} is closed", hint="it takes no more time")


def _append(
    store: Store, project: str, activity: str, person: str, began: datetime, ended: datetime | None, note: str | None
) -> TimeEntry:
    if not activity.strip():
        raise InvalidInput("the activity has no name", expected="at least one character")
    row: Row = {"entry_id": new_id(), "project": project, "activity": activity, "person": person, "started": iso(began)}
    row |= {"ended": iso(ended) if ended is not None else None, "note": note}
    store.append("time_entry", row)
    return _entry(row)


def _entry(row: Row) -> TimeEntry:
    return TimeEntry(**{name: row[name] for name in TimeEntry.__struct_fields__})


def _time(text: str) -> datetime:
    """A day or a time; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no time", expected="such as 2026-12-01 or 2026-12-01T09:00") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
