"""What `assay init` and `assay run` print."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.search import searched
from assay.cli.tables import lines, table

if TYPE_CHECKING:
    from assay.operate.project.running import CandidateRun
    from assay.operate.project.scaffold import NewProject
    from assay.operate.project.tuning import ProjectSearch

__all__ = ["candidate_run", "new_project", "project_search"]

_FEATURES = 12


def new_project(made: "NewProject") -> RenderableType:
    """What was written, what was read off the table, and what to do next."""
    said = [f"{made.name}: {made.task} of {made.label!r}, {made.rows:,} rows", f"  wrote {', '.join(made.files)}"]
    said += [f"  {name} is left out: {why}" for name, why in made.ignored.items()]
    if made.segments:
        said.append(f"  segments: {', '.join(made.segments)}")
    said.append("  assay.toml says what a candidate must show: its margin is yours to choose")
    return Group(lines(said, ""), Text(f"next: {made.next}", style="bold"))


def candidate_run(found: "CandidateRun", verdict: RenderableType) -> RenderableType:
    """What came of a run: rows, features, what was remembered, what looks like a leak, and the verdict."""
    rows = ", ".join(f"{count:,} {name}" for name, count in found.rows.items())
    more = len(found.features) - _FEATURES
    features = ", ".join(found.features[:_FEATURES]) + (f" and {more} more" if more > 0 else "")
    is_known = "" if found.is_new else ", which was registered before: nothing that counts has changed"
    said = [
        f"run {found.run_id[:8]} made {found.model}/{found.version}{is_known}",
        f"  rows: {rows}",
        f"  features: {features}",
    ]
    if found.params:
        said.append("  params: " + ", ".join(f"{key} {value}" for key, value in found.params.items()))
    if found.checks:
        warned = [one for one in found.checks if one.result == "warn"]
        said.append(f"  data: {len(found.checks)} expectations, {len(warned)} not met")
        said += [f"    {one.name}: {one.detail}" for one in warned]
    for name, scores in found.beside.items():
        said.append(f"  {name} alone: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()))
    shown = table("step", "state", "seconds")
    for step in found.steps:
        shown.add_row(
            step.name, {"done": "computed", "cached": "remembered"}.get(step.state, step.state), f"{step.seconds:.2f}"
        )
    warnings = [f"  {one.severity}: {one.sentence}" for one in found.findings]
    parts: list[RenderableType] = [lines(said, "")]
    parts += [shown] if found.steps else []
    parts += [Text("looks like a leak:", style="yellow"), *map(Text, warnings)] if warnings else []
    return Group(*parts, verdict, Text(f"{found.seconds:.1f} s; next: {found.next}", style="bold"))


def project_search(found: "ProjectSearch") -> RenderableType:
    """The trials, best first, and what to do with the best."""
    rows = found.rows
    said = [
        f"{found.project}: {found.metric} on {rows['score']:,} rows, learned from {rows['learn']:,};"
        f" {rows['judge']:,} rows are left to judge"
    ]
    return Group(lines(said, ""), searched(found.search), Text(f"next: {found.next}", style="bold"))
