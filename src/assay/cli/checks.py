"""What a check of data found, for people."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import table

if TYPE_CHECKING:
    from assay.build.data.check_command import DataCheck

__all__ = ["data_check"]

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}
_ORDER = {"fail": 0, "warn": 1, "pass": 2}


def data_check(found: "DataCheck") -> RenderableType:
    """The verdict in one line, then what is broken; what passes is counted, and listed by --json."""
    counts = {word: sum(one.result == word for one in found.results) for word in _ORDER}
    said = f"{found.subject}, {found.rows:,} rows ({found.dataset_hash[:12]}): " + ", ".join(
        f"{counts[word]} {word}" for word in _ORDER
    )
    shown = table("result", "expectation", "rows", "found")
    broken = [one for one in found.results if one.result != "pass"]
    for one in sorted(broken, key=lambda one: _ORDER[one.result]):
        rows = f"{one.failing_rows:,}" if one.failing_rows else ""
        shown.add_row(Text(one.result, _COLOURS[one.result]), one.name, rows, one.detail)
    colour = "red" if found.verdict == "fail" else "yellow" if counts["warn"] else "green"
    parts: list[RenderableType] = [Text(said, f"bold {colour}"), Text(f"by {found.about}", "dim")]
    parts += [shown] if broken else []
    if found.written is not None:
        parts.append(
            Text(f"expectations of this table stand in {found.written}; edit them, and check with --expectations")
        )
    return Group(*parts)
