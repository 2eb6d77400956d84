"""Cells of CSV files that people open in a spreadsheet: none is taken for a formula."""

import re

__all__ = ["cell"]

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def cell(text: str) -> str:
    """Text behind an apostrophe where a spreadsheet would compute it; a number stays one, whatever its sign."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
