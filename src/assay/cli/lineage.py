"""A version in the terminal: what it came from, and what came of it."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from assay.cli.tables import pairs, table, when

if TYPE_CHECKING:
    from assay.record.models.version_lineage import VersionLineage

__all__ = ["lineage"]


def lineage(found: "VersionLineage") -> RenderableType:
    """The version's facts, its data, its verdicts and where it served."""
    run = f"{found.run_id[:8]} {found.run}" if found.run_id else None
    facts = {
        "version": f"{found.model}/{found.version}",
        "aliases": ", ".join(found.aliases) or None,
        "stage": found.stage if found.stage != "None" else None,
        "files": f"{found.sealed} {found.hash[:12]}".rstrip(),
        "source": found.source or None,
        "created": f"{when(found.created)} by {found.actor}",
        "description": found.description,
        "run": f"{run}, changed since" if run and found.run_changed else run,
        "experiment": found.experiment,
        "code": f"{found.code}{' with uncommitted changes' if found.dirty else ''}" if found.code else None,
        "environment": found.environment[:12] if found.environment else None,
        "logged model": found.logged_model_id,
        "evaluations": ", ".join(one[:8] for one in found.evaluations) or None,
        "decisions": ", ".join(str(number) for number in found.decisions) or None,
        "same files": ", ".join(found.copies) or None,
    }
    parts: list[RenderableType] = [pairs({key: value for key, value in facts.items() if value is not None})]
    if found.datasets:
        parts.append(pairs({use.name: use.digest[:12] for use in found.datasets}, "data"))
    if found.verdicts:
        shown = table("verdict", "mode", "when", "decision", "evaluation", "reason", title="verdicts")
        for one in found.verdicts:
            cells = (one.outcome, one.mode, when(one.ts), str(one.decision), one.evaluation_id[:8], one.reason or "")
            shown.add_row(*cells)
        parts.append(shown)
    if found.deployments:
        shown = table("endpoint", "from", "until", "outcome", "decision", title="served")
        for served in found.deployments:
            until = when(served.ended) if served.ended else "now"
            shown.add_row(served.endpoint, when(served.started), until, served.outcome or "", str(served.decision))
        parts.append(shown)
    return Group(*parts)
