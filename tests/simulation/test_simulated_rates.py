"""Score intervals hold the truth as often as they should."""

import numpy as np
import pytest
from benchmarks.simulations.rates import ROWS, group_coverage, paired_coverage, wilson_coverage

from assay.stats import Profile, estimate_all, normal, tango_interval, wilson
from assay.stats.score_arrays import tango_zs

pytestmark = pytest.mark.slow


def test_wilson_covers_on_average_whatever_the_rows() -> None:
    for row in wilson_coverage(100):
        assert row.share("mean, even grid").value >= 0.945, row
        assert row.share("mean, log grid").value >= 0.94, row
        assert row.share("minimum").value >= 0.83, row


def test_wilson_falls_to_85_percent_where_the_specification_says_so() -> None:
    (row,) = wilson_coverage(400, [20])
    assert row.share("minimum").value == pytest.approx(0.85, abs=0.015)


def test_what_is_counted_through_is_what_the_profile_gives() -> None:
    """20 rows with 0 to 20 right: `estimate_all` and `wilson` give the intervals that the enumeration judges."""
    right = np.arange(21)
    score = np.where(np.arange(20) < right[:, None], 0.9, 0.1).ravel()
    names = np.repeat([f"{k:02d}" for k in right], 20)
    profile = Profile.build(np.ones(420), {"m": score}, {"k": names}, None, {"m": 0.5}, cross=1)
    found = estimate_all(profile, "m", "recall")
    ends = [(wilson(k, 20).low, wilson(k, 20).high) for k in right.tolist()]
    assert list(zip(found.low[1:].tolist(), found.high[1:].tolist(), strict=True)) == ends


def test_tangos_interval_is_the_set_that_its_test_accepts() -> None:
    generator = np.random.default_rng(1)
    z = normal.critical_value(0.95)
    for _ in range(300):
        n = int(generator.integers(20, 200))
        b, c, _ = generator.multinomial(n, [0.06, 0.03, 0.91]).tolist()
        interval = tango_interval(b, c, n)
        for d in generator.uniform(-0.3, 0.3, 10).tolist():
            accepted = abs(float(tango_zs(*(np.array([float(x)]) for x in (b, c, n, d)))[0])) <= z
            assert accepted == (interval.low <= d <= interval.high)


def test_tango_covers_on_average_whatever_the_rows() -> None:
    for row in paired_coverage([n for n in ROWS if n <= 1000], 8):
        assert row.share("mean").value >= 0.945, row
        assert row.share("minimum").value >= 0.83, row


def test_groups_are_covered_on_average() -> None:
    for row in group_coverage(1, 300, [(20, 20), (30, 90), (300, 300)]):
        assert row.share("mean").at_least(0.945), row
        assert row.share("minimum").at_least(0.90), row
