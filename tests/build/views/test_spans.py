"""Lengths of time as people write them."""

from datetime import timedelta

import pytest

from assay.build.views.declared.spans import microseconds, span_text, spoken
from assay.errors import InvalidInput


@pytest.mark.parametrize(
    ("given", "expected"),
    [("90s", 90), ("30m", 1_800), ("12h", 43_200), ("1d", 86_400), ("2w", 1_209_600), ("0s", 0)],
)
def test_a_length_is_a_number_and_a_unit(given: str, expected: int) -> None:
    assert microseconds(given, "ttl") == expected * 1_000_000


def test_a_length_may_be_a_timedelta_down_to_the_microsecond() -> None:
    assert microseconds(timedelta(days=1, microseconds=1), "ttl") == 86_400_000_001


@pytest.mark.parametrize(
    "given", ["", "d", "1", "1 d", "-1d", "1.5h", "1y", "1D", "٣d", "1234567s", 3, None, timedelta(seconds=-1)]
)
def test_what_is_no_length_is_refused_with_how_to_write_one(given: object) -> None:
    with pytest.raises(InvalidInput, match=r"ttl is .*") as refused:
        microseconds(given, "ttl")
    assert '"30m"' in str(refused.value)


@pytest.mark.parametrize("text", ["1s", "59s", "1m", "90m", "1h", "36h", "1d", "7d", "30d"])
def test_a_length_is_shown_as_it_was_written(text: str) -> None:
    assert span_text(microseconds(text, "ttl")) == text


def test_a_length_of_no_whole_unit_is_shown_in_seconds_and_none_as_none() -> None:
    assert span_text(1_500_000) == "1.5s"
    assert spoken(None) is None
    assert spoken(microseconds("2w", "ttl")) == "14d"
