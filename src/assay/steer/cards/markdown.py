"""A document as Markdown: what records and people wrote stays text, whatever marks stand in it."""

import re
from datetime import datetime

from assay.steer.cards.document import NOT_SAID, Asked, Document, Fact, Section, Table, has_expired
from assay.steer.cards.front_matter import as_yaml
from assay.steer.cards.words import coverage_words, day, said_by

__all__ = ["as_markdown", "paragraphs", "plain"]

_MARKS = re.compile(r"[\\`*\[\]<>|~$]|&(?=#?\w)|_(?!\w)|(?<![^\W_])_")
_AT_START = re.compile(r"^(?:[#+=:-]|\d+(?=[.)](?:\s|$)))")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")


def as_markdown(document: Document, at: datetime, *, root: str = "") -> str:
    """The document, with what people said as it counts at that moment.

    `root` is the address of the control plane, put in front of links; without it nothing is linked.
    """
    lines = ["---", as_yaml(document.front).rstrip("\n"), "---", ""] if document.front else []
    lines += [f"# {plain(document.title)}", ""]
    lines += [plain(document.opening), ""] if document.opening else []
    lines += _facts(document.about, root)
    for section in document.sections:
        lines += _section(section, at, root)
    lines += ["---", "", plain(document.closing), ""] if document.closing else []
    return "\n".join(lines).rstrip("\n") + "\n"


def plain(text: str) -> str:
    """Text as one line in which nothing is a mark."""
    line = " ".join(_CONTROL.sub("", text).split())
    return _AT_START.sub(_escaped, _MARKS.sub(_escaped, line))


def paragraphs(text: str) -> str:
    """Text in which nothing is a mark, with its lines and empty lines."""
    lines = [plain(line) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    parts = re.split(r"\n\n+", "\n".join(lines).strip("\n"))
    return "\n\n".join(part.replace("\n", "  \n") for part in parts)


def _escaped(found: re.Match[str]) -> str:
    """The character behind a backslash; of a number that would begin a list, the dot is."""
    return f"{found[0]}\\" if found[0].isdecimal() else f"\\{found[0]}"


def _section(section: Section, at: datetime, root: str) -> list[str]:
    lines = [f"## {plain(section.title)}", ""]
    if section.asked or (section.has_records and not section.about):
        lines += [f"*{plain(coverage_words(section, at))}*", ""]
    lines += [plain(section.about), ""] if section.about else []
    lines += _facts(section.facts, root)
    lines += [line for note in section.notes for line in (plain(note), "")]
    for table in section.tables:
        lines += _table(table, root)
    for one in section.asked:
        lines += _asked(one, at)
    if section.lacking:
        lines += [f"Nothing on record of: {plain(', '.join(section.lacking))}.", ""]
    return lines


def _facts(facts: list[Fact], root: str) -> list[str]:
    return [f"- {plain(fact.name)}: {_linked(fact.value, fact.link, root)}" for fact in facts] + [""] * bool(facts)


def _table(table: Table, root: str) -> list[str]:
    if not table.rows:
        return []
    lines = [f"**{plain(table.title)}**", ""] if table.title else []
    lines += [_row([plain(heading) for heading in table.headings]), _row(["---"] * len(table.headings))]
    for place, row in enumerate(table.rows):
        link = table.links[place] if table.links else ""
        lines.append(_row([_linked(row[0], link, root), *map(plain, row[1:])]))
    return [*lines, "", *([plain(table.more), ""] if table.more else [])]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _asked(one: Asked, at: datetime) -> list[str]:
    lines = [f"**{plain(one.question)}**", ""]
    if one.said is None:
        return [*lines, f"*{NOT_SAID}* (`{one.part}`)", ""]
    lines += [paragraphs(one.said.text), ""]
    mark = f" That was until {day(one.said.valid_until)}: it has to be said again." * has_expired(one.said, at)
    return [*lines, f"*{plain(said_by(one.said))}.{mark}*", ""]


def _linked(text: str, link: str, root: str) -> str:
    return f"[{plain(text)}](<{root}{link}>)" if link and root else plain(text)
