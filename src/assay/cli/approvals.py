"""Approvals for people: what was asked for, part by part, who agreed, and what went past that."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import lines, pairs, table, when

if TYPE_CHECKING:
    from assay.prove.approvals.exceptions import Overrides
    from assay.prove.approvals.policy import ApprovalPolicy
    from assay.prove.approvals.records import ExceptionRecord
    from assay.prove.approvals.showing import ApprovalCheck, ApprovalDetail, ApprovalLine
    from assay.prove.approvals.standing import ApprovalState

__all__ = [
    "approval_check",
    "approval_detail",
    "approval_list",
    "approval_policy",
    "approval_state",
    "exception_told",
    "overrides",
]

_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
_WIDTH = 100


def approval_list(found: "Sequence[ApprovalLine]") -> RenderableType:
    """A request a line."""
    shown = table("request", "model", "version", "state", "plan", "asked by", "waits for", "asked", "expires")
    for one in found:
        shown.add_row(
            one.request_id[:8],
            one.model,
            str(one.version),
            one.state,
            one.plan,
            one.requester,
            ", ".join(one.waits_for),
            when(one.asked),
            when(one.expires),
        )
    return shown


def approval_policy(found: "ApprovalPolicy") -> RenderableType:
    """What is asked for."""
    declared = (
        f"\ndeclared by {found.declared_by} at {when(found.declared)}" if found.declared_by and found.declared else ""
    )
    return Text(f"{found.words}{declared}")


def approval_state(found: "ApprovalState") -> RenderableType:
    """How an approval stands, its parts, who said what, what is missing and the next command."""
    said = [Text(f"{found.model}/{found.version}: {found.state}", f"bold {_COLOURS[found.outcome]}"), Text(found.words)]
    shown = [*said, _parts(found)]
    if found.answers:
        shown.append(_answers(found))
    if found.conditions:
        checks = table("condition", "holds", "found", title="conditions")
        for one in found.conditions:
            checks.add_row(one.condition, "yes" if one.verdict == "pass" else "not yet", one.words)
        shown.append(checks)
    if found.next:
        shown.append(Text(f"next: {found.next}"))
    return Group(*shown)


def approval_check(found: "ApprovalCheck") -> RenderableType:
    """Whether it counts; what changed first."""
    changed = [lines([one.words for one in found.now.changed], "red")] if found.now.changed else []
    return Group(*changed, approval_state(found.now), *([Text(found.live)] if found.live else []))


def approval_detail(found: "ApprovalDetail") -> RenderableType:
    """How it stands, and all that was asked for and gone past before."""
    asked = table("request", "asked by", "asked", "plan", "subject", "comment", title="requests")
    for one in found.requests:
        asked.add_row(
            one.request_id[:8],
            one.requester,
            when(one.asked),
            one.plan.words,
            one.subject_hash[:12],
            one.comment or "",
        )
    shown: list[RenderableType] = [approval_state(found.now)]
    shown.append(lines(["who made it cannot approve it:", *(f"  {one}" for one in found.made_by)], ""))
    shown += [asked] if found.requests else []
    shown += [_exceptions(found.exceptions)] if found.exceptions else []
    shown += [Text(found.live)] if found.live else []
    return Group(*shown)


def exception_told(found: "ExceptionRecord") -> RenderableType:
    """One exception."""
    return _exceptions([found])


def overrides(found: "Overrides") -> RenderableType:
    """The exceptions, and how many deployments went past the gate or an approval."""
    share = "none" if found.share is None else f"{found.overridden} ({found.share:.0%})"
    said = {
        "deployments in 180 days": str(found.deployments),
        "by override": share,
        "waiting for a review": str(found.waiting),
        "review overdue": ", ".join(one[:8] for one in found.overdue) or "none",
    }
    reasons = [lines([f"reason: {one}" for one in found.reasons], "")] if found.reasons else []
    listed = [_exceptions(found.exceptions)] if found.exceptions else []
    return Group(pairs(said), *reasons, *listed)


def _parts(found: "ApprovalState") -> RenderableType:
    changed = {one.part: one for one in found.changed}
    shown = table("part", "hash", "what it is", "was", title=f"subject {found.subject_hash[:12]}")
    for part in found.parts:
        was = changed.get(part.name)
        before = f"{was.before} ({was.hash_before[:8] or 'none'})" if was else ""
        style = "red" if was else ""
        shown.add_row(part.name, part.hash[:12] or "none", part.words, before, style=style)
    return shown


def _answers(found: "ApprovalState") -> RenderableType:
    shown = table("who", "role", "said", "when", "until", "if", "counts", "comment", title="answers")
    for one in found.answers:
        shown.add_row(
            one.approver,
            one.role,
            one.outcome,
            when(one.given),
            when(one.expires) if one.expires else "",
            "; ".join(one.conditions),
            "yes" if one.fault is None else f"no: {one.fault}",
            one.comment or "",
        )
    return shown


def _exceptions(found: "Sequence[ExceptionRecord]") -> RenderableType:
    shown = table("exception", "model", "kind", "by", "when", "reason", "review until", "review", title="exceptions")
    for one in found:
        review = f"{one.outcome} by {one.reviewer}: {one.words}" if one.reviewed else "not yet"
        shown.add_row(
            one.exception_id[:8],
            f"{one.model}/{one.version}",
            one.kind.replace("_", " "),
            one.by,
            when(one.when),
            one.reason,
            when(one.review_due),
            review,
        )
    return shown
