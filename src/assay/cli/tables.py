"""How tables look in the terminal."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

__all__ = ["lines", "number", "pairs", "table", "when"]

_EXACT = 2**53  # floats hold every whole number up to here


def table(*columns: str, title: str | None = None, widths: Mapping[str, int] | None = None) -> Table:
    """A table with those headings; long cells fold, none is cut.

    `widths` are the most that columns take, also in a pipe: sentences want one, so that a row has some 120 characters.
    """
    shown = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold", max_width=(widths or {}).get(column))
    return shown


def pairs(values: Mapping[str, str], title: str | None = None, width: int | None = None) -> Table:
    """Two columns without headings; values take at most that `width`."""
    shown = table("name", "value", title=title, widths={"value": width} if width else None)
    shown.show_header = False
    for name, value in values.items():
        shown.add_row(name, value)
    return shown


def lines(texts: Sequence[str], style: str) -> Text:
    """Lines of text in one colour."""
    return Text("\n".join(texts), style)


def number(value: float, digits: int) -> str:
    """A whole number in full, any other with that many digits."""
    return f"{value:.0f}" if value.is_integer() and abs(value) < _EXACT else f"{value:.{digits}g}"


def when(time: str) -> str:
    """A recorded time without fractions of a second."""
    return time[:19].replace("T", " ")
