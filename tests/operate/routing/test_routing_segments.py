import math

import pytest

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
