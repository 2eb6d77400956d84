"""Datasets in the terminal: which there are, and what is in them."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import number, pairs, table, when

if TYPE_CHECKING:
    from assay.build.data.column_summary import ColumnSummary, Value
    from assay.build.data.listing import DatasetDetail, DatasetList
    from assay.record.datasets import DatasetVersion

__all__ = ["dataset_detail", "dataset_list", "dataset_version"]

_LONGEST = 40


def dataset_list(found: "DatasetList") -> RenderableType:
    """A line a dataset, or what to do where there is none."""
    if not found.datasets:
        return Text("no datasets yet; `assay data add rows rows.csv` keeps one")
    shown = table("dataset", "rows", "hash", "versions", "created", "from", "licence")
    for one in found.datasets:
        cells = (f"{one.rows:,}", one.hash[:12], str(one.versions), when(one.created))
        shown.add_row(one.name, *cells, one.origin or "", one.licence or "")
    return shown


def dataset_version(found: "DatasetVersion") -> RenderableType:
    """What is kept now, and how to look at it."""
    look = f"`assay data show {found.name}` says what is in it"
    return Text(f"{found.name}@{found.hash[:12]}: {found.rows:,} rows; {look}")


def dataset_detail(found: "DatasetDetail") -> RenderableType:
    """The version's facts, a line a column, and its first rows where they were asked for."""
    facts = {
        "dataset": f"{found.name}@{found.hash[:12]}",
        "rows": f"{found.rows:,}",
        "size": f"{found.bytes / 1e6:,.1f} MB in memory",
        "created": when(found.created),
        "versions": str(found.versions),
        "from": found.origin,
        "licence": found.licence,
    }
    shown = table("column", "type", "missing", "distinct", "min", "median", "max", "most frequent")
    for column in found.columns:
        shown.add_row(*_column(column, found.rows))
    parts: list[RenderableType] = [pairs({key: value for key, value in facts.items() if value is not None}), shown]
    if found.first:
        rows = table(*found.first[0])
        for row in found.first:
            rows.add_row(*map(_value, row.values()))
        parts.append(rows)
    return Group(*parts)


def _column(column: "ColumnSummary", rows: int) -> tuple[str, ...]:
    missing = f"{column.missing:,} ({column.missing / rows:.1%})" if column.missing else ""
    distinct = "" if column.distinct is None else f"{'' if column.distinct_is_exact else 'about '}{column.distinct:,}"
    frequent = ", ".join(f"{_value(one.value)} {one.rows / rows:.1%}" for one in column.most_frequent[:3])
    if column.distinct is not None and column.distinct > rows / 2:
        frequent = ""  # of values that occur once or so, which come first says nothing
    middle = map(_value, (column.min, column.median, column.max))
    return (column.name, column.type, missing, distinct, *middle, frequent)


def _value(value: "Value | None") -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(float(value), 6)
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
