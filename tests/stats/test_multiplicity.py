import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.stats import holm


def test_holm_gives_the_values_of_r() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], abs=1e-15)


def test_nothing_tested_gives_nothing() -> None:
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0.001, 0.5))
def test_adjusted_values_reject_what_the_stepwise_rule_rejects(p_values: list[float], alpha: float) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    rejected = set()
    for rank, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if (len(p_values) - rank) * p_values[position] > alpha:
            break
        rejected.add(position)
    assert rejected == {position for position, a in enumerate(adjusted) if a <= alpha}


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_any_false_accusation_is_as_rare_as_promised(correlation: float) -> None:
    rng = np.random.default_rng(16)
    runs = 2000
    z = rng.normal(size=(runs, 12)) * math.sqrt(1 - correlation) + rng.normal(size=(runs, 1)) * math.sqrt(correlation)
    p_values = np.vectorize(lambda x: 0.5 * math.erfc(x / math.sqrt(2)))(z)
    wrong = np.mean([min(holm(row.tolist())) <= 0.05 for row in p_values])
    assert wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_impossible_p_values_are_refused_by_position(p: float) -> None:
    with pytest.raises(InvalidInput, match="number 1"):
        holm([0.5, p])
