"""What a check of leakage found."""

from html import escape
from typing import Literal

import msgspec

__all__ = ["Finding", "Findings", "share_text"]

Check = Literal["rows", "features", "key", "group", "later rows", "later values", "label", "column", "missing", "sum"]


class Finding(msgspec.Struct, frozen=True):
    """One leak: `rows` of `of` rows it concerns, the columns and parts in question, and a sentence for people.

    `check` says what was looked at: "rows" or "features" that are the same in two parts, a "key" or "group" in two
    parts, "later rows", "later values", "label" (the label in another spelling), "column" (one tells the label),
    "missing" (where it is missing tells it), "sum" (several tell it together).
    """

    check: Check
    severity: Literal["stop", "warn"]
    sentence: str
    rows: int
    of: int
    columns: list[str] = []
    parts: list[str] = []


class Findings(list[Finding]):
    """Findings, the worst first. Prints as sentences and shows itself in a notebook."""

    @property
    def stops(self) -> bool:
        """Whether one of them makes an evaluation wrong."""
        return any(one.severity == "stop" for one in self)

    def __str__(self) -> str:
        return "\n".join(f"{one.severity}: {one.sentence}" for one in self) or "no leakage found"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        items = "".join(f"<li><strong>{one.severity}</strong>: {escape(one.sentence)}</li>" for one in self)
        return f"<ul>{items}</ul>" if items else "<p>no leakage found</p>"


def share_text(rows: int, of: int) -> str:
    """`12 of 3,400 rows (0.35 %)`."""
    return f"{rows:,} of {of:,} rows ({100 * rows / of:.3g} %)" if rows < of else f"all {of:,} rows"
