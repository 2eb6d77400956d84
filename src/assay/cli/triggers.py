"""Triggers for people: where they stand, what they did, and a drill."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import lines, table, when

if TYPE_CHECKING:
    from assay.operate.triggers.commands import TriggerDrill, TriggerState
    from assay.operate.triggers.firing import Firing
    from assay.operate.watching.commands import ToldStory
    from assay.operate.watching.story import Story
    from assay.operate.watching.ticking import Tick

__all__ = ["firing_list", "story_list", "tick_report", "told_story", "trigger_drill", "trigger_list"]

_COLOURS = {
    "due": "yellow", "blocked": "yellow", "unknown": "red", "off": "dim", "fired": "green", "pass": "green",
    "fail": "red", "promoted": "green", "refused": "yellow", "failed": "red", "rolled_back": "red",
}  # fmt: skip
_HOLDS = {True: "yes", False: "no", None: "cannot tell"}


def trigger_list(found: "Sequence[TriggerState]") -> RenderableType:
    """A trigger a line."""
    shown = table("trigger", "model", "fires when", "state", "why", "next", "fired", "last")
    for one in found:
        shown.add_row(
            one.name,
            one.model,
            one.condition,
            Text(one.state, _COLOURS.get(one.state, "")),
            one.words,
            when(one.next) if one.next else "",
            str(one.fired),
            when(one.last) if one.last else "",
        )
    return shown


def firing_list(found: "Sequence[Firing]") -> RenderableType:
    """A line for each time that a trigger fired, was blocked, joined or tried; newest first."""
    shown = table("firing", "trigger", "model", "when", "outcome", "why", "run")
    for one in found:
        outcome = Text(one.outcome, _COLOURS.get(one.outcome, ""))
        run = (one.run_id or "")[:8]
        shown.add_row(one.fire_id[:8], one.trigger, one.model, when(one.when), outcome, one.reason, run)
    return shown


def trigger_drill(found: "TriggerDrill") -> RenderableType:
    """What each part of the condition says, and what would keep the trigger from firing."""
    head = f"drill of {found.trigger} ({found.model}, {found.pipeline}): {found.result}"
    parts = table("asks", "holds", "what is known")
    for part in found.parts:
        parts.add_row(part.asks, _HOLDS[part.holds], part.words)
    rest = [f"now it would be kept back: {block.words}" for block in found.blocks]
    if found.result == "pass" and not found.blocks:
        rest = ["it would fire as soon as its condition holds"]
    return Group(lines([head], _COLOURS[found.result]), parts, lines(rest, "dim"))


def story_list(found: "Sequence[Story]") -> RenderableType:
    """A retraining a line, newest first."""
    shown = table("story", "model", "started", "ended", "how", "version", "why")
    for one in found:
        how = one.status.replace("_", " ") if one.ended else f"at {one.stage}"
        version = one.detail.get("version")
        shown.add_row(
            one.story_id[:8],
            one.model,
            when(one.started),
            when(one.ended) if one.ended else "",
            Text(how, _COLOURS.get(one.status, "")),
            "" if version is None else str(version),
            one.reason or "",
        )
    return shown


def told_story(found: "ToldStory") -> RenderableType:
    """What fired it, each stage, and the end."""
    story = found.story
    state = story.status.replace("_", " ") if story.ended else f"under way, at {story.stage}"
    head = f"story {story.story_id[:8]} of {story.model}: {state}"
    events = table("when", "stage", "", "what was found")
    for event in found.events:
        events.add_row(when(event.when), event.stage, event.outcome, event.words)
    return Group(lines([head, f"  because {found.fired}"], _COLOURS.get(story.status, "")), events)


def tick_report(found: "Tick") -> RenderableType:
    """What a look did."""
    said = [
        f"{one.monitor.name} of {one.monitor.model} says {one.outcome.status} of {one.window}"
        for one in found.checked
        if one.outcome.status == "alarm"
    ]
    said += [f"{one.model}, doubted by {one.monitor}: {one.words}" for one in found.doubted if one.firing is None]
    said += [f"{one.trigger} of {one.model} fired: {one.reason}" for one in found.fired]
    for story in found.stories:
        state = story.status.replace("_", " ") if story.ended else f"at {story.stage}"
        said.append(
            f"story {story.story_id[:8]} of {story.model}: {state}" + (f", {story.reason}" if story.reason else "")
        )
    return lines([*said, *found.waiting] or ["nothing to do"], "")
