"""How rows came into feature views, for people."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import pairs, table

if TYPE_CHECKING:
    from assay.build.views.arriving.erasing import Erased
    from assay.build.views.arriving.materialize import Materialization, Materialized
    from assay.build.views.arriving.push import Pushed

__all__ = ["erased", "materialization", "pushed"]

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def materialization(found: "Materialization") -> RenderableType:
    """A line for each view, and below what a person should know or do."""
    shown = table("view", "new rows", "served now", "later", "older", "newest", "compared", "seconds")
    for one in found.views:
        agreed = one.agreement
        shown.add_row(
            one.view,
            f"{one.source.logged:,}",
            f"{one.written.applied:,}",
            f"{one.written.waiting:,}",
            f"{one.written.older:,}",
            _age(one.fresh.age_us),
            "" if agreed is None else _agreed(agreed.compared, agreed.differing),
            f"{one.seconds:.1f}",
        )
    failed = [Text(f"{view}: {what}", "red") for view, what in found.failed.items()]
    return Group(shown, *[part for one in found.views for part in _remarks(one)], *failed)


def pushed(found: "Pushed") -> RenderableType:
    """What became of the rows, what did not happen left out."""
    said = {"served now": found.applied, "later": found.waiting, "older": found.late, "unusable": found.unusable}
    head = Text(f"{found.rows:,} rows of {found.view} logged", "bold")
    return Group(head, pairs({name: f"{count:,}" for name, count in said.items() if count}))


def erased(found: "Erased") -> RenderableType:
    """What left, and what is still to be done by others."""
    versions = ", ".join(map(str, found.versions))
    return Group(
        Text(f"erased from {found.view}, versions {versions} (decision {found.decision})", "bold"),
        pairs({"rows": f"{found.rows:,}", "online": f"{found.online:,}", "blobs": f"{found.blobs:,}"}),
        Text("the source is not touched: take the rows out there as well; they are not taken in again", "yellow"),
    )


def _remarks(one: "Materialized") -> list[RenderableType]:
    found: list[RenderableType] = []
    if one.agreement is not None and one.agreement.differing:
        found.append(Text(f"{one.view}: online and offline differ: {one.agreement.example}", "red"))
    if one.written.unusable:
        found.append(Text(f"{one.view}: {one.written.unusable:,} rows without a key, or a created", "yellow"))
    if one.gone:
        said = f"{one.view}: {one.gone:,} logged rows are no longer in the source and still count"
        found.append(Text(f"{said}; `assay features materialize {one.view} --rebuild` leaves them out", "yellow"))
    if one.left_out:
        found.append(Text(f"{one.view}: {one.left_out:,} rows that the source no longer holds were left out"))
    return found


def _agreed(compared: int, differing: int) -> Text:
    return Text(f"{differing:,} of {compared:,} differ", "red") if differing else Text(f"{compared:,} agree", "green")


def _age(age_us: int | None) -> str:
    if age_us is None:
        return ""
    seconds = abs(age_us) / 1e6
    amount = next((f"{seconds / size:.1f} {unit}" for size, unit in _STEPS if seconds >= size), f"{seconds:.1f} s")
    return f"{amount} ago" if age_us >= 0 else f"in {amount}"
