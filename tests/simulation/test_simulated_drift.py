"""Drift keeps the error rates that it states; `make simulate` runs the same larger for docs/drift_statistics.md."""

import pytest
from benchmarks.simulations.drifting import ALPHA, SPECIFIED, bound_rates, fall_rates, slow_rates, table_rates


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize(("case", "runs"), [((10, 0.0), 200), ((10, 0.05), 200), ((30, 0.0), 60), ((30, 0.05), 60)])
def test_false_alarms_are_as_stated_and_shifts_are_seen_as_specified(case: tuple[int, float], runs: int) -> None:
    found = bound_rates(1, runs, [case], others=False)[0].shares
    false, *seen = found.values()
    assert false is not None
    assert false.at_most(ALPHA)
    for share, specified in zip(seen, SPECIFIED[case][1:], strict=True):
        assert share is not None
        assert share.at_least(specified)


@pytest.mark.slow
@pytest.mark.no_cover
def test_a_table_of_many_columns_is_quiet_and_its_shifted_column_is_found() -> None:
    for row in table_rates(1, 12, columns=4):
        drift, right = row.shares["any clean column drift"], row.shares["the shifted column drift"]
        assert drift is not None
        assert drift.at_most(0.05)
        if row.of["wander"] == "0 σ" and right is not None:
            assert right.at_least(0.9)


@pytest.mark.slow
@pytest.mark.no_cover
def test_slow_drift_is_called_where_it_is_and_seldom_where_it_is_not() -> None:
    for row in slow_rates(1, 25):
        (share,) = row.shares.values()
        assert share is not None
        if row.of["creep"].startswith("0 σ"):
            assert share.at_most(0.2)  # 200 windows, one call in 1,000 in the mean
        else:
            assert share.at_least(0.9)


@pytest.mark.slow
@pytest.mark.no_cover
def test_a_fall_is_proven_soon_whenever_it_began_and_nothing_at_the_limit() -> None:
    at_limit, late = fall_rates(1, 60, [(0, 0.73), (60, 0.69)], windows=40)
    found = at_limit.shares["called, any beginning"]
    assert found is not None
    assert found.at_most(0.025)
    seen = late.shares["called, any beginning"]
    assert seen is not None
    assert seen.at_least(0.98)
    assert int(late.of["median, any beginning"]) <= 14
