"""Features of entities in the terminal."""

from typing import TYPE_CHECKING

from rich.console import RenderableType

from assay.cli.tables import number, table, when

if TYPE_CHECKING:
    from assay.operate.features.getting import FeatureAnswer

__all__ = ["feature_answer"]


def feature_answer(found: "FeatureAnswer") -> RenderableType:
    """A line for each feature, a column for each entity; below, whether each view has a row and from when."""
    entities = [", ".join(f"{name}={value}" for name, value in one.entity.items()) for one in found.entities]
    shown = table("feature", *entities, title=f"as served at {when(found.now)}")
    first = found.entities[0]
    for name in first.values:
        shown.add_row(name, *[_value(one.values[name]) for one in found.entities])
    shown.add_section()
    for view in first.status:
        states = [(one.status[view], one.ts[view]) for one in found.entities]
        shown.add_row(view, *[when(ts) if status == "present" and ts else status for status, ts in states], style="dim")
    return shown


def _value(value: object) -> str:
    if isinstance(value, float):
        return number(value, 4)
    return "" if value is None else str(value)
