"""How often a harmless release is taken back, and how soon a harmful one is: seeded simulations of the guardrails.

Figures to compare with are those of the table in online.md, 4.3. What is computed for thousands of runs at once here is
first shown to be what the engine computes.
"""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import gammaln

from assay.operate.releases.counts import Counts
from assay.operate.releases.evidence import Phase, guardrail_evidence
from assay.operate.releases.rules import Rules
from assay.stats.sequential import normal_mixture_bound

Floats = NDArray[np.float64]
REQUESTS = 60_000
SHARE = 0.1
BASE = {"errors": 0.005, "slow": 0.01, "invalid": 0.001, "schema": 0.01}
RULES = Rules()
K = 2.0


def log_factors(champion: Floats, challenger: Floats, share: float) -> Floats:
    """The Dirichlet-multinomial Bayes factor of many counts at once."""

    def log_beta(a: Floats, b: Floats) -> Floats:
        return np.asarray(gammaln(a) + gammaln(b) - gammaln(a + b), dtype=np.float64)

    start = log_beta(np.array(K * (1 - share)), np.array(K * share))
    chance = champion * math.log(1 - share) + challenger * math.log(share)
    return log_beta(K * (1 - share) + champion, K * share + challenger) - start - chance


def harmful(champion: Floats, challenger: Floats, alpha: float, tolerance: float = 1.0) -> NDArray[np.bool_]:
    """Whether the engine would say that harm is proven."""
    odds = tolerance * SHARE / (1 - SHARE)
    share = odds / (1 + odds)
    found = log_factors(champion, challenger, share) >= math.log(1 / alpha)
    return found & (challenger > (champion + challenger) * share)


def phase(champion: dict[str, int], challenger: dict[str, int], units: tuple[int, int], coverage: int = 2000) -> Phase:
    """A phase with these counts."""
    counts = Counts(units=list(units), rows=list(units), part=[units[1], units[1]])
    for name, having in champion.items():
        counts.events[name] = [having, challenger[name]]
    return Phase(1, 0, 1, "", coverage, counts)


def test_the_simulated_rule_is_that_of_the_engine() -> None:
    generator = np.random.default_rng(3)
    for champion, challenger in generator.integers(0, 40, (200, 2)):
        one = phase({"slow": int(champion)}, {"slow": int(challenger)}, (9000, 1000))
        (found,) = guardrail_evidence(Rules(guardrails=("slow",)), [one], ("slow",))
        simulated = harmful(np.array(float(champion)), np.array(float(challenger)), 0.01, RULES.slow.tolerance)
        assert (found.verdict == "fail") == bool(simulated)


def test_alpha_is_shared_by_all_guardrails_also_those_that_cannot_be_judged_yet() -> None:
    one = phase({}, {}, (9000, 1000))
    for seen in (("errors",), ("errors", "invalid", "schema")):
        found = guardrail_evidence(RULES, [one], seen)
        assert [evidence.needed for evidence in found] == [pytest.approx(math.log(5 / RULES.alpha))] * len(seen)


@pytest.mark.slow
def test_a_harmless_canary_is_rolled_back_in_at_most_one_of_a_hundred_releases_by_all_guardrails_together() -> None:
    generator = np.random.default_rng(18)
    runs, looks = 2000, 300
    alpha = RULES.alpha / len(RULES.guardrails)
    rolled_back = np.zeros(runs, dtype=bool)
    arms = generator.binomial(REQUESTS // looks, SHARE, (runs, looks))
    sizes = np.stack([REQUESTS // looks - arms, arms])
    for name, rate in BASE.items():
        champion, challenger = np.cumsum(generator.binomial(sizes, rate), axis=2).astype(float)
        rolled_back |= harmful(champion, challenger, alpha, RULES.limit(name).tolerance).any(axis=1)
    for run in range(runs):  # nine cuts, at each of which the share below is one in ten more
        below = [np.cumsum(generator.multinomial(n, [0.1] * 10), axis=0).cumsum(axis=1)[:, :-1] for n in sizes[:, run]]
        totals = np.cumsum(sizes[:, run], axis=1)
        widths = sum(_width(total, alpha / 2 / 36) for total in totals)
        apart = np.abs(below[1] / totals[1][:, None] - below[0] / totals[0][:, None])
        rolled_back[run] |= bool((apart.max(axis=1) - widths > RULES.shift).any())
    assert rolled_back.mean() <= 0.01


def _width(totals: NDArray[np.int64], alpha: float) -> Floats:
    known: dict[int, float] = {}
    for n in totals.tolist():
        known.setdefault(n, normal_mixture_bound(n / 4, 125, alpha) / n if n else 1.0)
    return np.array([known[n] for n in totals.tolist()])


@pytest.mark.slow
def test_a_total_outage_at_ten_percent_is_rolled_back_within_sixty_requests_in_the_median_run() -> None:
    generator = np.random.default_rng(19)
    requests, alpha = 400, RULES.alpha / len(RULES.guardrails)
    arms = generator.random((4000, requests)) < SHARE
    champion = np.cumsum(~arms & (generator.random(arms.shape) < BASE["errors"]), axis=1).astype(float)
    challenger = np.cumsum(arms, axis=1).astype(float)
    found = harmful(champion, challenger, alpha)
    assert found.any(axis=1).all()
    assert np.median(found.argmax(axis=1) + 1) <= 60


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "power", "median"), [(2, 0.77, 31_027), (4, 1.0, 5957), (10, 1.0, 1211)])
def test_more_errors_are_found_as_often_and_as_soon_as_in_the_table(factor: int, power: float, median: int) -> None:
    generator = np.random.default_rng(factor)
    runs, batch = 400, 10
    arms = generator.binomial(batch, SHARE, (runs, REQUESTS // batch))
    champion = np.cumsum(generator.binomial(batch - arms, BASE["errors"]), axis=1).astype(float)
    challenger = np.cumsum(generator.binomial(arms, factor * BASE["errors"]), axis=1).astype(float)
    found = harmful(champion, challenger, 0.01)
    caught = found.any(axis=1)
    noise = 3 * math.sqrt(0.25 / runs)
    assert abs(caught.mean() - power) <= noise
    assert np.median(batch * (found.argmax(axis=1)[caught] + 1)) == pytest.approx(median, rel=0.25)


SIMPSON = [((20_000, 990_000), (230, 10_000), 200), ((5000, 500_000), (6000, 500_000), 10_000)]


def test_a_ramp_hides_no_harm_and_invents_none() -> None:
    """Kohavi's table: pooled over two days the challenger looks better by 0.46 points, on each of them it is worse."""
    errors = Rules(guardrails=("errors",))
    harmful_ramp = [
        phase({"errors": one[0]}, {"errors": two[0]}, (one[1], two[1]), coverage) for one, two, coverage in SIMPSON
    ]
    (found,) = guardrail_evidence(errors, harmful_ramp, ("errors",))
    assert found.challenger[0] / found.challenger[1] < found.champion[0] / found.champion[1]
    assert found.verdict == "fail"
    alike = [(20_000, 990_000), (200 + 2, 10_000)], [(5000, 500_000), (5000, 500_000)]
    harmless = [
        phase({"errors": one[0]}, {"errors": two[0]}, (one[1], two[1]), coverage)
        for (one, two), coverage in zip(alike, (200, 10_000), strict=True)
    ]
    (found,) = guardrail_evidence(errors, harmless, ("errors",))
    assert found.verdict == "pass"
    assert found.low < 0 < found.high
