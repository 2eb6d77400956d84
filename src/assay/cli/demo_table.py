"""The table at the end of `assay demo`: what happened, and the command that looks closer."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import table

if TYPE_CHECKING:
    from assay.demo.operation import DemoResult

__all__ = ["demo_table"]


def demo_table(found: "DemoResult") -> RenderableType:
    """A row for each thing that happened."""
    shown = table("what", "what happened", "look closer", title=f"One turn of the loop: {found.model}")
    for what, happened, command in [*_before(found), *_after(found)]:
        shown.add_row(what, happened, command)
    return Group(shown, Text(f"Report with plots: {found.report}\nIt took {found.seconds:.0f} s."))


def _before(found: "DemoResult") -> list[tuple[str, str, str]]:
    data, champion = found.dataset, found.champion
    rows = [
        (
            "data",
            f"{data.rows:,} {data.name}, hash {data.hash[:12]}; checks: {data.passed} passed, {data.warned} warned, "
            f"{data.failed} failed",
            f"assay show {found.runs[-1].run_id[:8]}",
        ),
        ("runs", f"{len(found.runs)} runs with params, metrics, versions", f"assay runs --experiment {found.model}"),
        (
            "champion",
            f"version {champion.version} ({champion.description}): {champion.metric} {champion.value:.4f}, baseline "
            f"{champion.baseline:.4f}; {champion.verdict} on {champion.segments} segments",
            f"assay models --model {found.model}",
        ),
    ]
    if found.decay:
        decay = found.decay
        rows.append(
            (
                "decay",
                f"alarm on {decay.alarm_day or 'no day'}: daily AUC {decay.observed_auc:.3f} over {decay.days} days, "
                f"promised {decay.promised_auc:.3f}, evidence {decay.e_value:.0f} to 1",
                f"assay report {found.model}",
            )
        )
    if found.moved:
        rows.append(("drift", found.moved.words, "assay monitor show skew"))
    if found.retrained:
        retrained = found.retrained
        versions = " and ".join(str(version) for version in retrained.candidates)
        rows.append(
            (
                "retrained",
                f"by the {retrained.trigger_type} trigger: candidate versions {versions}",
                f"assay show {retrained.run_id[:8]}",
            )
        )
    return rows


def _after(found: "DemoResult") -> list[tuple[str, str, str]]:
    rows = []
    if found.refused:
        refused = found.refused
        low, high = refused.interval
        rows.append(
            (
                "refused",
                f"version {refused.version}, {refused.verdict}: on {refused.segment} its {refused.metric} changes by "
                f"{refused.delta:+.4f} ({low:+.4f} to {high:+.4f}), overall by {refused.overall_delta:+.4f}.\n"
                f"What was changed in its training: {refused.change}",
                "assay ledger list --kind gate",
            )
        )
    if found.beside:
        beside = found.beside
        happened = f"version {beside.version} beside the champion on live traffic: {', '.join(beside.steps)}; "
        rows.append(("released", f"{happened}{beside.status}: {beside.reason}", f"assay release status {found.model}"))
    if found.promoted:
        promoted = found.promoted
        low, high = promoted.interval
        rows.append(
            (
                "promoted",
                f"version {promoted.version}, {promoted.verdict}: {promoted.metric} changes by {promoted.delta:+.4f} "
                f"({low:+.4f} to {high:+.4f}); under live traffic {promoted.failed_requests} requests failed",
                "assay ledger list --kind promotion",
            )
        )
    if found.rollback_seconds is not None:
        happened = f"rehearsed: {found.rollback_seconds:.3f} s until the server answered with the version before"
        rows.append(("rollback", happened, f"assay rollback {found.model}"))
    logged = f"{found.predictions_logged:,} predictions logged, {found.labels_joined:,} joined with their labels"
    rows.append(("serving", logged, f"assay serve {found.model}"))
    rows.append(("ledger", f"{found.decisions} decisions in the store", "assay ledger verify"))
    return rows
