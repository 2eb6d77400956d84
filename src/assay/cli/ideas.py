"""Ideas and what came of them, for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import table, when

if TYPE_CHECKING:
    from assay.prove.ideas import Idea, IdeaTry

__all__ = ["ideas", "one_idea", "one_try"]

_COLOURS = {"better": "green", "worse": "red", "pass": "green", "fail": "red"}


def ideas(found: "Sequence[Idea]") -> RenderableType:
    """A line for each idea and try: expected against measured."""
    shown = table("idea", "model", "what", "expected", "measured", "outcome", "verdict", "candidate")
    for idea in found:
        expected = f"{idea.metric} {idea.expected_gain:+.3g}" if idea.expected_gain is not None else idea.metric or "-"
        start = (idea.idea_id[:8], idea.model, _what(idea), expected)
        if not idea.tries:
            shown.add_row(*start, "not tried yet")
        for place, one in enumerate(idea.tries):
            row = start if not place else ("", "", "", "")
            shown.add_row(*row, _measured(one), _word(one.outcome), _word(one.verdict), one.candidate)
    return shown


def one_idea(found: "Idea") -> RenderableType:
    """What was written down, and how to go on."""
    said = [Text.assemble((found.idea_id[:8], "bold"), f": {found.text} ({found.model})")]
    said += [Text(f"source: {found.source}", "dim")] if found.source else []
    said += [Text(f"tried as {one.candidate}: {_measured(one)}, {one.outcome}") for one in found.tries]
    return Group(*said, Text(f"try it: assay idea try {found.idea_id[:8]} --candidate VERSION", "dim"))


def one_try(found: "IdeaTry") -> RenderableType:
    """The outcome in one line, then what it rests on."""
    expected = f", expected {found.expected_gain:+.3g}" if found.expected_gain is not None else ""
    said = [
        Text.assemble(
            _word(found.outcome), f": {found.candidate} against {found.champion}, {_measured(found)}{expected}"
        ),
        Text(f"idea {found.idea_id[:8]}: {found.idea}"),
    ]
    if found.verdict is not None:
        said.append(Text.assemble("verdict of the champion's policy: ", _word(found.verdict)))
    seen = f"; {found.uses} verdicts rest on these rows" if found.uses > 1 else ""
    said.append(Text(f"evaluation {found.evaluation_id[:8]}, {when(found.tried)}{seen}", "dim"))
    return Group(*said)


def _what(idea: "Idea") -> str:
    return f"{idea.technique}: {idea.text}" if idea.technique else idea.text


def _measured(one: "IdeaTry") -> str:
    if one.gain is None:
        return f"{one.metric} is not defined"
    interval = f" [{one.low:+.3g}, {one.high:+.3g}]" if one.low is not None and one.high is not None else ""
    return f"{one.metric} {one.gain:+.3g}{interval}"


def _word(text: str | None) -> Text:
    return Text(text or "-", _COLOURS.get(text or "", ""))
