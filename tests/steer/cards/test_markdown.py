"""What people and records wrote is text in Markdown, whatever marks stand in it."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assay.steer.cards.document import Asked, Document, Fact, Said, Section, Table
from assay.steer.cards.markdown import as_markdown, paragraphs, plain

AT = datetime(2026, 11, 30, tzinfo=UTC)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
MARKS = st.text(alphabet="ab1 \\`*_[]()<>#+-=.!|~&;:/{}$^\"'\n\t", max_size=40)


class Words(HTMLParser):
    """Elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def squeezed(text: str) -> str:
    return " ".join(text.split())


@settings(max_examples=100)
@given(MARKS)
def test_a_line_is_read_as_it_was_written(text: str) -> None:
    read = Words(MARKDOWN.render(f"x {plain(text)}"))
    assert squeezed(read.text) == squeezed(f"x {text}")
    assert set(read.tags) <= {"p"}


@settings(max_examples=100)
@given(MARKS)
def test_lines_are_read_as_they_were_written(text: str) -> None:
    read = Words(MARKDOWN.render(paragraphs(text)))
    assert squeezed(read.text) == squeezed(text)
    assert set(read.tags) <= {"p", "br"}


@settings(max_examples=60)
@given(MARKS)
def test_a_document_keeps_its_form_whatever_is_in_it(text: str) -> None:
    said = Said(text=text or "x", owner=text or "x", ts="2026-11-30T00:00:00.000000Z")
    section = Section(
        "one",
        text or "x",
        facts=[Fact(text, text)],
        tables=[Table(text, ["a", text], [[text, text], ["1", "2"]])],
        notes=[text or "x"],
        asked=[Asked("part", "Why?", said)],
        lacking=[text],
    )
    document = Document("model", "Title", [Fact("a", text)], [section], opening="o", closing=text or "x")
    read = Words(MARKDOWN.render(as_markdown(document, AT)))
    allowed = {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "em", "strong", "br", "hr"}
    assert set(read.tags) <= allowed | {"code"}
    assert read.tags.count("table") == 1
    assert read.tags.count("tr") == 3
    assert read.tags.count("h2") == 1


def test_links_are_there_only_where_the_pages_are_known() -> None:
    document = Document("model", "t", [Fact("Run", "r [1]", "/runs/1%20a")], [])
    assert "](" not in as_markdown(document, AT)
    linked = as_markdown(document, AT, root="http://assay:5000")
    assert re.search(r'<a href="http://assay:5000/runs/1%20a">r \[1\]</a>', MARKDOWN.render(linked))
