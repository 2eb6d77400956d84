"""Runs side by side in the terminal: a table with the course of each metric as a line of blocks, and differences."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import number, table, when

if TYPE_CHECKING:
    from assay.record.live.rerun import Rerun
    from assay.record.tracking.comparing import Comparison, Difference

__all__ = ["comparison", "difference", "repetition", "sparkline"]

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """One block a value between `low` and `high`; a point for what is no finite number."""
    if not high > low:
        return "".join(_BLOCKS[3] if math.isfinite(value) else "·" for value in values)
    top = len(_BLOCKS) - 1
    return "".join(
        _BLOCKS[round((value - low) / (high - low) * top)] if math.isfinite(value) else "·" for value in values
    )


def comparison(found: "Comparison") -> RenderableType:
    """A column a run; the best and worst of a metric are the reader's to judge: it is not known which way is better."""
    heads = [f"{run.run_id[:8]}\n{run.name}" for run in found.runs]
    shown = table("", *heads)
    shown.add_row("started", *[when(run.started) for run in found.runs])
    shown.add_row("seconds", *["" if run.seconds is None else f"{run.seconds:.1f}" for run in found.runs])
    for key, values in found.metrics.items():
        shown.add_row(Text(key, "bold"), *["" if value is None else number(value, 5) for value in values])
        if key in found.courses:
            finite = [value for course in found.courses[key] for value in course if math.isfinite(value)]
            ends = (min(finite), max(finite)) if finite else (0.0, 0.0)
            shown.add_row("", *[Text(sparkline(course, *ends), "cyan") for course in found.courses[key]])
    for texts in (found.params, found.tags):
        for key, listed in texts.items():
            shown.add_row(key, *["" if text is None else text for text in listed])
    same = f"{found.equal} params, metrics and tags are the same in all; --all-keys shows them"
    return Group(shown, Text(same, "dim")) if found.equal else shown


def difference(found: "Difference") -> RenderableType:
    """What changed from the first run to the second, a table a subject."""
    parts: list[RenderableType] = [
        Text(f"{found.before.run_id[:8]} {found.before.name} -> {found.after.run_id[:8]} {found.after.name}", "bold"),
        Text(f"code: {found.code}"),
    ]
    if found.patch:
        parts.append(Text(found.patch.rstrip()))
    packages = [*([found.python] if found.python else []), *found.environment]
    subjects = {"params": found.params, "metrics": found.metrics, "tags": found.tags, "data": found.data}
    for title, changes in {**subjects, "environment": packages}.items():
        if changes:
            shown = table("", "before", "after", title=title)
            for change in changes:
                shown.add_row(change.key, _value(change.before), _value(change.after))
            parts.append(shown)
    if found.same:
        parts.append(Text("nothing differs but times and ids"))
    return Group(*parts)


def repetition(found: "Rerun") -> RenderableType:
    """Whether a run gave the same again, and what differs."""
    word = Text("reproduced", "bold green") if found.reproduced else Text("not reproduced", "bold red")
    parts: list[RenderableType] = [Text.assemble(word, f": {found.run_id[:8]} again as {found.repeated_as[:8]}")]
    parts += [Text(note, "yellow") for note in found.notes]
    return Group(*parts, difference(found.difference))


def _value(value: object) -> str:
    if value is None:
        return "–"
    return number(value, 5) if isinstance(value, float) else str(value)
