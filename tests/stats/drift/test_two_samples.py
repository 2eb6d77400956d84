import numpy as np
import pyarrow as pa
import pytest

from assay.errors import InvalidInput
from assay.stats.drift import Baseline, TableProfile, judge, two_sample_test


def table(generator: np.random.Generator, rows: int, together: float) -> pa.Table:
    a, noise = generator.normal(size=(2, rows))
    b = together * a + np.sqrt(1 - together**2) * noise
    words = np.array(["x", "y", "z"])[generator.integers(0, 3, rows)]
    return pa.table({"a": a, "b": b, "c": generator.normal(size=rows), "word": pa.array(words)})


def test_columns_that_no_longer_go_together_are_found_and_named_although_each_looks_the_same() -> None:
    generator = np.random.default_rng(1)
    before, after = table(generator, 1500, 0.8), table(generator, 1500, -0.8)
    windows = [TableProfile.of(table(generator, 1500, 0.8)) for _ in range(8)]
    assert {one.state for one in judge(Baseline.learn(windows), TableProfile.of(after))} == {"ok"}
    found = two_sample_test(before, after)
    assert found.interval.low > 0.8
    assert found.p < 1e-6
    assert set(list(found.importances)[:2]) == {"a", "b"}
    assert found.words.startswith("a classifier tells the current rows from the reference")
    assert "mostly by" in found.words


@pytest.mark.slow
def test_equal_tables_are_not_told_apart_more_often_than_alpha() -> None:
    generator = np.random.default_rng(2)
    runs = 14
    found = [two_sample_test(table(generator, 150, 0.5), table(generator, 150, 0.5), seed=run) for run in range(runs)]
    called = sum(one.interval.low > 0.5 for one in found)
    assert called <= 0.025 * runs + 3 * np.sqrt(0.025 * 0.975 * runs)
    assert "cannot tell" in found[int(np.argmin([one.auc for one in found]))].words


def test_missing_values_times_booleans_and_rare_words_can_tell_rows_apart() -> None:
    generator = np.random.default_rng(3)
    rows = 400
    base = {
        "flag": generator.random(rows) < 0.5,
        "day": pa.array(generator.integers(0, 100, rows), pa.int32()).cast(pa.date32()),
        "id": [f"u{number}" for number in range(rows)],
        "x": generator.normal(size=rows),
    }
    before = pa.table(base)
    holes = pa.array([None if hole else 1.0 for hole in generator.random(rows) < 0.6], pa.float64())
    after = before.set_column(3, "x", holes)
    found = two_sample_test(before, after, most_rows=300)
    assert next(iter(found.importances)) == "x"
    assert (found.reference_rows, found.current_rows) == (300, 300)


def test_what_cannot_be_told_apart_at_all_is_refused() -> None:
    data = pa.table({"x": [1.0] * 20})
    with pytest.raises(InvalidInput, match="20 reference and 20 current rows"):
        two_sample_test(data, data)
    with pytest.raises(InvalidInput, match="'y' is not in both"):
        two_sample_test(data, data, columns=["y"])
