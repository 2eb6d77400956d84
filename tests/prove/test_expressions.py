import pyarrow as pa
import pyarrow.compute as pc
import pytest

from assay.errors import InvalidInput
from assay.prove.expressions import Expression, evaluated

TABLE = pa.table({"hour": [1, 23, None, 22], "carrier": ["UA", "UA", "B6", "B6"]})


@pytest.mark.parametrize(
    "expression",
    ["hour >= 22", pc.field("hour") >= 22, lambda table: pc.greater_equal(table["hour"], 22)],
    ids=["sql", "arrow", "function"],
)
def test_sql_arrow_and_functions_say_the_same(expression: Expression) -> None:
    assert evaluated(expression, TABLE, "night").to_pylist() == ["no", "yes", None, "yes"]


def test_what_is_no_truth_is_taken_as_text() -> None:
    assert evaluated("carrier || '-' || hour", TABLE, "both").to_pylist() == ["UA-1", "UA-23", None, "B6-22"]
    assert evaluated(lambda table: [1, 2, 3, 4], TABLE, "n").to_pylist() == ["1", "2", "3", "4"]


def test_a_wrong_expression_names_the_segment() -> None:
    wrong: list[Expression] = [
        "hours >= 22",
        "hour >=",
        "count(*)",
        "(select 1 from read_csv('/etc/passwd'))",
        lambda table: table["nothing"],
        lambda table: [1],
    ]
    for expression in wrong:
        with pytest.raises(InvalidInput, match="the segment 'night'"):
            evaluated(expression, TABLE, "night")


def test_the_order_of_many_rows_is_kept() -> None:
    many = pa.table({"x": list(range(200_000))})
    assert evaluated("x", many, "x").equals(many["x"].cast(pa.string()))
