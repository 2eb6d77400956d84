"""Why a step ran or did not, for people."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import table, when

if TYPE_CHECKING:
    from assay.build.steps.why import StepReason

__all__ = ["step_reason", "step_reasons"]

_COLOURS = {"computed": "green", "remembered": "cyan", "running": "blue", "waiting": "yellow"}


def step_reason(found: "StepReason") -> RenderableType:
    """The outcome in one line, then a line for every reason."""
    outcome = Text(found.outcome, f"bold {_COLOURS.get(found.outcome, 'red')}")
    place = f" in run {found.run_id[:8]}, {when(found.started)}, {found.seconds:.3f} s"
    lines = [Text.assemble((found.step, "bold"), ": ", outcome, place)]
    lines += [Text(f"- {reason}") for reason in found.reasons]
    lines += [Text(f"- {sentence}", "yellow") for sentence in found.widened]
    if found.compared_with is not None and found.outcome != "remembered":
        lines.append(Text(f"compared with run {found.compared_with[:8]}, which computed it before", "dim"))
    return Group(*lines)


def step_reasons(found: "list[StepReason]") -> RenderableType:
    """Every attempt of a run in the order in which they began, with its reasons in one line each."""
    shown = table("step", "outcome", "seconds", "why")
    for one in found:
        outcome = Text(one.outcome, f"bold {_COLOURS.get(one.outcome, 'red')}")
        why = Text("\n").join([*map(Text, one.reasons), *[Text(sentence, "yellow") for sentence in one.widened]])
        shown.add_row(one.step, outcome, f"{one.seconds:.3f}", why)
    return shown
