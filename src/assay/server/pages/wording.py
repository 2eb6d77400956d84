"""How numbers, times and states are written on pages."""

import math
from datetime import datetime
from urllib.parse import quote

import msgspec
from markupsafe import Markup

from assay.record.clock import moment
from assay.record.models.logged_models import FAILED, PENDING, READY
from assay.record.store import Row
from assay.record.tracking import lost

__all__ = [
    "State",
    "ago",
    "hours",
    "linked",
    "model_state",
    "number",
    "online_state",
    "quoted",
    "size",
    "span",
    "state_of",
    "when",
]

_SIGNS = {
    "finished": "✓",
    "running": "▶",
    "scheduled": "◷",
    "waiting": "…",
    "failed": "✕",
    "killed": "■",
    "stopped": "■",
    "pruned": "✂",
    "lost": "?",
}


class State(msgspec.Struct, frozen=True):
    """How a run stands, in a word and a sign: `lost` where it should be going on and nothing comes any more."""

    word: str
    sign: str


def state_of(run: Row, now: datetime) -> State:
    """The state of a row of `run`, seen `now`."""
    word = lost.state_of(run, now)
    return State(word, _SIGNS[word])


def online_state(status: str) -> State:
    """How a release or an online test stands."""
    word = status.replace("_", " ")
    return State(word, {"held": "…", "promoted": "✓", "rolled back": "↩"}.get(word) or _SIGNS[word])


def number(value: float | None) -> str:
    """A number with at most six significant digits, a minus sign that is one, and a dash for nothing."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


def span(seconds: float | None) -> str:
    """A duration in the two largest units that it has."""
    if seconds is None:
        return "–"
    if seconds < 0:
        return f"−{span(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def hours(count: float) -> str:
    """Hours and minutes; a dash for none."""
    minutes = round(count * 60)
    if not minutes:
        return "under 1 min" if count > 0 else "–"
    return f"{minutes // 60:,} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def model_state(status: str) -> str:
    """How a logged model stands."""
    return {PENDING: "files still to come", READY: "ready", FAILED: "upload failed"}.get(status, status.lower())


def when(text: str | None) -> str:
    """A time of the store to the second, in UTC."""
    return f"{text[:10]} {text[11:19]}" if text else "–"


def ago(text: str | None, now: datetime) -> str:
    """How long a time of the store is past, or its date where that is more than a week."""
    if not text:
        return "–"
    seconds = (now - moment(text)).total_seconds()
    if seconds < 0 or seconds > 7 * 86_400:
        return text[:10]
    for unit, width in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= width:
            return f"{int(seconds // width)} {unit} ago"
    return "just now"


def size(count: int) -> str:
    """Bytes in the unit that keeps the number short."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def quoted(text: object) -> str:
    """Text as one part of a path or a query."""
    return quote(str(text), safe="")


def linked(text: str) -> str:
    """Text as a link where it is the address of a page, else as it is."""
    if not text.startswith(("https://", "http://")):
        return text
    return Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(text)
