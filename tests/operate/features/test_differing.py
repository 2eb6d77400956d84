import math

import pytest

from assay.operate.features.differing import Kind, Said, kind_of, same
from assay.operate.features.lookup import Value


def present(value: Value, ts: int = 5) -> Said:
    return Said(value, "present", ts)


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        (1.0, 1.0, True),
        (0.1 + 0.2, 0.3, False),
        (0.0, -0.0, False),
        ("a", "a", True),
        ("1.0", 1.0, False),
        (None, None, True),
        (None, 0.0, False),
        (None, "", False),
    ],
)
def test_floats_are_the_same_bit_by_bit_and_nothing_is_like_null(first: Value, second: Value, is_same: bool) -> None:
    assert same(first, second) is is_same


@pytest.mark.parametrize(
    ("served", "offline", "kind"),
    [
        (present(1.0), present(2.0), "value"),
        (present(5.5), present(5.0), "value"),
        (present(0.0), present(0.4), "value"),
        (present(None), present(2.0), "value"),
        (present("a"), present("b"), "value"),
        (present(1.0, 4), present(2.0), "older row"),
        (present(1.0, 6), present(2.0), "value"),
        (present(5.0), present(5.5), "type or precision"),
        (present(0.1), present(0.10000000149011612), "type or precision"),
        (present("2"), present(2.0), "type or precision"),
        (present("2", 4), present(2.0), "type or precision"),
        (present(math.inf), present(1.0), "value"),
        (Said(None, "missing", None), present(2.0), "missing online"),
        (Said(None, "null_key", None), present(2.0), "missing online"),
        (present(2.0), Said(None, "missing", None), "missing offline"),
        (Said(None, "expired", None), present(2.0), "expired on one side"),
        (present(2.0), Said(None, "expired", 3), "expired on one side"),
    ],
)
def test_a_difference_has_one_kind(served: Said, offline: Said, kind: Kind) -> None:
    assert kind_of(served, offline) == kind
