"""What people read of an event: a title, a few facts, and where it says what to do."""

from collections.abc import Mapping, Sequence

import msgspec

from assay.record.notify.severity import Severity, checked_severity, rank

__all__ = ["Told", "in_words", "together"]

_FACTS = {  # a fact's name: the field of the data
    "model": "model",
    "version": "version",
    "endpoint": "endpoint",
    "severity": "severity",
    "owner": "owner",
    "opened": "opened",
    "seen": "times",
    "harm began": "started",
    "detected": "detected",
    "restored": "restored",
    "cause": "cause",
    "learnt": "learnt",
    "done": "action",
    "reason": "reason",
    "page": "page",
}
_MOST_TITLE = 300
_MOST_TOGETHER = 50
_MOST_LINES = 200


class Told(msgspec.Struct, frozen=True):
    """A message for people. `lines` are several events, or what one says at length; `facts` names and values of one."""

    title: str
    severity: Severity
    facts: Mapping[str, str] = {}
    lines: Sequence[str] = ()
    runbook: str | None = None

    def text(self) -> str:
        """All of it as plain text."""
        facts = [f"{name}: {value}" for name, value in self.facts.items()]
        return "\n".join([self.title, *self.lines, *facts, *([f"runbook: {self.runbook}"] if self.runbook else [])])


def in_words(event: str, data: Mapping[str, object]) -> Told:
    """The message of one event."""
    about = data.get("message") or data.get("title") or data.get("name") or data.get("model") or ""
    title = _line(f"{event.replace('.', ' ').replace('_', ' ')}: {about}".rstrip(": "))
    facts = {name: _line(str(data[field])) for name, field in _FACTS.items() if data.get(field) not in (None, "")}
    given = data.get("lines")
    lines = [_line(str(one)) for one in given[:_MOST_LINES]] if isinstance(given, list) else []
    runbook = data.get("runbook")
    severity = checked_severity(str(data["severity"])) if rank(data.get("severity")) else "info"
    return Told(title, severity, facts, lines, runbook=_line(str(runbook)) if runbook else None)


def together(told: Sequence[Told]) -> Told:
    """One message of several, as bad as the worst of them; one alone stays as it is."""
    if len(told) == 1:
        return told[0]
    worst = max(told, key=lambda one: rank(one.severity))
    lines = [f"{one.severity}: {one.title}" for one in told[:_MOST_TOGETHER]]
    left = len(told) - len(lines)
    more = [f"and {left} more: `assay monitor alerts`"] if left else []
    return Told(f"{len(told)} things happened", worst.severity, lines=[*lines, *more])


def _line(text: str) -> str:
    """One line, so that nothing that was recorded looks like a heading or a header of its own."""
    said = " ".join(text.split())
    return said if len(said) <= _MOST_TITLE else f"{said[: _MOST_TITLE - 1]}…"
