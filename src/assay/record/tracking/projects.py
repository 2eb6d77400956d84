"""Projects: what work belongs to, with an owner and a day on which it is due. An experiment belongs to one at most."""

from datetime import date
from typing import Annotated

import msgspec

from assay.errors import AlreadyExists, Conflict, InvalidInput, NotFound, nearest
from assay.operation import operation
from assay.record.changes import note_change
from assay.record.clock import iso
from assay.record.store import Row, Store
from assay.record.tracking.experiments import experiment_named

__all__ = ["Project", "close_project", "find_project", "list_projects", "new_project", "put_into_project"]


class Project(msgspec.Struct, frozen=True):
    """A project. `due` is a day such as 2026-12-31; `late`: that day has passed and it is still open."""

    project: str
    owner: str
    due: str | None
    description: str | None
    closed: str | None
    experiments: int
    late: bool


@operation("project new", creates_store=True)
def new_project(
    store: Store,
    project: str,
    *,
    owner: Annotated[str | None, "Who answers for it; you if left out"] = None,
    due: Annotated[str | None, "Day such as 2026-12-31"] = None,
    description: Annotated[str | None, "What it is for"] = None,
) -> Project:
    """Begin a project."""
    if not project.strip():
        raise InvalidInput("the project has no name", expected="at least one character")
    if due is not None:
        due = _day(due)
    with store.transaction():
        if store.query("project", {"project": project}):
            raise AlreadyExists(f"there is a project {project!r} already", hint="assay project list")
        row = {"project": project, "owner": owner or store.actor.name, "due": due, "description": description}
        store.append("project", row)
    return find_project(store, project)


@operation("project list")
def list_projects(
    store: Store,
    *,
    everything: Annotated[bool, "Those that are closed, too"] = False,
) -> list[Project]:
    """List projects by the day they are due; those without one come last."""
    rows = store.query("project", {} if everything else {"closed": None}, order_by=["project"])
    counts: dict[str, int] = {}
    for row in store.query("experiment", {"deleted": None, "project !=": None}):
        counts[row["project"]] = counts.get(row["project"], 0) + 1
    today = store.clock.now().date().isoformat()
    found = [_project(row, counts.get(row["project"], 0), today) for row in rows]
    return sorted(found, key=lambda one: (one.due is None, one.due or "", one.project))


@operation("project close")
def close_project(store: Store, project: str) -> Project:
    """Say that a project is done; it takes no more time."""
    with store.transaction():
        if find_project(store, project).closed:
            raise Conflict(f"project {project!r} is closed already")
        now = iso(store.clock.now())
        store.amend("project", {"project": project}, {"closed": now})
        note_change(store, "project", project, "closed", after=now)
    return find_project(store, project)


@operation("project add")
def put_into_project(store: Store, project: str, experiment: str) -> Project:
    """Put an experiment into a project, out of the one it was in."""
    with store.transaction():
        find_project(store, project)
        found = experiment_named(store, experiment)
        if found is None:
            names = [row["name"] for row in store.query("experiment")]
            close = nearest(experiment, names)
            raise NotFound(
                f"there is no experiment {experiment!r}", hint=f"did you mean {close!r}?" if close else "assay runs"
            )
        if found.project != project:
            store.amend("experiment", {"experiment_id": found.experiment_id}, {"project": project})
            note_change(store, "experiment", found.experiment_id, "project", before=found.project, after=project)
    return find_project(store, project)


def find_project(store: Store, project: str) -> Project:
    """The project of that name; NotFound with the nearest name."""
    rows = store.query("project", {"project": project})
    if not rows:
        close = nearest(project, [row["project"] for row in store.query("project")])
        hint = f"did you mean {close!r}?" if close else f"assay project new {project}"
        raise NotFound(f"there is no project {project!r}", hint=hint)
    count = len(store.query("experiment", {"deleted": None, "project": project}))
    return _project(rows[0], count, store.clock.now().date().isoformat())


def _project(row: Row, experiments: int, today: str) -> Project:
    late = row["closed"] is None and row["due"] is not None and row["due"] < today
    kept = {name: row[name] for name in ("project", "due", "description", "closed")}
    return Project(**kept, owner=row["owner"] or "", experiments=experiments, late=late)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InvalidInput(f"{text!r} is no day", expected="a day such as 2026-12-31") from None
