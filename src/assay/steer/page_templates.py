"""The templates of this room: a mistake in one is an error, and what they are given is escaped."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2

__all__ = ["environment"]


def environment() -> "jinja2.Environment":
    """A new one, whose globals are the caller's own."""
    import jinja2  # only who writes a page needs it

    return jinja2.Environment(
        loader=jinja2.PackageLoader("assay.steer"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
