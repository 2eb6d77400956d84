import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from assay.stats import histogram
from assay.stats.histogram import BINS, Histogram, bin_edges, bin_of

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.booleans()), max_size=60)


def histogram_of(rows: list[tuple[int, int, bool]]) -> Histogram:
    groups, twelfths, positive = (np.array(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return Histogram.count(
        np.asarray(groups, dtype=np.int64), 4, np.asarray(twelfths) / 12.0, np.asarray(positive, dtype=bool)
    )


def twice_area(rows: list[tuple[int, int, bool]]) -> tuple[int, int, int]:
    positives = [score for _, score, positive in rows if positive]
    negatives = [score for _, score, positive in rows if not positive]
    twice = sum(2 * (p > q) + (p == q) for p in positives for q in negatives)
    return twice, len(positives), len(negatives)


def test_bins_follow_the_score_and_end_at_one() -> None:
    scores = np.array([-0.0, 0.0, 1e-40, 1e-9, 0.25, 0.5, 0.7, 1.0 - 1e-12, 1.0])
    bins = bin_of(scores)
    assert (np.diff(bins) >= 0).all()
    assert bins[0] == bins[1] == 0
    assert bins[-1] == BINS - 1


def test_bins_are_at_most_a_five_hundredth_of_their_score_wide() -> None:
    edges = bin_edges(np.arange(bin_of(np.array([1e-30]))[0], BINS))
    assert (np.diff(edges) / edges[:-1]).max() <= 1 / 512 + 1e-12


@given(ROWS)
def test_areas_are_counts_of_pairs(rows: list[tuple[int, int, bool]]) -> None:
    counts = histogram_of(rows).area(4)
    for group in range(4):
        own = [row for row in rows if row[0] == group]
        assert (counts.twice[group], counts.positives[group], counts.negatives[group]) == twice_area(own)


@given(ROWS)
def test_counting_by_sorting_gives_the_same(rows: list[tuple[int, int, bool]]) -> None:
    dense = histogram_of(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histogram, "_DENSE", 0)
        sparse = histogram_of(rows)
    for name in ("group", "bin", "positives", "negatives"):
        np.testing.assert_array_equal(getattr(dense, name), getattr(sparse, name))


@given(ROWS)
def test_groups_joined_regrouped_and_alone_hold_the_same_rows(rows: list[tuple[int, int, bool]]) -> None:
    whole = histogram_of(rows)
    folded = whole.regroup(np.array([0, 1, 0, 1]))
    same = histogram_of([(group % 2, score, positive) for group, score, positive in rows])
    again = Histogram.joined([whole.only(group) for group in range(4)], range(4))
    for name in ("group", "bin", "positives", "negatives"):
        np.testing.assert_array_equal(getattr(folded, name), getattr(same, name))
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))


@pytest.mark.parametrize("median", [0.001, 2e-6])
def test_rare_events_keep_their_area(median: float) -> None:
    # validation.md V25: |error| <= 1e-5; 10,000 uniform bins are off by 0.1 at the smaller median
    rng = np.random.default_rng(25)
    scores = np.clip(np.exp(rng.normal(np.log(median), 1.5, size=1_000_000)), 0, 1)
    # positives oftener than the smaller scores say, or only a handful would be left
    positive = rng.random(len(scores)) < scores * (0.001 / median)
    counts = Histogram.count(np.zeros(len(scores), dtype=np.int64), 1, scores, positive).area(1)
    area = counts.twice[0] / (2 * counts.positives[0] * counts.negatives[0])
    assert area == pytest.approx(roc_auc_score(positive, scores), abs=1e-5)
