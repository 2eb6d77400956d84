"""A document as files: Markdown, HTML, CSV, JSON by their ending, and PDF."""

import csv
import io
from datetime import datetime
from pathlib import Path

import msgspec

from assay.errors import InvalidInput, StoreUnavailable
from assay.record.csv_text import cell
from assay.record.files import write_whole
from assay.steer.cards.document import NOT_SAID, Document, has_expired
from assay.steer.cards.markdown import as_markdown
from assay.steer.cards.pages import as_page
from assay.steer.cards.printing import as_pdf

__all__ = ["as_csv", "check_target", "write_files"]

_ENDINGS = (".md", ".html", ".csv", ".json")
_READABLE = 0o644


def write_files(document: Document, at: datetime, *, root: str, output: str | None, pdf: str | None) -> list[str]:
    """Write the document where it is asked for, each file whole or not at all; their paths."""
    if root and not root.startswith(("http://", "https://")):
        raise InvalidInput(f"the address is {root!r}", expected="one that begins with http:// or https://")
    contents: dict[Path, bytes] = {}
    if output is not None:
        contents[check_target(output, _ENDINGS)] = _content(document, at, root, Path(output).suffix)
    if pdf is not None:
        target = check_target(pdf, (".pdf",))
        contents[target] = as_pdf(as_page(document, at, root=root))
    for target, content in contents.items():
        try:
            write_whole(target, content, _READABLE)
        except OSError as error:
            raise StoreUnavailable(f"the file cannot be written: {error.strerror}", where=str(target)) from error
    return [str(target) for target in contents]


def check_target(name: str, endings: tuple[str, ...] = _ENDINGS) -> Path:
    """The file that is to be written; InvalidInput for another ending, and where no file can be."""
    target = Path(name).absolute()
    if target.suffix not in endings:
        raise InvalidInput(f"nothing is written to {name!r}", expected=f"a file that ends with {', '.join(endings)}")
    if target.is_dir() or not target.parent.is_dir():
        raise InvalidInput("the file cannot be written", where=str(target), expected="a file in a folder that exists")
    return target


def as_csv(document: Document, at: datetime) -> str:
    """All of it as rows of section, what, and values; no cell is taken for a formula."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(["section", "kind", "item", "values"])

    def row(*values: str) -> None:
        table.writerow([cell(value) for value in values])

    for text in (document.opening, document.closing):
        row("", "note", "", text)
    for fact in document.about:
        row("about", "fact", fact.name, fact.value)
    for section in document.sections:
        row(section.title, "coverage", section.key, section.coverage(at))
        if section.about:
            row(section.title, "about", "", section.about)
        for fact in section.facts:
            row(section.title, "fact", fact.name, fact.value)
        for note in section.notes:
            row(section.title, "note", "", note)
        for of in section.tables:
            row(section.title, "headings", of.title, *of.headings)
            for values in of.rows:
                row(section.title, "row", of.title, *values)
        for one in section.asked:
            if one.said is None:
                row(section.title, "asked", one.part, NOT_SAID)
            else:
                until = one.said.valid_until or ""
                counts = "expired" if has_expired(one.said, at) else "valid"
                row(section.title, "said", one.part, one.said.text, one.said.owner, one.said.ts, until, counts)
    return written.getvalue()


def _content(document: Document, at: datetime, root: str, ending: str) -> bytes:
    if ending == ".md":
        return as_markdown(document, at, root=root).encode()
    if ending == ".html":
        return as_page(document, at, root=root).encode()
    if ending == ".csv":
        return as_csv(document, at).encode()
    return msgspec.json.format(document.content, indent=2) + b"\n"
