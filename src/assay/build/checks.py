"""Expectations about a table, checked and kept as test results: the pipeline stops, or goes on with a warning."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import InvalidInput
from assay.record.canonical import canonical_json
from assay.record.identity import ordered_id
from assay.record.store import Store

__all__ = [
    "CheckResult",
    "Expectation",
    "check_table",
    "columns_are",
    "in_range",
    "is_one_of",
    "unique",
    "values_present",
]

Severity = Literal["stop", "warn"]


class Expectation(msgspec.Struct, frozen=True):
    """A named condition. `count` returns how many rows break it, and a sentence about the first of them."""

    name: str
    kind: Literal["data_schema", "data_values"]
    severity: Severity
    count: Callable[[pa.Table], tuple[int, str]]


class CheckResult(msgspec.Struct, frozen=True):
    """What one expectation found: `pass`, `warn` or `fail`."""

    name: str
    kind: str
    result: Literal["pass", "warn", "fail"]
    failing_rows: int
    detail: str


def check_table(store: Store, subject: str, table: pa.Table, expectations: Sequence[Expectation]) -> list[CheckResult]:
    """Check every expectation and record each result about the dataset `subject` (its content hash)."""
    results = []
    for expectation in expectations:
        failing, detail = expectation.count(table)
        outcome = "pass" if not failing else "fail" if expectation.severity == "stop" else "warn"
        results.append(CheckResult(expectation.name, expectation.kind, outcome, failing, detail))  # type: ignore[arg-type] # one of three
    store.append_many(
        "test_result",
        [
            {
                "id": ordered_id(),
                "subject_kind": "dataset",
                "subject_id": subject,
                "tag": "D1",  # ML Test Score: feature expectations are captured in a schema
                "kind": result.kind,
                "result": result.result,
                "mode": "auto",
                "detail": canonical_json({"name": result.name, "rows": result.failing_rows, "found": result.detail}),
            }
            for result in results
        ],
    )
    return results


def columns_are(schema: pa.Schema) -> Expectation:
    """Exactly these columns with these types, in any order."""

    def count(table: pa.Table) -> tuple[int, str]:
        found = {field.name: field.type for field in table.schema}
        wanted = {field.name: field.type for field in schema}
        wrong = [name for name in sorted(found.keys() | wanted.keys()) if found.get(name) != wanted.get(name)]
        text = ", ".join(f"{n}: {found.get(n, 'absent')}, expected {wanted.get(n, 'no such column')}" for n in wrong)
        return (max(table.num_rows, 1) if wrong else 0), text

    return Expectation("columns and types", "data_schema", "stop", count)


def values_present(column: str, *, share: float = 1.0, severity: Severity = "stop") -> Expectation:
    """At least `share` of the values are not null."""
    if not 0 <= share <= 1:
        raise InvalidInput(f"share is {share}", expected="0 to 1")

    def count(table: pa.Table) -> tuple[int, str]:
        missing = table.column(column).null_count
        too_many = missing > (1 - share) * table.num_rows
        return (missing if too_many else 0), f"{missing} of {table.num_rows} values are missing"

    return Expectation(f"{column} is present", "data_values", severity, count)


def in_range(column: str, low: float, high: float, *, severity: Severity = "stop") -> Expectation:
    """Every value that is present lies in [low, high]."""

    def outside(table: pa.Table) -> pa.ChunkedArray:
        values = table.column(column)
        return pc.or_kleene(pc.less(values, low), pc.greater(values, high))

    return Expectation(f"{column} in [{low:g}, {high:g}]", "data_values", severity, _counting(column, outside))


def is_one_of(column: str, allowed: Sequence[str], *, severity: Severity = "stop") -> Expectation:
    """Every value that is present is one of `allowed`."""

    def outside(table: pa.Table) -> pa.ChunkedArray:
        values = table.column(column)
        return pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=pa.array(allowed, values.type))))

    return Expectation(f"{column} is known", "data_values", severity, _counting(column, outside))


def unique(columns: Sequence[str], *, severity: Severity = "stop") -> Expectation:
    """No two rows agree in all of `columns`."""

    def count(table: pa.Table) -> tuple[int, str]:
        groups = table.group_by(list(columns)).aggregate([([], "count_all")])
        repeated = groups.filter(pc.greater(groups["count_all"], 1))
        extra = (pc.sum(repeated["count_all"]).as_py() or 0) - repeated.num_rows
        return extra, f"{extra} rows repeat the key of another"

    return Expectation(f"{' + '.join(columns)} is unique", "data_values", severity, count)


def _counting(column: str, outside: Callable[[pa.Table], pa.ChunkedArray]) -> Callable[[pa.Table], tuple[int, str]]:
    def count(table: pa.Table) -> tuple[int, str]:
        mask = pc.fill_null(outside(table), False)
        failing = pc.sum(mask).as_py() or 0
        if not failing:
            return 0, ""
        return failing, f"for example {table.column(column).filter(mask)[0].as_py()!r}"

    return count
