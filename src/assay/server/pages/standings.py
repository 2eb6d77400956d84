"""How monitors, alerts, triggers and retrainings stand: a word, a sign, and how it looks."""

from collections.abc import Mapping
from typing import Literal

import msgspec

__all__ = [
    "KIND_WORDS",
    "Standing",
    "alert_state",
    "approval_state",
    "condition_state",
    "firing_state",
    "incident_state",
    "monitor_state",
    "review_state",
    "story_state",
    "trigger_state",
]

Tone = Literal["good", "bad", "wait", "going", "quiet"]


class Standing(msgspec.Struct, frozen=True):
    """A state in a word and a sign; `tone` chooses the colour, which says nothing that the word does not."""

    word: str
    sign: str
    tone: Tone


KIND_WORDS: Mapping[str, str] = {
    "quality": "data quality",
    "drift": "drift of inputs",
    "prediction_drift": "drift of answers",
    "skew": "serving against training",
    "label_drift": "drift of labels",
    "performance": "measured quality",
    "estimate": "estimated quality",
    "calibration": "calibration",
    "fairness": "fairness",
    "freshness": "freshness",
    "latency": "latency",
    "errors": "errors",
    "volume": "volume",
}
"""What each kind of monitor watches."""

_MONITOR = {
    "ok": Standing("as usual", "✓", "good"),
    "watch": Standing("watched", "◔", "wait"),
    "alarm": Standing("alarm", "▲", "bad"),
    "drift": Standing("changed", "▲", "bad"),
    "uncalibrated": Standing("uncalibrated", "?", "quiet"),
    "no_data": Standing("no data", "–", "quiet"),
    "off": Standing("switched off", "■", "quiet"),
}
_TRIGGER = {
    "off": Standing("switched off", "■", "quiet"),
    "due": Standing("due", "▶", "going"),
    "blocked": Standing("blocked", "✕", "wait"),
    "waiting": Standing("waiting", "…", "quiet"),
    "unknown": Standing("cannot be told", "?", "bad"),
}
_FIRING = {
    "fired": Standing("fired", "▶", "going"),
    "blocked": Standing("blocked", "✕", "wait"),
    "joined": Standing("joined another", "⇢", "quiet"),
    "drill": Standing("drill", "✎", "quiet"),
}
_STORY = {
    "open": Standing("under way", "▶", "going"),
    "promoted": Standing("promoted", "✓", "good"),
    "refused": Standing("refused", "✕", "wait"),
    "not_worth": Standing("not worth it", "–", "quiet"),
    "stopped": Standing("stopped", "■", "wait"),
    "failed": Standing("failed", "✕", "bad"),
    "rolled_back": Standing("rolled back", "↩", "bad"),
}
_ALERT = {
    "open": Standing("waits for somebody", "▲", "bad"),
    "acknowledged": Standing("acknowledged", "◔", "going"),
    "snoozed": Standing("snoozed", "☾", "wait"),
    "closed": Standing("closed", "✓", "good"),
}
_INCIDENT = {
    "open": Standing("open", "▲", "bad"),
    "restored": Standing("restored", "◔", "wait"),
    "closed": Standing("closed", "✓", "good"),
}
_APPROVAL = {
    "not asked": Standing("not asked for", "–", "quiet"),
    "approved": Standing("approved", "✓", "good"),
    "one person": Standing("a team of one", "◔", "wait"),
    "waiting": Standing("waits for somebody", "…", "going"),
    "conditions": Standing("approved, if", "◔", "wait"),
    "rejected": Standing("rejected", "✕", "bad"),
    "void": Standing("void", "▲", "bad"),
    "expired": Standing("expired", "■", "bad"),
    "missing": Standing("not asked for yet", "?", "wait"),
}
_REVIEW = {
    "reviewed": Standing("reviewed", "✓", "good"),
    "due": Standing("waits for a review", "…", "wait"),
    "overdue": Standing("review overdue", "▲", "bad"),
}
_CONDITION = {"held": Standing("holds", "✓", "good"), "open": Standing("not yet", "…", "wait")}


def approval_state(state: str) -> Standing:
    """How the approval of a version stands."""
    return _APPROVAL[state]


def review_state(state: str) -> Standing:
    """How the review of an exception stands."""
    return _REVIEW[state]


def condition_state(state: str) -> Standing:
    """How a condition of an approval stands."""
    return _CONDITION[state]


def monitor_state(status: str) -> Standing:
    """How a monitor, a check or a finding stands."""
    return _MONITOR[status]


def trigger_state(status: str) -> Standing:
    """How a trigger stands."""
    return _TRIGGER[status]


def firing_state(outcome: str) -> Standing:
    """What a firing was."""
    return _FIRING[outcome]


def story_state(status: str) -> Standing:
    """How a retraining stands, or ended."""
    return _STORY[status]


def alert_state(status: str) -> Standing:
    """How an alert stands."""
    return _ALERT[status]


def incident_state(status: str) -> Standing:
    """How an incident stands."""
    return _INCIDENT[status]
