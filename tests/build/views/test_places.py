"""Where moments fall among label rows, against a count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.build.views.matching.greatest import greatest
from assay.build.views.matching.places import Places, later

_SIZES = [10, 1000, 2**40, 2**61, 2**63 - 2]


@given(st.data(), st.sampled_from(_SIZES), st.integers(1, 5))
def test_a_moment_falls_before_the_first_label_row_of_its_key_that_is_not_before_it(
    data: st.DataObject, size: int, keys: int
) -> None:
    moments, codes = st.integers(-size, size), st.integers(0, keys - 1)
    labels = data.draw(st.lists(st.tuples(codes, moments), max_size=20))
    near = st.sampled_from([t for _, t in labels] or [0])
    asked = data.draw(st.lists(st.tuples(codes, st.one_of(moments, near)), max_size=30))
    places = Places(np.array([c for c, _ in labels], np.int64), np.array([t for _, t in labels], np.int64), keys)
    found = places.first(np.array([c for c, _ in asked], np.int64), np.array([m for _, m in asked], np.int64))
    assert found.tolist() == [sum(label < one for label in labels) for one in asked]
    assert sorted(labels) == list(zip(places.code.tolist(), places.t.tolist(), strict=True))
    assert places.stop.tolist() == [sum(c <= key for c, _ in labels) for key in range(keys)]


@pytest.mark.parametrize(("keys", "span"), [(1, 10**12), (3000, 10**9), (50_000, 2**50)])
def test_many_moments_fall_where_a_search_finds_them(keys: int, span: int) -> None:
    chance = np.random.default_rng(0)
    codes, t = chance.integers(0, keys, 5000), chance.integers(0, span, 5000)
    places = Places(codes, np.where(chance.random(5000) < 0.5, t, t % 1000), keys)
    asked, moments = chance.integers(0, keys, 100_000), chance.integers(0, span, 100_000)
    moments = np.where(chance.random(100_000) < 0.5, moments, moments % 1000)
    found = places.first(asked, moments)
    some = chance.integers(0, 100_000, 500)
    for code, moment, place in zip(asked[some], moments[some], found[some], strict=True):
        first = np.searchsorted(places.code, code)
        assert place == first + np.searchsorted(places.t[first : places.stop[code]], moment)


def test_a_moment_stays_within_64_bits() -> None:
    most = np.iinfo(np.int64).max
    assert later(np.array([0, most - 3, most]), 5).tolist() == [5, most, most]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=15))
def test_the_greatest_of_the_intervals_that_cover_a_place(intervals: list[tuple[int, int]]) -> None:
    start = np.array([one for one, _ in intervals], np.int64)
    end = np.array([min(one + length, 21) for one, length in intervals], np.int64)
    numbers = np.arange(1, len(intervals) + 1)[::-1].copy()
    expected = [
        max((int(n) for a, b, n in zip(start, end, numbers, strict=True) if a <= place < b), default=0)
        for place in range(21)
    ]
    assert greatest(start, end, numbers, 21).tolist() == expected
