"""Tables for eyes: lines of text in columns, for a terminal and for a notebook."""

from collections.abc import Sequence

__all__ = ["aligned", "as_html", "number_text", "range_text"]


def aligned(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """The rows under their headings; the first `left` columns are text and begin at the left."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column < left else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_html(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as an HTML table."""
    from html import escape

    def row_of(tag: str, texts: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts) + "</tr>"

    body = "".join(row_of("td", row) for row in rows)
    return f"<table><thead>{row_of('th', headings)}</thead><tbody>{body}</tbody></table>"


def number_text(value: float | None, form: str) -> str:
    """The number in that form, nothing for None."""
    return "" if value is None else format(value, form)


def range_text(low: float | None, high: float | None, form: str) -> str:
    """ "0.1 to 0.2"; nothing where there is no lower end."""
    return "" if low is None else f"{number_text(low, form)} to {number_text(high, form)}"
