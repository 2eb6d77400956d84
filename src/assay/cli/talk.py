"""Comments, decision records, notices and how well people were told, for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import lines, pairs, table, when

if TYPE_CHECKING:
    from assay.record.talk.comments import Comment
    from assay.record.talk.decision_records import DecisionRecord
    from assay.record.talk.digest import Digest
    from assay.record.talk.measuring import Communication
    from assay.record.talk.notices import Notice
    from assay.record.talk.rules import NoticeRule

__all__ = [
    "comment_list",
    "comment_told",
    "communication",
    "digest_text",
    "notice_list",
    "record_list",
    "record_told",
    "rule_list",
    "rule_told",
]

_COLOURS = {"critical": "red", "warning": "yellow", "info": ""}
_WIDE = 80


def comment_list(found: "Sequence[Comment]") -> RenderableType:
    """What was said, a row each."""
    shown = table("id", "about", "what", "by", "when", "for", "state", "text", widths={"text": _WIDE})
    for one in found:
        row = (one.comment_id[:8], one.subject, one.kind, one.actor, when(one.when), ", ".join(one.to))
        shown.add_row(*row, _state(one), one.text)
    return shown


def comment_told(one: "Comment") -> RenderableType:
    """One comment, and whom nobody is called that it mentions."""
    facts = {"id": one.comment_id[:8], "about": one.subject, "for": ", ".join(one.to) or "whoever reads it"}
    facts |= {"state": _state(one)} if one.kind == "question" else {}
    facts |= {"until": when(one.due)} if one.due else {}
    said: list[RenderableType] = [Text(f"{one.kind}: {one.text}", "bold"), pairs(facts)]
    said += [Text(f"nobody here is called {name}: not told", "yellow") for name in one.unknown]
    return Group(*said)


def record_list(found: "Sequence[DecisionRecord]") -> RenderableType:
    """Decision records, a row each."""
    shown = table("no", "title", "kind", "about", "status", "when", "by", "review", widths={"title": _WIDE})
    for one in found:
        review = f"{one.review_due[:10]}{', overdue' if one.overdue else ''}" if one.review_due else ""
        row = (str(one.decision), one.title, one.kind, one.subject or "", one.status, when(one.when))
        shown.add_row(*row, ", ".join(one.said.deciders), Text(review, "yellow" if one.overdue else ""))
    return shown


def record_told(one: "DecisionRecord") -> RenderableType:
    """All that a decision record says."""
    said = one.said
    facts = {
        "decision": str(one.decision),
        "record": one.record_id[:8],
        "kind": one.kind,
        "about": one.subject,
        "status": f"superseded by {one.superseded_by[:8]}" if one.superseded_by else one.status,
        "supersedes": one.supersedes and one.supersedes[:8],
        "recorded": f"{when(one.when)} by {one.actor}",
        "context": said.context,
        "drivers": "\n".join(said.drivers),
        "options": "\n".join(said.options),
        "outcome": said.outcome,
        "consequences": said.consequences,
        "confirmation": said.confirmation,
        "deciders": ", ".join(said.deciders),
        "consulted": ", ".join(said.consulted),
        "informed": ", ".join(said.informed),
        "review": one.review_due and f"{one.review_due[:10]}{' (overdue)' if one.overdue else ''}",
        "hash": one.hash[:12],
    }
    parts: list[RenderableType] = [Text(one.title, "bold")]
    parts.append(pairs({name: value for name, value in facts.items() if value}, width=_WIDE))
    if said.evidence:
        shown = table("is evidence for it", "content", "now")
        for piece in said.evidence:
            shown.add_row(piece.subject, piece.content[:12], Text(piece.state, _tone(piece.state)))
        parts.append(shown)
    return Group(*parts)


def notice_list(found: "Sequence[Notice]") -> RenderableType:
    """Notices, a row each."""
    shown = table("id", "severity", "for", "what", "about", "until", "state", widths={"what": _WIDE})
    for one in found:
        roles = f" ({', '.join(one.roles)})" if one.roles else ""
        whom = f"{one.person or 'nobody'}{roles}"
        severity = Text(one.severity, _COLOURS[one.severity])
        due = when(one.due) if one.due else ""
        shown.add_row(one.notice_id[:8], severity, whom, one.words, one.subject, due, _stands(one))
    return shown


def rule_list(found: "Sequence[NoticeRule]") -> RenderableType:
    """Rules, a row each."""
    shown = table("event", "who", "within", "least", "quiet", "unread to", "for", "set")
    for one in found:
        row = (one.event, one.role, one.within, one.least, one.quiet or "", ", ".join(one.escalate_to))
        shown.add_row(*row, one.model or "all models", "by default" if one.default else "here")
    return shown


def rule_told(one: "NoticeRule") -> RenderableType:
    """One rule, as it counts now."""
    where = f" for {one.model}" if one.model else ""
    if one.off:
        return Text(f"{one.role} need not know of {one.event}{where} any more")
    quiet = f"; quiet {one.quiet}" if one.quiet else ""
    unread = f"; unread it goes to {', '.join(one.escalate_to)}" if one.escalate_to else ""
    return Text(f"{one.role} has to know of {one.event}{where} within {one.within}, from {one.least} on{quiet}{unread}")


def communication(found: "Communication") -> RenderableType:
    """The share that knew in time, and by event and role who did."""
    if found.share is None:
        head = "COMM-1: no governance event was due in this time"
    else:
        ends = f"{found.low:.0%} to {found.high:.0%}"
        head = f"COMM-1: {found.share:.0%} of {found.n} governance events reached every required role in time ({ends})"
    head += f"; {found.pending} are not due yet" if found.pending else ""
    shown = table("event", "role", "had to know", "told", "sent", "read", "acted", "in time", "not due", "who")
    for one in found.reached:
        counts = (one.had_to_know, one.told, one.sent, one.read, one.acted, one.in_time, one.pending)
        shown.add_row(one.event, one.role, *map(str, counts), ", ".join(one.people))
    ack = found.acknowledged
    median = f"median {ack.median_hours:.1f} hours" if ack.median_hours is not None else "no time known"
    acted = f", {ack.acted_share:.0%} of {ack.closed} closed ones acted on" if ack.acted_share is not None else ""
    said = [f"ACK-1: {ack.acknowledged} of {ack.alerts} alerts acknowledged, {median}{acted}"]
    said += [f"{found.unanswered} questions and comments have waited more than 5 days for an answer"]
    said += [f"{found.reviews_overdue} decisions are past their review date"]
    missing = [f"nobody had the role {one}" for one in found.nobody]
    parts: list[RenderableType] = [Text(head, "bold"), *([shown] if found.reached else []), lines(said, "")]
    return Group(*parts, *([lines(missing, "yellow")] if missing else []))


def digest_text(found: "Digest") -> RenderableType:
    """The text, and to whom it went."""
    sent = [f"given to the channels of {', '.join(found.sent)}"] if found.sent else []
    return lines([found.text(), *sent], "")


def _state(one: "Comment") -> str:
    if one.kind != "question":
        return "no answer yet" if one.unanswered else one.outcome or ""
    if one.closed:
        return f"{one.outcome} by {one.closed_by}"
    return "open, late" if one.late else "open, unanswered" if one.unanswered else "open"


def _stands(one: "Notice") -> Text:
    if not one.person:
        return Text(f"nobody has the role: assay role grant PERSON {one.roles[0] if one.roles else 'ROLE'}", "yellow")
    if one.acted:
        return Text(f"{one.how} {when(one.acted)}")
    if one.read:
        return Text(f"read {when(one.read)}")
    if one.settled:
        return Text("unread; others have done it")
    return Text("unread, late" if one.late else "unread", "yellow" if one.late else "")


def _tone(state: str) -> str:
    return "" if state == "unchanged" else "yellow"
