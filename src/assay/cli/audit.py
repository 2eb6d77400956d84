"""What a leakage audit found, for people."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import table, when

if TYPE_CHECKING:
    from assay.build.views.audits.audit import Audit

__all__ = ["feature_audit"]

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "stop": "red"}
_SHOWN = 8  # rows that are named


def feature_audit(found: "Audit") -> RenderableType:
    """The verdict in one line, a line for each feature, examples, and what else leaks."""
    from assay.build.views.audits.audit import sentence

    head = f"{found.verdict}: {found.training_set} ({found.dataset_hash[:12]}): {sentence(found)}"
    parts: list[RenderableType] = [Text(head, f"bold {_COLOURS[found.verdict]}")]
    if found.not_known:
        rows = ", ".join(f"{row:,}" for row in found.not_known[:_SHOWN])
        parts.append(Text(f"rows, counted from 0: {rows}{', ...' if len(found.not_known) > _SHOWN else ''}"))
    shown = table("feature", "column", "clean", "later correction", "leak", "unexplained", "values became known")
    for one in found.features:
        cells = [_share(count, found.rows) for count in (one.clean, one.correction, one.leak, one.unexplained)]
        span = f"{when(one.borrowed_from)} to {when(one.borrowed_to)}" if one.borrowed_from and one.borrowed_to else ""
        shown.add_row(one.feature, one.column, *cells, span)
    parts.append(shown)
    examples = table("row", "feature", "finding", "value", "known then", "true then", "now", "became known")
    for one in found.features:
        if one.later:
            said = f"{one.later:,} of the unexplained values of {one.feature} stand only in later rows of their key"
            parts.append(Text(said, "red"))
    for one in found.features:
        for cell in one.examples:
            values = (cell.value, cell.known_then, cell.true_then, cell.now, when(cell.borrowed or ""))
            examples.add_row(f"{cell.row:,}", one.feature, cell.finding, *values)
    parts += [examples] if examples.row_count else []
    parts += [Text(f"{one.severity}: {one.sentence}", _COLOURS[one.severity]) for one in found.signs]
    parts += [Text(remark, "yellow") for remark in found.remarks]
    return Group(*parts)


def _share(count: int, of: int) -> str:
    return f"{count:,} ({100 * count / of:.3g} %)" if count else ""
