"""Strategies as people write them."""

import pytest

from assay.errors import InvalidInput
from assay.operate.releases.strategy import Step, coverage_of, parse_strategy


def test_steps_are_read_in_their_order() -> None:
    assert [step.name for step in parse_strategy("shadow, canary:1,5,25,50, ab")] == [
        "shadow",
        "canary 1 %",
        "canary 5 %",
        "canary 25 %",
        "canary 50 %",
        "ab",
    ]
    assert parse_strategy("shadow:2h") == (Step("shadow", 0.0, 7200),)
    assert parse_strategy("ab:7d") == (Step("ab", 50.0, 7 * 86_400),)
    assert parse_strategy("canary:0.5%,10") == (Step("canary", 0.5), Step("canary", 10.0))
    assert parse_strategy("direct") == (Step("direct"),)


def test_half_of_those_that_take_part_have_the_challenger() -> None:
    assert [coverage_of(step) for step in parse_strategy("canary:0.005,1,50,ab")] == [1, 200, 10_000, 10_000]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("canari:10", "did you mean 'canary'?"),
        ("canary", "canary:1,5,25,50"),
        ("canary:60", "up to 50"),
        ("canary:0", "above 0"),
        ("canary:0.001", "steps of 0.005"),
        ("canary:10,5", "growing shares"),
        ("ab,shadow", "shadow, then"),
        ("shadow,shadow", "out of order"),
        ("direct,canary:5", "direct alone"),
        ("direct:2h", "without anything behind it"),
        ("shadow:soon", "shadow:2h"),
        ("5,10", "unknown step '5'"),
        ("", "unknown step ''"),
    ],
)
def test_what_is_wrong_is_said_with_what_was_meant(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_strategy(text)
    assert said in str(raised.value)
