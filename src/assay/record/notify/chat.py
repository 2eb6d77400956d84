"""Messages in the forms of chats: Slack's blocks, and Teams' adaptive card, as their incoming webhooks take them."""

import json

from assay.record.notify.words import Told

__all__ = ["slack", "teams"]

_SIGNS = {"info": ":information_source:", "warning": ":warning:", "critical": ":rotating_light:"}
_COLOURS = {"info": "Accent", "warning": "Warning", "critical": "Attention"}
_MOST_HEADER = 150  # Slack's limits
_MOST_SECTION = 3_000
_MOST_FIELDS = 10
_MARKS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]~"})


def slack(told: Told) -> bytes:
    """The body for an incoming webhook of Slack; nothing that was recorded is read as a mention or a link."""
    header = {"type": "plain_text", "text": _cut(told.title, _MOST_HEADER)}
    blocks: list[dict[str, object]] = [{"type": "header", "text": header}]
    if told.lines:
        text = "\n".join(f"• {_escaped(line)}" for line in told.lines)
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, _MOST_SECTION)}})
    facts = [
        {"type": "mrkdwn", "text": f"*{name}*\n{_escaped(value)}"}
        for name, value in list(told.facts.items())[:_MOST_FIELDS]
    ]
    if facts:
        blocks.append({"type": "section", "fields": facts})
    if told.runbook:
        link = f"<{_escaped(told.runbook)}|what to do>" if _is_link(told.runbook) else _escaped(told.runbook)
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"runbook: {link}"}})
    text = f"{_SIGNS[told.severity]} {_escaped(told.title)}"  # what a notification on a telephone shows
    return json.dumps({"text": text, "blocks": blocks}).encode()


def teams(told: Told) -> bytes:
    """The body for a webhook of Teams' workflows: a message with one adaptive card."""
    title = {"type": "TextBlock", "text": _plain(told.title), "weight": "Bolder", "size": "Medium", "wrap": True}
    body: list[dict[str, object]] = [{**title, "color": _COLOURS[told.severity]}]
    body += [{"type": "TextBlock", "text": _plain(line), "wrap": True} for line in told.lines]
    if told.facts:
        facts = [{"title": name, "value": _plain(value)} for name, value in told.facts.items()]
        body.append({"type": "FactSet", "facts": facts})
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if told.runbook and _is_link(told.runbook):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Runbook", "url": told.runbook}]
    elif told.runbook:
        body.append({"type": "TextBlock", "text": _plain(f"runbook: {told.runbook}"), "wrap": True})
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}).encode()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    return text.translate(_MARKS)


def _is_link(text: str) -> bool:
    return text.startswith(("https://", "http://")) and not any(sign in text for sign in "|<> ")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
