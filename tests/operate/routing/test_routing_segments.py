import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.operate.routing.segments import segment_of

KINDS = {"distance": "number", "carrier": "text", "tail number": "text"}
ROW = {"distance": 600.0, "carrier": "AA", "tail number": None}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("distance > 500", True),
        ("distance > 500 and carrier = 'UA'", False),
        ("distance > 500 or carrier = 'UA'", True),
        ("not (distance > 500 and carrier = 'UA')", True),
        ("carrier in ('AA', 'UA')", True),
        ("carrier not in ('AA', 'UA')", False),
        ("distance between 500 and 600", True),
        ("distance not between 500 and 600", False),
        ("distance != 600", False),
        ("not distance != 600", True),
        ("`tail number` is null", True),
        ("`tail number` is not null", False),
        ("`tail number` = 'N1'", False),
        ("`tail number` != 'N1'", False),
        ("not `tail number` = 'N1'", False),
        ("distance in (600, 700)", True),
    ],
)
def test_a_segment_holds_where_its_words_say(text: str, holds: bool) -> None:
    assert segment_of(text, KINDS).holds(ROW) is holds
    assert segment_of(text).holds(ROW) is holds, "also where no columns are known"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("distnce > 500", "did you mean distance"),
        ("distance > 'far'", "expected: a number"),
        ("carrier > 3", "cannot compare carrier"),
        ("distance >", "the end"),
        ("distance > 500 and", "the end"),
        ("(distance > 500", "a bracket is not closed"),
        ("", "says nothing"),
        ("distance > 500; drop table x", "comes after the end"),
        ("__import__('os')", "no column"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        segment_of(text, KINDS)
    assert said in str(raised.value)


def test_a_value_of_the_other_kind_is_in_no_segment() -> None:
    for text in ("distance > 500", "distance != 500", "not distance < 5", "distance in (1)", "distance not in (1)"):
        for value in ("600", None, math.nan, [1], {"a": 1}):
            assert segment_of(text).holds({"distance": value}) is False
    assert segment_of("distance is null").holds({"distance": math.nan})
    assert segment_of("flag = 1").holds({"flag": True}), "true is 1, as models take it"


def test_only_the_named_columns_are_looked_at() -> None:
    found = segment_of("distance > 1 and (carrier = 'AA' or distance < 9)")
    assert found.columns == ("distance", "carrier")


VALUES = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.5, math.nan]))
TEXTS = st.one_of(st.none(), st.sampled_from(["", "AA", "UA", "ü"]))


COMPARISONS = [
    *[f"x {sign} {value}" for sign in ("=", "!=", "<", ">=") for value in ("1", "2.5", "'UA'")],
    *[f"name {sign} 'UA'" for sign in ("=", "!=", "in ('AA') and not name =")],
    "x in (1, 2.5)",
    "x not in (1)",
    "x not between 1 and 2",
    "x between 1 and 2",
    "x is null",
    "name is not null",
    "gone is null",
    "gone = 1",
    "name = 1",
    "name not in ('AA', 'ü')",
]


@st.composite
def _expressions(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(COMPARISONS))
    for part in draw(st.lists(st.sampled_from(COMPARISONS), max_size=3)):
        text = f"{text} {draw(st.sampled_from(['and', 'or', 'and not', 'or not']))} ({part})"
    return text


@given(_expressions(), st.lists(st.tuples(VALUES, TEXTS), min_size=1, max_size=20))
def test_a_table_is_judged_as_its_rows_one_by_one(text: str, rows: list[tuple[float | None, str | None]]) -> None:
    found = segment_of(text)
    table = pa.table(
        {
            "x": pa.array([value for value, _ in rows], pa.float64()),
            "name": pa.array([name for _, name in rows], pa.string()),
        }
    )
    expected = [found.holds({"x": value, "name": name}) for value, name in rows]
    assert found.mask(table).tolist() == expected
