"""Datasets in the terminal: which there are, and what is in them."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import number, pairs, table, when

if TYPE_CHECKING:
    from assay.build.data.column_summary import ColumnSummary
    from assay.build.data.column_values import Value
    from assay.build.data.dataset_lineage import DatasetLineage, VersionUse
    from assay.build.data.difference import DatasetDifference
    from assay.build.data.listing import DatasetDetail, DatasetList
    from assay.record.datasets import DatasetVersion

__all__ = ["dataset_detail", "dataset_difference", "dataset_lineage", "dataset_list", "dataset_version"]

_LONGEST = 40
_OFTEN = 0.005  # of the rows, for a value to be worth a place


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


def dataset_difference(found: "DatasetDifference") -> RenderableType:
    """What changed, a sentence a column, then the numbers of those that moved."""
    head = f"{found.before.dataset} -> {found.after.dataset}"
    if found.same:
        return Text(f"{head}: the same rows in the same order")
    parts: list[RenderableType] = [Text(head, "bold"), *(Text(f"- {sentence}") for sentence in found.words)]
    quantiles = table("column", "", "missing", "5 %", "25 %", "50 %", "75 %", "95 %", "stability index")
    for one in found.columns:
        if one.words and one.quantiles_before and one.stability is not None:
            before, after = (map(_value, values) for values in (one.quantiles_before, one.quantiles_after))
            quantiles.add_row(one.name, "before", f"{one.missing_before:.1%}", *before)
            quantiles.add_row("", "after", f"{one.missing_after:.1%}", *after, f"{one.stability:.3f}")
    if quantiles.row_count:
        parts.append(quantiles)
    quiet = sum(not one.words for one in found.columns)
    if quiet:
        parts.append(Text(f"nothing of note in {quiet} other column{'s' if quiet > 1 else ''}", "dim"))
    return Group(*parts)


def dataset_lineage(found: "DatasetLineage") -> RenderableType:
    """A paragraph a version: where it is from, and who used it."""
    return Group(*map(_version_use, found.versions))


def _version_use(one: "VersionUse") -> RenderableType:
    facts = {
        "from": one.origin,
        "licence": one.licence,
        "kept": when(one.created),
        "same content": ", ".join(one.same_content) or None,
        "evaluations": ", ".join(key[:8] for key in one.evaluations) or None,
    }
    parts: list[RenderableType] = [
        Text(f"{one.name}@{one.hash[:12]}, {one.rows:,} rows", "bold"),
        pairs({key: value for key, value in facts.items() if value is not None}),
    ]
    if one.runs:
        shown = table("run", "name", "used as", "status", "started", "models")
        for run in one.runs:
            cells = (run.role, run.status, when(run.started), ", ".join(run.models))
            shown.add_row(run.run_id[:8], run.name, *cells)
        parts.append(shown)
    if one.steps:
        shown = table("step", "run", "as", "state")
        for step in one.steps:
            shown.add_row(step.name, step.run_id[:8], step.role, step.state)
        parts.append(shown)
    if not one.runs and not one.steps:
        parts.append(Text("no run has used it; run.dataset(table, name) inside `with assay.run(...)` notes one", "dim"))
    return Group(*parts)


def _column(column: "ColumnSummary", rows: int) -> tuple[str, ...]:
    missing = f"{column.missing:,} ({column.missing / rows:.1%})" if column.missing else ""
    distinct = "" if column.distinct is None else f"{column.distinct:,}"
    often = [one for one in column.most_frequent[:3] if one.rows >= rows * _OFTEN]
    frequent = ", ".join(f"{_value(one.value)} {one.rows / rows:.1%}" for one in often)
    middle = map(_value, (column.min, column.median, column.max))
    return (column.name, column.type, missing, distinct, *middle, frequent)


def _value(value: "Value | None") -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(float(value), 6)
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
