"""Rows with features, for people."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import table

if TYPE_CHECKING:
    from assay.build.views.joining.join_command import JoinedRows

__all__ = ["joined_rows"]


def joined_rows(found: "JoinedRows") -> RenderableType:
    """Where they are, a line for each view, then what to know about it."""
    report = found.report
    kind = "event" if report.as_of == "event" else "knowledge"
    place = f"{found.out}@{found.hash[:12]}" if found.hash else found.out
    head = Text.assemble((place, "bold"), f": {report.rows:,} rows as of {report.time} in {kind} time")
    shown = table("view", "features", "present", "missing", "expired", "null key", "share", "last time")
    for one in report.views:
        name = one.view.partition("@")[0]
        features = ", ".join(use.column for use in found.used if use.view == name)
        counts = (one.present, one.missing, one.expired, one.null_key)
        shown.add_row(
            one.view, features, *(f"{count:,}" for count in counts), _share(one.rate), _share(one.rate_before)
        )
    remarks = [Text(f"{one.view}: {remark}", "yellow") for one in report.views for remark in one.remarks]
    return Group(head, shown, *remarks)


def _share(rate: "float | None") -> str:
    return f"{100 * rate:.1f} %" if rate is not None else ""
