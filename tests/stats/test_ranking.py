import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from assay.errors import InvalidInput
from assay.stats import query_values


@given(st.integers(0, 10**6), st.sampled_from([None, 1, 3]))
def test_each_query_agrees_with_sklearn_whatever_the_order_of_rows(seed: int, top: int | None) -> None:
    rng = np.random.default_rng(seed)
    query = np.repeat(np.arange(6), rng.integers(1, 9, 6))
    gain = rng.integers(0, 4, len(query)).astype(float)
    score = rng.integers(0, 5, len(query)) / 4.0
    order = rng.permutation(len(query))
    found = query_values(query[order], gain[order], {"m": score[order]}, top)
    for one in range(6):
        inside = query == one
        if not gain[inside].any():
            assert all(np.isnan(values["m"][one]) for values in found.values())
            continue
        if inside.sum() > 1:
            expected = reference.ndcg_score([gain[inside]], [score[inside]], k=top)
            assert found["ndcg"]["m"][one] == pytest.approx(expected)
        relevant = gain[inside] > 0
        precision = reference.average_precision_score(relevant, score[inside])
        assert found["map"]["m"][one] == pytest.approx(precision)
        best = score[inside][relevant].max()
        assert found["mrr"]["m"][one] == pytest.approx(1.0 / (score[inside] >= best).sum())


def test_a_model_gains_nothing_by_giving_all_the_same_score() -> None:
    found = query_values(np.zeros(4, dtype=np.int64), [1, 0, 0, 0], {"m": [0.5] * 4})
    assert (found["mrr"]["m"][0], found["map"]["m"][0]) == (0.25, 0.25)


def test_no_rows_are_no_queries() -> None:
    assert len(query_values(np.zeros(0, dtype=np.int64), [], {"m": []})["ndcg"]["m"]) == 0


def test_what_is_no_gain_or_no_score_is_refused() -> None:
    query = np.zeros(1, dtype=np.int64)
    for gain, score, top, message in (
        ([-1.0], [1.0], None, "relevance"),
        ([np.nan], [1.0], None, "relevance"),
        ([1.0], [np.inf], None, "scores of m"),
        ([1.0], [1.0], 0, "first 0 places"),
    ):
        with pytest.raises(InvalidInput, match=message):
            query_values(query, gain, {"m": score}, top)
