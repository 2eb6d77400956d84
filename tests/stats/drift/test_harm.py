import numpy as np
import pyarrow as pa
import pytest

from assay.errors import InvalidInput
from assay.stats.drift import Baseline, TableProfile, judge, rank_by_harm, score_correlations


def table(generator: np.random.Generator, **shifts: float) -> pa.Table:
    return pa.table({name: generator.normal(shifts.get(name, 0.0), 1, 800) for name in ("age", "income", "noise")})


def test_columns_come_by_state_and_then_by_what_the_model_rests_on() -> None:
    generator = np.random.default_rng(1)
    baseline = Baseline.learn([TableProfile.of(table(generator)) for _ in range(10)])
    verdicts = judge(baseline, TableProfile.of(table(generator, age=0.4, noise=2.0)))
    assert [one.column for one in rank_by_harm(verdicts)] == ["noise", "age", "income"]
    ranked = rank_by_harm(verdicts, {"age": 60, "income": 39, "noise": 1})
    assert [one.column for one in ranked] == ["age", "noise", "income"]
    assert ranked[0].weight == 0.6
    assert ranked[0].words.endswith("60 % of the model's importance")
    assert ranked[0].score == pytest.approx(0.6 * ranked[0].moved)
    assert ranked[-1].verdict.state == "ok"
    with pytest.raises(InvalidInput, match="importance of 'age'"):
        rank_by_harm(verdicts, {"age": -1.0})


def test_what_moves_with_the_score_is_found() -> None:
    score = [0.1, 0.2, 0.15, 0.4, 0.3, None]
    found = score_correlations(
        {
            "same": [1.0, 2.0, 1.5, 4.0, 3.0, 9.0],
            "opposite": [9.0, 8.0, 8.5, 1.0, 2.0, None],
            "still": [1.0] * 6,
            "short": [None, None, None, 1.0, 2.0, 3.0],
        },
        score,
    )
    assert found == pytest.approx({"same": 1.0, "opposite": 1.0, "still": 0.0, "short": 0.0})
    with pytest.raises(InvalidInput, match="the same windows"):
        score_correlations({"x": [1.0]}, score)
