"""The threshold for a wanted share."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.stats import threshold_for

scores = st.lists(st.floats(0, 1), min_size=1, max_size=40).map(np.array)


@given(scores, st.floats(0, 1), st.floats(0.01, 0.99))
def test_no_threshold_comes_nearer(values: Any, share: float, near: float) -> None:
    threshold, reached = threshold_for(values, share, near)
    assert 0 < threshold < 1
    assert reached == (values >= threshold).mean()
    for other in [*values, near, *(values + 1e-9)]:
        if 0 < other < 1:
            assert abs(reached - share) <= abs((values >= other).mean() - share) + 1e-12


def test_the_common_threshold_stays_where_it_is_as_good_as_any() -> None:
    values = np.array([0.1, 0.2, 0.8, 0.9])
    assert threshold_for(values, 0.5, 0.3) == (0.3, 0.5)
    assert threshold_for(values, 0.25, 0.5) == ((0.8 + 0.9) / 2, 0.25)


def test_everybody_and_nobody_can_be_selected() -> None:
    values = np.array([0.4, 0.6])
    assert threshold_for(values, 1.0, 0.5) == (0.2, 1.0)
    assert threshold_for(values, 0.0, 0.5) == (0.8, 0.0)
    assert threshold_for(np.array([0.0, 1.0]), 1.0, 0.5)[1] == 0.5, "a score of 0 is below every threshold"


def test_what_has_no_answer_is_told() -> None:
    with pytest.raises(InvalidInput, match="there are no scores"):
        threshold_for(np.zeros(0), 0.5, 0.5)
    with pytest.raises(InvalidInput, match="the threshold is 1"):
        threshold_for(np.array([0.5]), 0.5, 1.0)
