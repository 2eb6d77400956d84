import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from assay.errors import InvalidInput
from assay.stats import (
    BettingTest,
    MeanSequence,
    bernoulli_interval,
    beta_binomial_bound,
    beta_binomial_log,
    normal_mixture_bound,
    normal_mixture_log,
    stitched_bound,
)

Floats = NDArray[np.float64]
LOOKS = 500


def test_the_normal_mixture_gives_the_values_of_confseq() -> None:
    """O1 and O2."""
    # At a sum of 0 it is ½ ln(ρ/(v + ρ)).
    assert 100 / math.expm1(-2 * normal_mixture_log(0, 100, 100, 0.05)) == pytest.approx(12.60056, abs=1e-5)
    assert normal_mixture_log(10, 100, 100, 0.05) == pytest.approx(-0.6510052, abs=1e-7)
    assert normal_mixture_bound(100, 100, 0.05) == pytest.approx(30.35209, abs=1e-5)
    assert normal_mixture_log(10, 100, 100, 0.05, one_sided=True) == pytest.approx(-0.06502391, abs=1e-8)
    assert normal_mixture_bound(100, 100, 0.05, one_sided=True) == pytest.approx(27.66071, abs=1e-5)


def test_the_beta_binomial_mixture_gives_the_values_of_confseq() -> None:
    """O3."""
    assert beta_binomial_log(10, 100, 100, 0.2, 0.8, 0.05) == pytest.approx(-0.6941012, abs=1e-7)
    assert beta_binomial_bound(100, 100, 0.2, 0.8, 0.05) == pytest.approx(31.4308, abs=1e-4)
    assert beta_binomial_log(10, 100, 100, 0.2, 0.8, 0.05, one_sided=True) == pytest.approx(-0.07134019, abs=1e-8)
    assert beta_binomial_bound(100, 100, 0.2, 0.8, 0.05, one_sided=True) == pytest.approx(28.41238, abs=1e-5)


def test_stitching_gives_the_values_of_confseq() -> None:
    """O4."""
    assert stitched_bound(100, 10, 0.05, c=3) == pytest.approx(64.48755, abs=5e-6)
    assert stitched_bound(100, 10, 0.05, c=-1) == pytest.approx(28.99389, abs=5e-6)


def test_stitching_is_flat_before_its_start_and_below_the_mixture_in_the_long_run() -> None:
    assert stitched_bound(0, 10, 0.05) == stitched_bound(10, 10, 0.05)
    assert stitched_bound(100, 10, 0.05) > normal_mixture_bound(100, 100, 0.05, one_sided=True)
    assert stitched_bound(1e30, 10, 0.05) < normal_mixture_bound(1e30, 100, 0.05, one_sided=True)
    with pytest.raises(InvalidInput, match="v_min"):
        stitched_bound(10, 0, 0.05)
    with pytest.raises(InvalidInput, match="intrinsic time"):
        stitched_bound(-1, 1, 0.05)


@pytest.mark.parametrize(
    ("k", "n", "t_opt", "low", "high"),
    [
        (700, 1000, 100, 0.651629, 0.745949),
        (15, 50, 50, 0.129556, 0.511896),
        (5, 50, 50, 0.013021, 0.269264),
    ],
)
def test_the_bernoulli_interval_gives_the_values_of_confseq(
    k: int, n: int, t_opt: float, low: float, high: float
) -> None:
    """O5."""
    found = bernoulli_interval(k, n, t_opt, 0.05)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-5)


def test_bounds_are_where_the_mixture_reaches_its_level() -> None:
    level = math.log(1 / 0.01)
    for one_sided in (False, True):
        bound = normal_mixture_bound(250, 100, 0.01, one_sided=one_sided)
        assert normal_mixture_log(bound, 250, 100, 0.01, one_sided=one_sided) == pytest.approx(level, abs=1e-9)
        bound = beta_binomial_bound(250, 100, 0.3, 0.7, 0.01, one_sided=one_sided)
        assert beta_binomial_log(bound, 250, 100, 0.3, 0.7, 0.01, one_sided=one_sided) == pytest.approx(level, abs=1e-9)


def test_a_bound_never_reached_is_the_largest_sum() -> None:
    assert beta_binomial_bound(0.5, 100, 0.5, 0.5, 0.05) == 1.0


def test_a_one_sided_mixture_far_on_the_other_side_is_small_but_finite() -> None:
    assert -20 < normal_mixture_log(-5000, 100, 100, 0.05, one_sided=True) < -4
    assert beta_binomial_log(-115, 100, 100, 0.2, 0.8, 0.05, one_sided=True) < 0


def test_the_ends_of_a_bernoulli_interval_are_those_of_the_range_where_it_must() -> None:
    assert bernoulli_interval(0, 0, 50, 0.05).high == 1.0
    assert bernoulli_interval(0, 40, 50, 0.05).low == 0.0
    assert bernoulli_interval(40, 40, 50, 0.05).high == 1.0
    assert bernoulli_interval(40, 40, 50, 0.05).low == pytest.approx(1 - bernoulli_interval(0, 40, 50, 0.05).high)


@pytest.mark.no_cover
def test_a_bernoulli_interval_looked_at_500_times_misses_at_most_as_often_as_promised() -> None:
    rng, runs, p = np.random.default_rng(31), 4000, 0.1
    counts = (rng.random((runs, LOOKS)) < p).cumsum(axis=1)
    n = np.arange(1, LOOKS + 1)
    # Is p rejected at k of n: a table, since the interval itself is monotone in k.
    first_high = [
        next(k for k in range(t + 2) if k > t or bernoulli_interval(k, t, 100, 0.05).low > p) for t in n[9::20]
    ]
    missed = (counts[:, 9::20] >= np.array(first_high)).any(axis=1).mean()
    assert missed <= 0.05


# --- the running mean ------------------------------------------------------------------------------------------


def constant(rng: np.random.Generator) -> tuple[Floats, Floats]:
    return (rng.random(LOOKS) < 0.2).astype(float), np.full(LOOKS, 0.2)


def shifting(rng: np.random.Generator) -> tuple[Floats, Floats]:
    mean = np.where(np.arange(LOOKS) < LOOKS // 2, 0.1, 0.9)
    return (rng.random(LOOKS) < mean).astype(float), mean


def reacting(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The next mean answers to what was seen, as after a rollback; the spread changes too."""
    x, mean, total = np.empty(LOOKS), np.empty(LOOKS), 0.0
    draws = rng.random(LOOKS)
    for t in range(LOOKS):
        mean[t] = 0.05 if total > 0.3 * t else 0.6
        x[t] = float(draws[t] < mean[t]) if t % 3 else mean[t]
        total += x[t]
    return x, mean


@pytest.mark.no_cover
@pytest.mark.parametrize("world", [constant, shifting, reacting])
def test_the_running_mean_is_missed_at_most_as_often_as_promised(
    world: Callable[[np.random.Generator], tuple[Floats, Floats]],
) -> None:
    runs, alpha, missed = 120, 0.2, 0
    for run in range(runs):
        x, mean = world(np.random.default_rng([32, run]))
        running = mean.cumsum() / np.arange(1, LOOKS + 1)
        sequence = MeanSequence()
        wrong = False
        for t in range(LOOKS):
            sequence.update(float(x[t]))
            if t % 20 == 19:
                wrong |= not sequence.lower(alpha / 2) <= running[t] <= sequence.upper(alpha / 2)
        missed += wrong
    assert missed / runs <= alpha


def test_the_running_mean_is_known_better_where_observations_vary_less() -> None:
    rng = np.random.default_rng(33)
    calm, wild = MeanSequence(), MeanSequence()
    for _ in range(2000):
        calm.update(float(0.5 + 0.02 * rng.normal()))
        wild.update(float(rng.random() < 0.5))
    widths = [sequence.upper(0.025) - sequence.lower(0.025) for sequence in (calm, wild)]
    assert widths[0] < 0.02
    assert widths[1] < 0.09  # the fixed-time interval has 0.044
    assert wild.lower(0.025) < 0.5 < wild.upper(0.025)


def test_a_mean_sequence_mirrors_and_starts_from_nothing() -> None:
    empty = MeanSequence()
    assert (empty.lower(0.05), empty.upper(0.05)) == (0.0, 1.0)
    assert math.isnan(empty.mean)
    x = np.random.default_rng(34).random(200)
    one, other = MeanSequence(), MeanSequence()
    for value in x:
        one.update(float(value))
        other.update(float(1 - value))
    assert one.lower(0.05) == pytest.approx(1 - other.upper(0.05), abs=1e-12)
    assert one.mean == pytest.approx(x.mean())
    assert one.lower(0.001) < one.lower(0.05)


def test_a_mean_sequence_goes_on_where_it_was_stored() -> None:
    whole, first = MeanSequence(), MeanSequence()
    x = np.random.default_rng(35).random(100).tolist()
    for value in x:
        whole.update(value)
    for value in x[:40]:
        first.update(value)
    stored = msgspec.json.decode(msgspec.json.encode(first), type=MeanSequence)
    for value in x[40:]:
        stored.update(value)
    assert stored == whole
    assert stored.upper(0.05) == whole.upper(0.05)


# --- betting ---------------------------------------------------------------------------------------------------


def rejections(draw: Callable[[np.random.Generator], Floats], limit: float, runs: int) -> list[int | None]:
    """For each run the observation that rejected at 0.05, None where none of 500 did."""
    found: list[int | None] = []
    for run in range(runs):
        test = BettingTest(limit)
        when = None
        for t, x in enumerate(draw(np.random.default_rng([36, run]))):
            test.update(float(x))
            if test.rejects(0.05):
                when = t + 1
                break
        found.append(when)
    return found


def at_limit(rng: np.random.Generator) -> Floats:
    return (rng.random(LOOKS) < 0.1).astype(float)


def at_limit_with_changing_spread(rng: np.random.Generator) -> Floats:
    """Always of conditional mean 0.1: constant, then all-or-nothing, then in between."""
    wild = (rng.random(LOOKS) < 0.1).astype(float)
    between = 0.2 * (rng.random(LOOKS) < 0.5)
    return np.select([np.arange(LOOKS) % 100 < 20, np.arange(LOOKS) % 100 < 70], [np.full(LOOKS, 0.1), wild], between)


@pytest.mark.no_cover
@pytest.mark.parametrize("draw", [at_limit, at_limit_with_changing_spread])
def test_a_mean_at_its_limit_is_rarely_accused_in_500_looks(draw: Callable[[np.random.Generator], Floats]) -> None:
    runs = 400
    wrong = sum(when is not None for when in rejections(draw, 0.1, runs)) / runs
    assert wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.no_cover
def test_twice_the_limit_is_found_within_500_looks() -> None:
    found = rejections(lambda rng: (rng.random(LOOKS) < 0.2).astype(float), 0.1, 200)
    assert sum(when is not None for when in found) >= 0.95 * 200
    assert np.median([when for when in found if when is not None]) < 150


@pytest.mark.parametrize(("limit", "observations"), [(0.01, 2), (0.1, 4), (0.5, 11)])
def test_a_total_outage_is_found_at_once(limit: float, observations: int) -> None:
    test = BettingTest(limit)
    for _ in range(observations):
        test.update(1.0)
    assert test.rejects(0.05)


def test_an_average_of_capitals_is_a_fair_game_at_the_limit() -> None:
    # One step: the expected factor over X in {0, 1} with mean `limit` is 1.
    expected = 0.0
    for x, weight in ((0.0, 0.7), (1.0, 0.3)):
        test = BettingTest(0.3)
        for observation in (0.2, 0.9, x):
            test.update(observation)
        expected += weight * math.exp(test.log_e)
    before = BettingTest(0.3)
    before.update(0.2)
    before.update(0.9)
    assert expected == pytest.approx(math.exp(before.log_e), rel=1e-12)


def test_a_p_value_remembers_its_best_and_a_rejection_stays() -> None:
    test = BettingTest(0.2)
    assert test.p_value == 1.0
    assert test.log_e == pytest.approx(0.0, abs=1e-12)
    for _ in range(10):
        test.update(1.0)
    best = test.p_value
    assert best < 0.001
    for _ in range(200):
        test.update(0.0)
    assert test.p_value == best
    assert test.log_e < 0
    assert test.rejects(0.05)


def test_a_betting_test_goes_on_where_it_was_stored() -> None:
    test = BettingTest(0.2)
    test.update(0.7)
    stored = msgspec.json.decode(msgspec.json.encode(test), type=BettingTest)
    for one in (test, stored):
        one.update(0.4)
    assert stored == test
    assert BettingTest(0.2).log_capitals == [0.0] * 10


@pytest.mark.parametrize("x", [-0.1, 1.1, math.nan])
def test_observations_out_of_range_are_refused_and_change_nothing(x: float) -> None:
    sequence, test = MeanSequence(), BettingTest(0.5)
    for one in (sequence, test):
        with pytest.raises(InvalidInput, match="observation"):
            one.update(x)
    assert sequence == MeanSequence()
    assert test == BettingTest(0.5)


def test_bad_questions_are_refused() -> None:
    calls: list[Callable[[], object]] = [
        lambda: BettingTest(0.0),
        lambda: BettingTest(0.1).rejects(0.0),
        lambda: MeanSequence(1, 0.5, 0.1).lower(1.0),
        lambda: normal_mixture_bound(-1, 100, 0.05),
        lambda: normal_mixture_bound(1, 0, 0.05),
        lambda: normal_mixture_bound(1, 100, 0.6, one_sided=True),
        lambda: beta_binomial_log(1000, 1, 100, 0.5, 0.5, 0.05),
        lambda: beta_binomial_bound(1, 100, 0, 0.5, 0.05),
        lambda: bernoulli_interval(5, 4, 100, 0.05),
        lambda: bernoulli_interval(3, 4, 0, 0.05),
    ]
    for call in calls:
        with pytest.raises(InvalidInput):
            call()


def test_a_mixture_tuned_to_hardly_any_time_has_the_floor_of_the_specification() -> None:
    """Where ρ is below gh, r is a thousandth of gh."""
    g, h, s, v = 0.2, 0.8, 3.0, 12.0
    r = 1e-3 * g * h
    expected = (
        -(v + h * s) / h * math.log(g)
        - (v - g * s) / g * math.log(h)
        + special.betaln((r + v - g * s) / g, (r + v + h * s) / h)
        - special.betaln(r / g, r / h)
    )
    assert beta_binomial_log(s, v, 0.01, g, h, 0.05) == pytest.approx(expected, rel=1e-9)
