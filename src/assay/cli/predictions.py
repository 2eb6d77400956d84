"""What an endpoint answered, in tables."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import number, table, when

if TYPE_CHECKING:
    from assay.operate.labels.covering import Coverage
    from assay.operate.querying import PredictionAnswer

__all__ = ["label_coverage", "prediction_answer"]

_SMALL = 0.001  # a difference between variants that is told in red


def label_coverage(found: "Coverage") -> RenderableType:
    """The share of labels by day and variant, and whether the variants differ."""
    shown = table("day", "variant", "predictions", "labelled", "share")
    for one in found.days:
        share = f"{one.labelled / one.predictions:.1%}"
        shown.add_row(one.day, one.variant, f"{one.predictions:,}", f"{one.labelled:,}", share)
    head = Text(f"{found.labelled:,} of {found.predictions:,} predictions have the label {found.name!r}", "bold")
    if len(found.variants) < 2:
        return Group(head, shown)
    shares = ", ".join(f"{variant} {share:.1%}" for variant, share in found.variants.items())
    differ = found.p < _SMALL
    said = f"{shares}: the variants differ by more than chance" if differ else f"{shares}: no difference is proven"
    return Group(head, shown, Text(f"{said} (p = {found.p:.2g})", "red" if differ else ""))


def prediction_answer(found: "PredictionAnswer") -> RenderableType:
    """Counts by day and variant, or the rows that were asked for; and what is missing from the log."""
    errors = f", {found.errors:,} errors" if found.errors else ""
    shown: list[RenderableType] = [Text(f"{found.rows:,} predictions of {found.endpoint}{errors}", "bold")]
    if found.counts:
        counts = table("day", "role", "variant", "version", "rows", "errors", "forced", "fallback", "p50 ms", "p99 ms")
        for one in found.counts:
            numbers = [f"{count:,}" for count in (one.rows, one.errors, one.forced, one.fallback)]
            times = [f"{milliseconds:.1f}" for milliseconds in (one.p50_ms, one.p99_ms)]
            counts.add_row(one.day, one.role, one.variant, f"{one.model}/{one.version}", *numbers, *times)
        shown.append(counts)
    if found.columns:
        rows = table(*found.columns)
        for row in found.found:
            rows.add_row(*[_cell(value) for value in row])
        shown.append(rows)
    if found.out is not None:
        shown.append(Text(f"written to {found.out}"))
    for gap in found.gaps:
        said = f"{gap.dropped:,} answered predictions were not logged from {when(gap.since)} to {when(gap.until)}"
        shown.append(Text(f"{said}: {gap.reason}", "red"))
    return Group(*shown)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(value, 6)
    return "" if value is None else str(value)
