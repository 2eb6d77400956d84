"""Monitors for people: where they stand, a small time line, and what moved, the worst first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import lines, number, table, when

if TYPE_CHECKING:
    from assay.operate.monitors.checking import Checked
    from assay.operate.monitors.commands import MonitorState, ToldMonitor
    from assay.operate.monitors.definition import Monitor

__all__ = ["checked_list", "monitor_list", "monitor_states", "told_monitor"]

_COLOURS = {
    "ok": "green", "watch": "yellow", "alarm": "red", "drift": "red", "uncalibrated": "cyan", "no_data": "dim",
    "new": "dim",
}  # fmt: skip
_MARKS = {"ok": "·", "watch": "?", "alarm": "!", "uncalibrated": "-", "no_data": " "}
_LINE = 20  # windows of a line in a table
_WIDTH = 125
_MOST = 20  # findings of a window that are shown


def checked_list(found: "Sequence[Checked]") -> RenderableType:
    """A line for each window that was looked at; those where all is as usual are only counted."""
    shown = table("monitor", "endpoint", "window", "rows", "state", "what was found")
    quiet = [one for one in found if one.outcome.status in ("ok", "no_data", "uncalibrated")]
    for one in found:
        if one not in quiet:
            outcome = one.outcome
            state = Text(outcome.status, _COLOURS[outcome.status])
            shown.add_row(one.monitor.name, one.monitor.endpoint, one.window, f"{one.rows:,}", state, outcome.words)
    counts = {
        status: sum(one.outcome.status == status for one in quiet) for status in ("ok", "uncalibrated", "no_data")
    }
    said = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counts.items() if count)
    head = f"{len(found)} windows looked at" + (f": {said}" if said else "")
    shown.width = _WIDTH
    return Group(lines([head], ""), shown) if shown.row_count else lines([head], "")


def monitor_states(found: "Sequence[MonitorState]") -> RenderableType:
    """A monitor a line, with the states of its last windows."""
    shown = table("monitor", "endpoint", "state", "window", "last windows", "what was found")
    shown.width = _WIDTH
    for one in found:
        line = _marks(one.line[-_LINE:])
        shown.add_row(one.name, one.endpoint, Text(one.status, _COLOURS[one.status]), one.window or "", line, one.words)
    legend = "· as usual  ? once so far  ! alarm  - uncalibrated"
    return Group(shown, lines([legend], "dim"))


def monitor_list(found: "Sequence[Monitor]") -> RenderableType:
    """A monitor a line, as it was declared."""
    shown = table("monitor", "kind", "model", "endpoint", "windows", "by", "owner", "alarms", "looked until")
    shown.width = _WIDTH
    for one in found:
        definition = one.definition
        windows = f"{definition.rows:,} rows" if definition.rows else definition.window
        if definition.season != "none":
            windows += f", by {definition.season}"
        needed, of_windows = definition.persistence
        alarms = f"{needed} of {of_windows}" if one.enabled else "off"
        shown.add_row(
            one.name,
            definition.kind,
            one.model,
            one.endpoint,
            windows,
            ", ".join(definition.segments),
            one.owner,
            alarms,
            when(one.looked) if one.looked else "",
        )
    return shown


def told_monitor(found: "ToldMonitor") -> RenderableType:
    """The time line, and what the window showed."""
    monitor = found.monitor
    state = found.status.replace("_", " ")
    head = f"{monitor.name} ({monitor.definition.kind}) of {monitor.endpoint}: {state}"
    parts: list[RenderableType] = [lines([head], _COLOURS[found.status])]
    if not found.windows:
        return Group(*parts, lines([f"  {found.words}"], ""))
    parts.append(_marks([one.status for one in found.windows], f"  {found.windows[0].window} "))
    line = table("window", "rows", "value", "state", "what was found")
    line.width = _WIDTH
    for one in found.windows[-_LINE:]:
        value = "" if one.value is None else number(one.value, 3)
        line.add_row(one.window, f"{one.rows:,}", value, Text(one.status, _COLOURS[one.status]), one.words)
    parts.append(line)
    told = found.findings[:_MOST]
    if told:
        columns = table("in " + (found.window or ""), "segment", "by", "value", "usual to", "harm", "state", "in words")
        columns.width = _WIDTH
        for what in told:
            figures = ["" if one is None else number(one, 3) for one in (what.value, what.bound, what.harm)]
            columns.add_row(
                what.subject, what.segment, what.measure, *figures, Text(what.state, _COLOURS[what.state]), what.words
            )
        parts.append(columns)
        if len(found.findings) > _MOST:
            parts.append(lines([f"and {len(found.findings) - _MOST} more, with --json"], "dim"))
    if found.alert_id and found.status == "alarm":
        parts.append(lines([f"alert {found.alert_id[:8]}, owner {monitor.owner}"], "red"))
    return Group(*parts)


def _marks(states: "Sequence[str]", before: str = "") -> Text:
    """A sign a window."""
    line = Text(before)
    for one in states:
        line.append(_MARKS[one], _COLOURS[one])
    return line
