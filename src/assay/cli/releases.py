"""Releases for people: where they stand and what is known."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import lines, table, when

if TYPE_CHECKING:
    from assay.operate.releases.releasing import ReleaseSummary
    from assay.operate.releases.replaying import ReleaseReplay
    from assay.operate.releases.reporting import ReleaseReport

__all__ = ["release_list", "release_replay", "release_report"]

_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
_MARKS = {"done": "done", "now": "now", "open": ""}


def release_report(found: "ReleaseReport") -> RenderableType:
    """The headline, the steps, the guardrails with their evidence, and what is still needed."""
    said = [
        f"release {found.rollout_id[:8]} of {found.model}/{found.version} at {found.endpoint} instead of version "
        f"{found.champion_version}: {found.status.replace('_', ' ')}"
    ]
    said += [f"  {found.reason}"] if found.reason else []
    said += [f"  against the gate: {found.override}"] if found.override else []
    if found.acknowledged_s is not None:
        said.append(f"  all servers answered by the new route after {found.acknowledged_s:.2f} s")
    parts: list[RenderableType] = [lines(said, _COLOURS.get(found.verdict or "", ""))]
    if found.unproven:
        parts.append(lines([f"  WITHOUT A PASS: {found.unproven}"], "bold red"))
    steps = table("step", "")
    for step in found.steps:
        steps.add_row(step.name, "ended here" if step.state == "now" and found.ended else _MARKS[step.state])
    parts.append(steps)
    if found.guardrails:
        guardrails = table("guardrail", "verdict", "what is known", widths={"what is known": 90})
        for one in found.guardrails:
            guardrails.add_row(one.guardrail, Text(one.verdict, _COLOURS[one.verdict]), one.words)
        parts.append(guardrails)
    if found.needed:
        parts.append(lines(["still needed:", *(f"  {one}" for one in found.needed)], ""))
    parts.append(lines([found.false_rollbacks], "dim"))
    return Group(*parts)


def release_list(found: "Sequence[ReleaseSummary]") -> RenderableType:
    """A release a line, newest first."""
    widths = {"endpoint": 12, "strategy": 12, "reason": 20}
    shown = table("release", "endpoint", "versions", "strategy", "status", "step", "started", "reason", widths=widths)
    for one in found:
        shown.add_row(
            one.rollout_id[:8],
            one.endpoint,
            f"{one.champion_version} to {one.version}",
            one.strategy,
            one.status.replace("_", " "),
            one.step,
            when(one.started),
            one.reason,
        )
    return shown


def release_replay(found: "ReleaseReplay") -> RenderableType:
    """Each decision and whether it came out the same."""
    shown = table("decision", "when", "made again", "reason", widths={"reason": 60})
    for one in found.decisions:
        same = "by a person" if one.same is None else "the same to the last bit" if one.same else "differs"
        shown.add_row(one.kind, when(one.ts), same, one.reason if one.differs is None else one.differs)
    return shown
