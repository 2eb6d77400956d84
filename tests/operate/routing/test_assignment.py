from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.operate.routing.assignment import Assigned, assigner, propensities
from assay.record.models.routes import HashVersion, Route, Split, Variant

CHAMPION, CHALLENGER = Variant("a", "0", 90), Variant("b", "1", 10, "challenger")
UNITS = [f"unit-{number}" for number in range(10_000)]


def _route(*variants: Variant, **split: object) -> Route:
    said = {"experiment": "test", "phase": 1, "salt": "salt", **split}
    return Route("delays", 3, variants or (CHAMPION, CHALLENGER), (), Split(**said))  # type: ignore[arg-type] # as given


def test_without_a_split_the_champion_answers_all() -> None:
    assigned = assigner(Route("delays", 1, (CHAMPION,))).assign("anybody")
    assert assigned == Assigned(0, "only", None, 1.0)


def test_shares_follow_the_weights_and_a_unit_keeps_its_variant() -> None:
    route = _route()
    first = [assigner(route).assign(unit) for unit in UNITS]
    assert first == [assigner(route).assign(unit) for unit in UNITS]
    counts = Counter(one.variant for one in first)
    assert abs(counts[1] - 1_000) < 4 * (10_000 * 0.1 * 0.9) ** 0.5
    assert {one.propensity for one in first if one.variant == 1} == {0.1}


def test_raising_the_coverage_moves_no_unit_that_takes_part() -> None:
    small, large = assigner(_route(coverage=100)), assigner(_route(coverage=5_000))
    inside = 0
    for unit in UNITS:
        before, after = small.assign(unit), large.assign(unit)
        if before.reason == "hash":
            inside += 1
            assert (after.variant, after.reason) == (before.variant, "hash")
    assert 50 < inside < 150


@given(
    st.sampled_from(["murmur3", "gb_v1", "gb_v2"]),
    st.lists(st.integers(0, 9), min_size=2, max_size=4).filter(any),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)
def test_whoever_takes_part_keeps_the_variant_at_every_greater_coverage(
    scheme: HashVersion, weights: list[int], one: int, other: int
) -> None:
    variants = [Variant(str(number), "0", weight, str(number)) for number, weight in enumerate(weights)]
    small, large = (
        assigner(_route(*variants, coverage=coverage, hash_version=scheme)) for coverage in sorted([one, other])
    )
    for before in ((unit, found) for unit in UNITS[:500] if (found := small.assign(unit)).reason == "hash"):
        assert large.assign(before[0])[:3] == before[1][:3]


def test_a_segment_says_which_rows_take_part() -> None:
    asking = assigner(_route(segment="distance > 500 and carrier in ('AA', 'UA')"))
    assert asking.columns == ("distance", "carrier")
    assert asking.assign("u", {"distance": 501.0, "carrier": "AA"}).reason == "hash"
    for row in (
        {"distance": 500.0, "carrier": "AA"},
        {"distance": 501.0, "carrier": None},
        {"carrier": "AA"},
        {},
        None,
    ):
        assert asking.assign("u", row)[:2] == (0, "outside")


def test_a_forced_variant_answers_whatever_the_split_says() -> None:
    asking = assigner(_route(coverage=0))
    assert asking.assign("u", forced="challenger")[:2] == (1, "forced")
    with pytest.raises(InvalidInput, match="did you mean 'challenger'"):
        asking.assign("u", forced="chalenger")


def test_propensities_count_who_takes_no_part_to_the_champion() -> None:
    split = Split("test", 1, "salt", coverage=200)
    assert propensities([Variant("a", "0"), Variant("b", "1", 1, "b")], split) == [0.99, 0.01]
    assert propensities([CHAMPION, CHALLENGER], None) == [1.0, 0.0]


def test_a_fallback_is_the_champion_and_keeps_the_bucket() -> None:
    asking = assigner(_route(CHAMPION, CHALLENGER))
    assigned = next(one for one in map(asking.assign, UNITS) if one.variant == 1)
    assert asking.fallback(assigned) == Assigned(0, "fallback", assigned.bucket, 0.9)


def test_where_no_variant_has_a_weight_the_champion_answers() -> None:
    asking = assigner(_route(Variant("a", "0", 0), Variant("b", "1", -1, "b")))
    assert asking.assign("u")[:2] == (0, "outside")
    assert asking.assign("u").propensity == 1.0


SCHEMES: list[HashVersion] = ["murmur3", "gb_v1", "gb_v2"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_coverage_and_variant_are_independent(scheme: HashVersion) -> None:
    asking = assigner(_route(Variant("a", "0"), Variant("b", "1", 1, "b"), coverage=3_000, hash_version=scheme))
    counts = Counter(asking.assign(unit)[:2] for unit in UNITS)
    inside = counts[0, "hash"] + counts[1, "hash"]
    assert abs(inside - 3_000) < 4 * (10_000 * 0.3 * 0.7) ** 0.5
    assert abs(counts[1, "hash"] - inside / 2) < 4 * (inside / 4) ** 0.5


@given(st.lists(st.integers(0, 50), min_size=2, max_size=5).filter(any), st.integers(1, 10_000), st.text(max_size=5))
def test_shares_lie_within_binomial_bounds(weights: list[int], coverage: int, salt: str) -> None:
    variants = [Variant(str(number), "0", weight, str(number)) for number, weight in enumerate(weights)]
    split = Split("test", 1, salt.encode("utf-8", "ignore").decode(), coverage=coverage)
    asking = assigner(Route("delays", 1, tuple(variants), (), split))
    shares = propensities(variants, split)
    assert sum(shares) == pytest.approx(1)
    counts = Counter(asking.assign(unit).variant for unit in UNITS[:4_000])
    for number, share in enumerate(shares):
        # six standard errors: one in 500 million for one count
        assert abs(counts[number] - 4_000 * share) <= 6 * (4_000 * share * (1 - share)) ** 0.5 + 1e-6
