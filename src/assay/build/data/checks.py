"""Expectations about a table, checked and kept as test results: the pipeline stops, or goes on with a warning."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data import columns
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
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        if twice:
            return max(table.num_rows, 1), f"more than one column is called {', '.join(twice)}"
        text = ", ".join(f"{n}: {found.get(n, 'absent')}, expected {wanted.get(n, 'no such column')}" for n in wrong)
        return (max(table.num_rows, 1) if wrong else 0), text

    return Expectation("columns and types", "data_schema", "stop", count)


def values_present(column: str, *, share: float = 1.0, severity: Severity = "stop") -> Expectation:
    """At least `share` of the values are not null."""
    if not 0 <= share <= 1:
        raise InvalidInput(f"share is {share}", expected="0 to 1")

    def count(table: pa.Table) -> tuple[int, str]:
        missing = columns.column(table, column).null_count
        # As a quotient: both sides are then the same nearest float where the share is met exactly.
        too_many = table.num_rows > 0 and (table.num_rows - missing) / table.num_rows < share
        return (missing if too_many else 0), f"{missing} of {table.num_rows} values are missing"

    return Expectation(f"{column} is present", "data_values", severity, count)


def in_range(column: str, low: float, high: float, *, severity: Severity = "stop") -> Expectation:
    """Every value that is present lies in [low, high]; NaN does not."""
    if not low <= high:
        raise InvalidInput(f"the range is {low:g} to {high:g}", expected="low <= high")

    def outside(values: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.invert(pc.and_kleene(pc.greater_equal(values, low), pc.less_equal(values, high)))

    return Expectation(f"{column} in [{low:g}, {high:g}]", "data_values", severity, _counting(column, outside))


def is_one_of(column: str, allowed: Sequence[str], *, severity: Severity = "stop") -> Expectation:
    """Every value that is present is one of `allowed`."""

    def outside(values: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=pa.array(allowed, values.type))))

    return Expectation(f"{column} is known", "data_values", severity, _counting(column, outside))


def unique(key: Sequence[str], *, severity: Severity = "stop") -> Expectation:
    """No two rows agree in all columns of `key`; null agrees with null."""

    def count(table: pa.Table) -> tuple[int, str]:
        for column in key:
            columns.column(table, column)
        groups = table.group_by(list(key)).aggregate([([], "count_all")])
        repeated = groups.filter(pc.greater(groups["count_all"], 1))
        extra = (pc.sum(repeated["count_all"]).as_py() or 0) - repeated.num_rows
        return extra, f"{extra} rows repeat the key of another"

    return Expectation(f"{' + '.join(key)} is unique", "data_values", severity, count)


def _counting(
    name: str, outside: Callable[[pa.ChunkedArray], pa.ChunkedArray]
) -> Callable[[pa.Table], tuple[int, str]]:
    def count(table: pa.Table) -> tuple[int, str]:
        values = columns.column(table, name)
        try:
            mask = pc.fill_null(outside(values), False)
        except (pa.ArrowException, TypeError) as error:
            raise InvalidInput(f"column {name!r} is of type {values.type}, which this check does not read") from error
        failing = pc.sum(mask).as_py() or 0
        if not failing:
            return 0, ""
        return failing, f"for example {values.filter(mask)[0].as_py()!r}"

    return count
