"""Pandera's schemas where expectations are taken."""

import warnings
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from assay.build.data.checks import check_results, check_table, in_range
from assay.build.data.quarantine import BROKEN, quarantine
from assay.errors import InvalidInput, Refused
from assay.record.sqlstore import SqlStore

with warnings.catch_warnings():  # of PySpark, which Pandera imports where it is there
    warnings.simplefilter("ignore")
    import pandera.pandas as panderas
    import pandera.polars as pandera_polars

TABLE = pa.table({"n": [1.0, 2.0, None, 40.0], "text": ["a", "b", "c", "a"]})
SCHEMA = panderas.DataFrameSchema(
    {
        "n": panderas.Column(float, [panderas.Check.in_range(0, 10), panderas.Check.gt(1)], nullable=True),
        "text": panderas.Column(str, panderas.Check.isin(["a", "b", "c"])),
    },
    unique=["text"],
)


class Model(pandera_polars.DataFrameModel):
    n: float = pandera_polars.Field(ge=2, nullable=True)
    text: str = pandera_polars.Field(isin=["a", "c"])


def test_each_check_of_a_schema_is_a_result() -> None:
    found = {one.name: (one.result, one.failing_rows, one.detail) for one in check_results(TABLE, SCHEMA)}
    assert found == {
        "table: multiple_fields_uniqueness": ("fail", 2, "for example 'a'"),
        "n: in_range(0, 10)": ("fail", 1, "for example '40.0'"),
        "n: greater_than(1)": ("fail", 1, "for example '1.0'"),
        "text: isin(['a', 'b', 'c'])": ("pass", 0, ""),
        "text: not_nullable": ("pass", 0, ""),
    }


@pytest.mark.parametrize("data", [TABLE, pl.from_arrow(TABLE)], ids=["arrow", "polars"])
def test_a_model_for_polars_works_as_well(data: Any) -> None:
    found = {one.name: one.failing_rows for one in check_results(data, Model) if one.result == "fail"}
    assert found == {"n: greater_than_or_equal_to(2)": 1, "text: isin(['a', 'c'])": 1}


def test_a_schema_is_recorded_as_others_are(store: SqlStore) -> None:
    frame = pd.DataFrame({"n": [1.5], "text": ["a"]})
    results = check_table(store, "hash", frame, [SCHEMA, in_range("n", 0, 10)])
    assert {one.result for one in results} == {"pass"}
    assert len(store.query("test_result")) == len(results) == 5


def test_a_column_that_is_not_there_is_about_the_form() -> None:
    (found,) = [one for one in check_results(TABLE.drop_columns(["text"]), SCHEMA) if "column_in" in one.name]
    assert (found.kind, found.result, found.failing_rows) == ("data_schema", "fail", 4)


def test_rows_that_break_a_schema_are_set_apart(store: SqlStore) -> None:
    found = quarantine(store, "numbers", TABLE, SCHEMA)
    assert found.kept["text"].to_pylist() == ["b", "c"]
    assert found.set_apart[BROKEN].to_pylist()[1] == "table: multiple_fields_uniqueness; n: in_range(0, 10)"
    with pytest.raises(Refused, match="about the whole table"):
        quarantine(store, "numbers", TABLE.drop_columns(["n"]), SCHEMA)


def test_what_is_no_expectation_is_told() -> None:
    for wrong in (3, "range", [3], None):
        with pytest.raises(InvalidInput, match="says nothing about a table"):
            check_results(TABLE, wrong)
