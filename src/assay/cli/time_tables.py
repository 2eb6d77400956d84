"""Projects and where time went, in the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from assay.cli.tables import lines, table

if TYPE_CHECKING:
    from assay.record.tracking.projects import Project
    from assay.record.tracking.timekeeping import TimeReport

__all__ = ["projects", "time_report"]


def projects(found: "Sequence[Project]") -> RenderableType:
    """A line for each."""
    shown = table("project", "owner", "due", "state", "experiments", "description")
    for one in found:
        state = "closed" if one.closed else "late" if one.late else "open"
        shown.add_row(one.project, one.owner, one.due or "", state, str(one.experiments), one.description or "")
    return shown


def time_report(report: "TimeReport") -> RenderableType:
    """Hours under each heading, then what is late."""
    shown = table(*report.by, "entered h", "runs h", "total h", "cpu h")
    for line in report.lines:
        headings = [getattr(line, name) or "(none)" for name in report.by]
        hours = (line.hours, line.run_hours, line.total_hours, line.cpu_hours)
        shown.add_row(*headings, *[f"{value:.2f}" for value in hours])
    late = [f"late: {one.project} of {one.owner} was due on {one.due}" for one in report.late]
    return Group(shown, lines(late, "red")) if late else shown
