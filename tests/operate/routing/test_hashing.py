import json
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.operate.routing.hashing import BUCKETS, HIGHEST_TOTAL, bounds, fnv1a32, hasher, part_bound
from assay.record.models.routes import HashVersion

VECTORS = json.loads((Path(__file__).parent / "hash_vectors.json").read_text())
SCHEMES: list[HashVersion] = ["murmur3", "gb_v1", "gb_v2"]
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@pytest.mark.parametrize(("prefix", "names", "weights", "unit", "expected"), VECTORS["flagd"]["rows"])
def test_published_rows_of_flagd_get_their_variant(
    prefix: str, names: list[str], weights: list[int], unit: str, expected: str
) -> None:
    bucket = mmh3.hash((prefix + unit).encode(), 0, False)
    assert names[bisect_right(bounds("murmur3", weights), bucket)] == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [("ejOoVL", 0), ("bY9fO-", 1), ("SI7p-", 2147483647), ("6LvT0", 2147483648), ("ceQdGm", 4294967295)],
)
def test_the_edges_of_the_hash_go_to_the_first_and_the_last_variant(key: str, value: int) -> None:
    assert mmh3.hash(key.encode(), 0, False) == value
    assert bisect_right(bounds("murmur3", [1, 1]), value) == (value >= 2**31)
    assert bisect_right(bounds("murmur3", [HIGHEST_TOTAL - 1, 1]), value) == (key == "ceQdGm")


@pytest.mark.parametrize(("salt", "unit", "version", "expected"), VECTORS["growthbook"]["hash"])
def test_published_hashes_of_growthbook_come_out(salt: str, unit: str, version: int, expected: float) -> None:
    scheme: HashVersion = "gb_v1" if version == 1 else "gb_v2"
    assert hasher(scheme, salt)(unit) / BUCKETS[scheme] == expected


@pytest.mark.parametrize(("weights", "ends"), VECTORS["growthbook"]["ranges"])
def test_published_ranges_of_growthbook_end_where_its_do(weights: list[int], ends: list[float]) -> None:
    for scheme in SCHEMES[1:]:
        found, buckets = bounds(scheme, weights), BUCKETS[scheme]
        for bucket in range(buckets):
            assert bisect_right(found, bucket) == next(i for i, end in enumerate(ends) if bucket / buckets < end)


def test_the_published_test_of_three_variants_comes_out() -> None:
    case = VECTORS["growthbook"]["three_way"]
    bucket, ends = hasher("gb_v1", case["salt"]), bounds("gb_v1", case["weights"])
    assert [bisect_right(ends, bucket(str(number))) for number in range(1, 10)] == case["variants"]


def test_published_values_of_fnv_come_out() -> None:
    # Landon Curt Noll's test suite
    published = {"": 0x811C9DC5, "a": 0xE40C292C, "ab": 0x4D2505CA, "foobar": 0xBF9CF968}
    assert {text: fnv1a32(text) for text in published} == published


@given(st.lists(st.integers(-3, 2**28), min_size=1, max_size=7), st.integers(0, 2**32 - 1))
def test_bounds_are_the_arithmetic_of_flagd(weights: list[int], bucket: int) -> None:
    clamped = [max(weight, 0) for weight in weights]
    place = bucket * sum(clamped) >> 32
    expected = next((i for i, end in enumerate(accumulate(clamped)) if end > place), len(weights))
    assert bisect_right(bounds("murmur3", weights), bucket) == expected


@given(st.sampled_from(["gb_v1", "gb_v2"]), st.lists(st.integers(0, 100), min_size=1, max_size=6), st.data())
def test_bounds_are_the_arithmetic_of_growthbook(scheme: HashVersion, weights: list[int], data: st.DataObject) -> None:
    bucket = data.draw(st.integers(0, BUCKETS[scheme] - 1))
    total = sum(weights)
    ends = list(accumulate([weight / total if total else 0.0 for weight in weights]))
    expected = next((i for i, end in enumerate(ends) if bucket / BUCKETS[scheme] < end), len(weights))
    assert bisect_right(bounds(scheme, weights), bucket) == expected


def test_without_any_weight_nobody_has_a_variant() -> None:
    for scheme in SCHEMES:
        assert bisect_right(bounds(scheme, [0, -5]), 0) == 2


def test_weights_that_are_too_high_are_refused() -> None:
    assert bounds("murmur3", [HIGHEST_TOTAL]) == [2**32]
    with pytest.raises(InvalidInput, match="the weights add up to 2147483648"):
        bounds("murmur3", [HIGHEST_TOTAL, 1])


@given(st.sampled_from(SCHEMES), st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_bound_of_a_part_grows_with_it(scheme: HashVersion, first: int, second: int) -> None:
    low, high = sorted([first, second])
    assert part_bound(scheme, low, 10_000) <= part_bound(scheme, high, 10_000)
    assert part_bound(scheme, 0, 10_000) == 0
    assert part_bound(scheme, 10_000, 10_000) == BUCKETS[scheme]


def test_half_a_character_is_hashed_and_does_no_harm() -> None:
    for scheme in SCHEMES:
        assert 0 <= hasher(scheme, "\ud800")("\udc00") < BUCKETS[scheme]


def test_an_unknown_hash_is_refused_with_the_nearest_name() -> None:
    for wrong in (lambda: hasher("murmur", "s"), lambda: bounds("murmur", [1])):  # type: ignore[arg-type] # wrong on purpose
        with pytest.raises(InvalidInput, match="did you mean 'murmur3'"):
            wrong()
