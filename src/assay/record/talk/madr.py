"""A decision record as Markdown, in the form of MADR 4: what other tools and people read without Assay."""

import json
import re

from assay.record.talk.decision_records import DecisionRecord

__all__ = ["as_markdown", "file_name"]

_MARKUP = re.compile(r"([\\`*_\[\]<>#|])")
_BEGINS = re.compile(r"(?m)^(\s*)([-+=~]|\d+[.)])")  # a list, a line below a heading, a fence
_UNSAFE = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 60


def as_markdown(record: DecisionRecord) -> str:
    """The record with the headings of MADR 4. Text of people is escaped: none of it is a heading, a link or HTML."""
    said = record.said
    front = {
        "status": f"superseded by {record.superseded_by}" if record.superseded_by else record.status,
        "date": record.when[:10],
        "decision-makers": ", ".join(said.deciders),
        "consulted": ", ".join(said.consulted),
        "informed": ", ".join(said.informed),
        "kind": record.kind,
        "review": (record.review_due or "")[:10],
        "supersedes": record.supersedes or "",
        "origin": record.record_id,
        "ledger": f"{record.decision}",
        "hash": record.hash,
    }
    parts = [
        "---",
        *(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in front.items() if value),
        "---",
    ]
    parts += ["", f"# {_plain(record.title)}", "", "## Context and Problem Statement", "", _plain(said.context)]
    parts += _listed("Decision Drivers", said.drivers)
    parts += _listed("Considered Options", said.options)
    parts += ["", "## Decision Outcome", "", _plain(said.outcome)]
    if said.consequences:
        parts += ["", "### Consequences", "", _plain(said.consequences)]
    if said.confirmation:
        parts += ["", "### Confirmation", "", _plain(said.confirmation)]
    more = [f"about {record.subject}"] if record.subject else []
    more += [f"is evidence for it: {one.subject}, content {one.content} ({one.state})" for one in said.evidence]
    return "\n".join([*parts, *_listed("More Information", more), ""])


def file_name(record: DecisionRecord) -> str:
    """Its number in the ledger and the words of its title, such as `0012-keep-the-forest.md`."""
    words = _UNSAFE.sub("-", record.title.casefold()).strip("-")[:_LONGEST_NAME].strip("-")
    return f"{record.decision:04d}-{words or 'decision'}.md"


def _listed(heading: str, lines: list[str]) -> list[str]:
    return ["", f"## {heading}", "", *(f"* {_plain(' '.join(line.split()))}" for line in lines)] if lines else []


def _plain(text: str) -> str:
    return _BEGINS.sub(_escaped, _MARKUP.sub(r"\\\1", text))


def _escaped(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2][:-1]}\\{found[2][-1]}"
