"""A document that is written from records: sections with facts, tables and notes, and what people say of them.

It holds no time of writing: the same records give the same document, and the same hash.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from assay.record.canonical import canonical_json, digest
from assay.record.clock import moment

__all__ = ["NOT_SAID", "Asked", "Coverage", "Document", "Fact", "Said", "Section", "Table", "has_expired"]

Coverage = Literal["records", "person", "empty"]
NOT_SAID = "not said yet by anybody"


class Fact(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a section. `link` is the path of the page that knows more, below the root of the control plane."""

    name: str
    value: str
    link: str = ""


class Table(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rows of text; the first `keys` columns say which row it is. `links` are paths of pages, one a row, or none."""

    title: str
    headings: list[str]
    rows: list[list[str]]
    keys: int = 1
    links: list[str] = []
    more: str = ""


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person said: who answers for it, when it was said (UTC text), and until when it counts."""

    text: str
    owner: str
    ts: str
    valid_until: str | None = None


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """What only a person knows: the word under which it is written, the question, and the answer where there is one."""

    part: str
    question: str
    said: Said | None = None


class Section(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a document. What is empty of `facts`, `tables` and `notes` had nothing on record.

    `about` says what the section is for, `lacking` what no record knows of it.
    """

    key: str
    title: str
    facts: list[Fact] = []
    tables: list[Table] = []
    notes: list[str] = []
    asked: list[Asked] = []
    lacking: list[str] = []
    about: str = ""

    @property
    def has_records(self) -> bool:
        """Whether records say something here."""
        return bool(self.facts or self.notes or any(table.rows for table in self.tables))

    def coverage(self, at: datetime) -> Coverage:
        """Filled from records, else by a person whose words still count at that moment, else empty."""
        if self.has_records:
            return "records"
        counts = any(one.said and not has_expired(one.said, at) for one in self.asked)
        return "person" if counts else "empty"


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of it. `front` is metadata for other tools, written before the Markdown as YAML."""

    kind: str
    title: str
    about: list[Fact]
    sections: list[Section]
    front: dict[str, Any] = {}
    opening: str = ""
    closing: str = ""

    @property
    def hash(self) -> str:
        """The hash of all that it says."""
        return digest(msgspec.to_builtins(self))

    @property
    def content(self) -> bytes:
        """The document as it is kept: canonical JSON, whose hash is `hash`."""
        return canonical_json(msgspec.to_builtins(self)).encode()


def has_expired(said: Said, at: datetime) -> bool:
    """Whether what was said does not count any more."""
    return said.valid_until is not None and moment(said.valid_until) <= at
