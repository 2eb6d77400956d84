"""Projects: who answers for each, when it is due, what is late, and where the time went."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from assay.record.store import Row, Store
from assay.record.tracking.projects import Project, find_project, list_projects
from assay.record.tracking.timekeeping import TimeLine, time_report
from assay.server.pages.rendering import render

__all__ = ["Hours", "show", "show_all"]

_LISTED = 200
_ENTRIES = 100


class Hours(msgspec.Struct, frozen=True):
    """Hours of one project: by person and activity, and their sums."""

    lines: list[TimeLine]
    entered: float
    of_runs: float
    total: float


def show_all(store: Store, request: Request) -> Response:
    """All projects by the day they are due, and hours by project and person from `since` on."""
    since = request.query_params.get("since", "").strip()
    report = time_report(store, by="project,person,activity", since=since or None)
    projects = list_projects(store, everything=True)
    by_project: dict[str, list[TimeLine]] = {}
    for line in report.lines:
        by_project.setdefault(line.project or "", []).append(line)
    return render(
        store,
        request,
        "projects.html",
        title="Projects",
        place="/projects",
        since=since,
        projects=sorted(projects, key=lambda one: one.closed is not None),
        late=report.late,
        hours={name: _hours(lines) for name, lines in by_project.items()},
        lines=report.lines[:_LISTED],
        cut=len(report.lines) > _LISTED,
        days=_days_late(store, report.late),
    )


def show(store: Store, request: Request) -> Response:
    """A project: its experiments, its hours by person and activity, and what was entered last."""
    project = find_project(store, request.path_params["name"])
    report = time_report(store, by="project,person,activity")
    return render(
        store,
        request,
        "project.html",
        title=project.project,
        place="/projects",
        project=project,
        days=_days_late(store, [project] if project.late else []).get(project.project),
        hours=_hours([line for line in report.lines if line.project == project.project]),
        experiments=_experiments(store, project.project),
        entries=store.query("time_entry", {"project": project.project}, order_by=["-started"], limit=_ENTRIES),
    )


def _hours(lines: list[TimeLine]) -> Hours:
    entered, of_runs = sum(line.hours for line in lines), sum(line.run_hours for line in lines)
    return Hours(lines, entered, of_runs, entered + of_runs)


def _days_late(store: Store, late: list[Project]) -> dict[str, int]:
    """How many days have passed since each was due."""
    today = store.clock.now().date()
    return {one.project: (today - today.fromisoformat(one.due)).days for one in late if one.due}


def _experiments(store: Store, project: str) -> list[Row]:
    return store.query("experiment", {"project": project, "deleted": None}, order_by=["name"], limit=_LISTED)
