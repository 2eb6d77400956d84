"""Pandera's schemas where expectations are taken: validated by Pandera itself, their failures as ours.

Pandera is the team's own: a schema that is here was made by it, so it is installed.
"""

import warnings
from typing import Any

import pyarrow as pa

from assay.build.data.expectations import Expectation
from assay.build.data.failures import Failure

__all__ = ["SchemaCheck", "is_schema", "schema_failures"]

_OF_FORM = ("column_in_dataframe", "column_in_schema", "dtype", "coerce_dtype", "column_ordered")


class SchemaCheck(Expectation, frozen=True, tag="pandera"):
    """A check of a schema, by Pandera's name for it; `where` is its column, or the whole table."""

    called: str
    where: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The column and what Pandera calls the check."""
        return f"{', '.join(self.where) or 'table'}: {self.called}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The column, where it is about one."""
        return self.where

    @property
    def kind(self) -> Any:
        """Whether it is about the form of the table."""
        return "data_schema" if self.called.startswith(_OF_FORM) else "data_values"


def is_schema(value: object) -> bool:
    """Whether a value is a DataFrameSchema or a DataFrameModel of Pandera."""
    kinds = value.__mro__ if isinstance(value, type) else type(value).__mro__
    return hasattr(value, "validate") and any(kind.__module__.startswith("pandera.") for kind in kinds)


def schema_failures(schema: Any, table: pa.Table, data: object) -> list[tuple[Expectation, Failure]]:
    """The checks of a schema and what breaks each. `data` is what the user gave, taken if it is such a frame."""
    schema = schema.to_schema() if hasattr(schema, "to_schema") else schema
    with warnings.catch_warnings():
        # Pandera looks whether PySpark is there, which then warns about every pandas of today.
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        from pandera.errors import SchemaErrors

        try:
            schema.validate(_frame(schema, table, data), lazy=True)
            cases: list[dict[str, Any]] = []
        except SchemaErrors as error:
            cases = pa.table(
                error.failure_cases.astype(str) if hasattr(error.failure_cases, "astype") else error.failure_cases
            ).to_pylist()
    groups: dict[tuple[tuple[str, ...], str], list[dict[str, Any]]] = {}
    for case in cases:
        has_column = case["schema_context"] == "Column" and case["column"] not in (None, "None")
        where = (str(case["column"]),) if has_column else ()
        groups.setdefault((where, str(case["check"])), []).append(case)
    found = [(SchemaCheck(called=check, where=where), _failure(rows, table)) for (where, check), rows in groups.items()]
    passed = [key for key in _declared(schema) if key not in groups]
    return [*found, *((SchemaCheck(called=check, where=where), Failure(0, "")) for where, check in passed)]


def _frame(schema: Any, table: pa.Table, data: object) -> object:
    library = "polars" if ".polars." in type(schema).__module__ else "pandas"
    if type(data).__module__.startswith(library):
        return data
    if library == "polars":
        import polars

        return polars.from_arrow(table)
    return table.to_pandas()


def _declared(schema: Any) -> list[tuple[tuple[str, ...], str]]:
    """The checks that a schema names, as Pandera calls them in a failure."""
    said = [
        ((str(name),), str(check.error or check.name))
        for name, column in schema.columns.items()
        for check in column.checks
    ]
    said += [((str(name),), "not_nullable") for name, column in schema.columns.items() if not column.nullable]
    return said + [((), str(check.error or check.name)) for check in schema.checks]


def _failure(cases: list[dict[str, Any]], table: pa.Table) -> Failure:
    """The rows of one check; a case without a row is about the whole table."""
    rows = sorted({int(case["index"]) for case in cases if str(case["index"]).isdecimal()})
    example = f"for example {cases[0]['failure_case']!r}"
    if len(rows) == 0 or rows[-1] >= table.num_rows:
        return Failure(max(table.num_rows, 1), example)
    chosen = set(rows)
    return Failure(len(rows), example, lambda: pa.chunked_array([[row in chosen for row in range(table.num_rows)]]))
