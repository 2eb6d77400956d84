"""A replay of served features, for people."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import table

if TYPE_CHECKING:
    from assay.operate.features.replay import Replayed

__all__ = ["replayed"]

_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def replayed(found: "Replayed") -> RenderableType:
    """The verdict, a line for each feature, and the first differences."""
    head = Text.assemble(
        (f"{found.endpoint}: ", "bold"), (found.verdict, f"bold {_COLOURS[found.verdict]}"), f", {found.reason}"
    )
    shown = table("version", "feature", "compared", "wrong", "interval of the rate", "verdict", "differences")
    for one in found.features:
        shown.add_row(
            f"{found.model}/{one.version}",
            one.feature,
            f"{one.compared:,}",
            f"{one.mismatches:,}",
            f"[{one.low:.4%}, {one.high:.4%}]",
            Text(one.verdict, _COLOURS[one.verdict]),
            ", ".join(f"{count:,} {kind}" for kind, count in sorted(one.kinds.items())),
        )
    sampled = f"{found.sampled:,} of {found.predictions:,} predictions compared"
    origins = "; ".join(f"{view} with its {rows_from}" for view, rows_from in found.rows_from.items())
    lines: list[RenderableType] = [head, Text(f"{sampled}{f', {origins}' if origins else ''}", "dim")]
    lines += [shown] if found.features else []
    if found.differences:
        differences = table("prediction", "feature", "difference", "served", "offline", "as of")
        for other in found.differences:
            values = [repr(other.served), repr(other.offline)]
            differences.add_row(other.prediction_id, other.feature, other.kind, *values, other.as_of)
        lines.append(differences)
    if found.late:
        lines.append(Text(f"{found.late:,} values differ because a row arrived after serving", "yellow"))
    if found.left_out:
        lines.append(
            Text(f"{found.left_out:,} lookups left out: the entity was erased or the log rebuilt since", "yellow")
        )
    if found.alert_id:
        lines.append(Text(f"alert {found.alert_id[:8]} is open", "red"))
    return Group(*lines)
