"""A document as HTML: a page that needs nothing but itself, or a part of another one."""

from datetime import datetime
from functools import cache
from pathlib import Path

from assay.steer.cards.document import NOT_SAID, Document, has_expired
from assay.steer.cards.words import coverage_words, day, said_by
from assay.steer.page_templates import environment

__all__ = ["as_fragment", "as_page"]


def as_page(document: Document, at: datetime, *, root: str = "") -> str:
    """The page; `root` is the address of the control plane, put in front of links: without it nothing is linked."""
    from markupsafe import Markup

    style = Path(__file__).parents[1].joinpath("templates", "document.css").read_text(encoding="utf-8")
    return (
        _environment()
        .get_template("document.html")
        .render(**_values(document, at, root), linked=bool(root), css=Markup(style))  # noqa: S704 - a file of this package
    )


def as_fragment(document: Document, at: datetime, *, root: str) -> str:
    """What stands in the page, with headings of the second rank, for a page of the control plane."""
    return _environment().get_template("document_body.html").render(**_values(document, at, root), linked=True)


def _values(document: Document, at: datetime, root: str) -> dict[str, object]:
    return {
        "document": document,
        "root": root,
        "state": lambda section: section.coverage(at),
        "coverage": lambda section: coverage_words(section, at),
        "expired": lambda said: has_expired(said, at),
        "said_by": said_by,
        "day": day,
        "not_said": NOT_SAID,
    }


_environment = cache(environment)  # nothing of it changes here
