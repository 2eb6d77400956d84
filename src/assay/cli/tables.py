"""How tables look in the terminal."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

__all__ = ["lines", "number", "pairs", "table", "when"]

_EXACT = 2**53  # floats hold every whole number up to here


def table(*columns: str, title: str | None = None) -> Table:
    """A table with those headings; long cells fold, none is cut."""
    shown = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    return shown


def pairs(values: Mapping[str, str], title: str | None = None) -> Table:
    """Two columns without headings."""
    shown = table("name", "value", title=title)
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
