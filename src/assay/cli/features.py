"""Suggested features, for people."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import table

if TYPE_CHECKING:
    from assay.build.features.suggest import Suggestions

__all__ = ["suggestions"]

_COLOURS = {"helps": "green", "hurts": "red"}


def suggestions(found: "Suggestions") -> RenderableType:
    """A line for each candidate, the best first; then what was left out, and why."""
    shown = table("feature", "verdict", "gain", "interval", "ms for 1,000 rows", "definition")
    for one in found.suggestions:
        shown.add_row(
            one.name,
            Text(one.verdict, _COLOURS.get(one.verdict, "")),
            f"{one.gain:+.3g} ({100 * one.gain / found.base_loss if found.base_loss else 0:+.2f} %)",
            f"[{one.low:+.3g}, {one.high:+.3g}]",
            f"{one.ms_per_1000:.2g}",
            one.definition
            if one.kind not in ("frequency", "target mean", "text")
            else f"{one.kind} of {one.definition}",
        )
    head = Text(
        f"{found.loss} of {found.label} is {found.base_loss:.4g} without any, on {found.tested_on}"
        f" ({found.rows:,} rows); gains are what less is lost, intervals hold for all {found.tried} together"
    )
    return Group(head, shown, *[Text(remark, "yellow") for remark in found.remarks])
