"""What the counts of a release say about each guardrail: safe, harmful, or not known yet, however often one looks.

Harm is looked for over all phases, each with the shares that it expects: a ramp mixes nothing up. Safety
has to be shown in the phase that runs now, whose shares are constant.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

import msgspec

from assay.operate.releases.counts import Counts
from assay.operate.releases.rules import Rules
from assay.stats.proportions_test import SRM_CONCENTRATION, log_bayes_factor
from assay.stats.sequential import bernoulli_interval, normal_mixture_bound

__all__ = ["Evidence", "Outcome", "Phase", "guardrail_evidence", "mismatch"]

Outcome = Literal["pass", "fail", "inconclusive"]
_K = 2.0  # how sure the prior is that shares are as expected: small finds a total outage soonest (online.md, 4.3)
_TUNED_TO = 500  # units that the intervals are tightest at
_LEAST_P = 1e-300


class Phase(msgspec.Struct, frozen=True):
    """A period of constant shares and what was counted in it.

    `coverage` of 10,000 units take part, half of them with the challenger; 0 says that it is a shadow. A `settled`
    phase is one whose mismatch of samples a person has looked at.
    """

    phase: int
    step: int
    revision: int
    started: str
    coverage: int
    counts: Counts
    settled: bool = False

    @property
    def share(self) -> float:
        """The challenger's share of the units; of pairs that differ, half."""
        return self.coverage / 20_000 if self.coverage else 0.5


class Evidence(msgspec.Struct, frozen=True):
    """What is known about a guardrail. `pass` says that it is safe to go on, `fail` that harm is proven.

    `champion` and `challenger` are (units with it, units), over all phases. The difference of their shares lies
    between `low` and `high` in this phase, and the challenger is safe below `margin`. `log_evidence` speaks against
    there being no harm, and proves it from `needed` on.
    """

    guardrail: str
    verdict: Outcome
    champion: tuple[int, int]
    challenger: tuple[int, int]
    log_evidence: float
    needed: float
    low: float
    high: float
    margin: float
    words: str


def guardrail_evidence(rules: Rules, phases: Sequence[Phase], seen_in: Sequence[str]) -> tuple[Evidence, ...]:
    """The evidence on each guardrail of the rules, in their order; the last phase is the one that runs.

    `seen_in` names guardrails that can be judged: there may be no limit of slowness yet.
    """
    alpha = rules.alpha / len(rules.guardrails)
    watched = [name for name in rules.guardrails if name in seen_in]
    return tuple(
        _shift(rules, phases, alpha) if name == "shift" else _share(rules, name, phases, alpha) for name in watched
    )


def mismatch(rules: Rules, phases: Sequence[Phase]) -> tuple[float, str] | None:
    """The p of the sample ratio and what it says, where units were not shared out as decided; None where they were."""
    open_phases = [phase for phase in phases if phase.coverage and not phase.settled]
    if not open_phases:
        return None
    counts = [phase.counts.part for phase in open_phases]
    log_evidence = log_bayes_factor(counts, [(0.5, 0.5)] * len(counts), SRM_CONCENTRATION)
    if log_evidence < math.log(1.0 / rules.mismatch_alpha):
        return None
    champion, challenger = (sum(phase.counts.part[arm] for phase in open_phases) for arm in (0, 1))
    p = max(math.exp(-log_evidence), _LEAST_P)
    return p, (
        f"sample ratio mismatch: {challenger:,} units with the challenger and {champion:,} with the champion, where "
        f"half and half was decided (p {p:.2g})"
    )


def _share(rules: Rules, name: str, phases: Sequence[Phase], alpha: float) -> Evidence:
    limit = rules.limit(name)
    pairs = [phase.counts.events[name] for phase in phases]
    odds = [limit.tolerance * phase.share / (1.0 - phase.share) for phase in phases]
    shares = [one / (1.0 + one) for one in odds]
    log_evidence = log_bayes_factor(pairs, [(1.0 - share, share) for share in shares], _K)
    expected = sum(sum(pair) * share for pair, share in zip(pairs, shares, strict=True))
    having = [sum(pair[arm] for pair in pairs) for arm in (0, 1)]
    units = [sum(phase.counts.units[arm] for phase in phases) for arm in (0, 1)]
    needed = math.log(1.0 / alpha)
    harm = log_evidence >= needed and having[1] > expected
    low, high = _difference(phases[-1].counts, name, rules.confidence_alpha, paired=not phases[-1].coverage)
    safe = high < limit.margin
    words = (
        f"{_WORDS[name]} for {having[1]:,} of {units[1]:,} units with the challenger, "
        f"for {having[0]:,} of {units[0]:,} with the champion"
    )
    if not all(phase.coverage for phase in phases):
        words += " (of rows that both saw, those that one alone had)"
    verdict: Outcome = "fail" if harm else "pass" if safe else "inconclusive"
    if harm:
        tolerated = "" if limit.tolerance == 1 else f" {limit.tolerance:g} times"
        said = f"{words}: more than{tolerated} the champion's share, {_odds(log_evidence)}"
    else:
        said = f"{words}; {_safety(high, limit.margin, safe)}"
    return Evidence(
        name, verdict, (having[0], units[0]), (having[1], units[1]),
        log_evidence, needed, low, high, limit.margin, said,
    )  # fmt: skip


def _difference(counts: Counts, name: str, alpha: float, *, paired: bool) -> tuple[float, float]:
    """Bounds of the challenger's share of units with it minus the champion's, each of which is wrong with `alpha`."""
    champion, challenger = (
        bernoulli_interval(min(x, n), n, _TUNED_TO, alpha / 2)
        for x, n in zip(counts.events[name], counts.units, strict=True)
    )
    if not paired and not min(counts.units):
        return -1.0, 1.0
    return challenger.low - champion.high, challenger.high - champion.low


def _shift(rules: Rules, phases: Sequence[Phase], alpha: float) -> Evidence:
    """Whether the share of units below any cut differs by more than the margin.

    Bounds hold at all cuts together where harm is concerned, and in each phase at a part of `alpha` that adds up to it
    over any number of phases; for safety each cut must be safe, which needs no correction.
    """
    now = phases[-1]
    harms = [
        _shift_bounds(phase, alpha / (phase.phase * (phase.phase + 1)), everywhere=True) for phase in phases
    ]  # fmt: skip
    largest = max((max(low, -high) for bounds in harms for low, high in bounds), default=0.0)
    bounds = _shift_bounds(now, rules.confidence_alpha, everywhere=False)
    high = max((max(abs(one), abs(two)) for one, two in bounds), default=1.0)
    harm, safe = largest > rules.shift, high < rules.shift
    verdict: Outcome = "fail" if harm else "pass" if safe else "inconclusive"
    units = [now.counts.units[arm] if now.coverage == 0 else sum(now.counts.bins[arm]) for arm in (0, 1)]
    words = (
        f"the share of predictions below some cut differs by at least {largest:.1%}, {rules.shift:.1%} is tolerated"
        if harm
        else f"shares of predictions below any cut differ by {high:.1%} at most; "
        f"{'safe' if safe else 'not yet'} below {rules.shift:.1%}"
    )
    return Evidence(
        "shift", verdict, (0, units[0]), (0, units[1]), largest, rules.shift, -high, high, rules.shift, words
    )  # fmt: skip


def _shift_bounds(phase: Phase, alpha: float, *, everywhere: bool) -> list[tuple[float, float]]:
    """At each cut, bounds of how much larger the challenger's share below it is."""
    counts = phase.counts
    if phase.coverage == 0:
        at = alpha / (2 * max(len(counts.crossed), 1) if everywhere else 2)
        n = counts.units[0]
        pairs = [[bernoulli_interval(x, n, _TUNED_TO, at) for x in pair] for pair in counts.crossed] if n else []
        return [(two.low - one.high, two.high - one.low) for one, two in pairs]
    sizes = [sum(bins) for bins in counts.bins]
    thresholds = len(counts.bins[0]) - 1
    if not min(sizes) or not thresholds:
        return []
    at = alpha / (2 * thresholds if everywhere else 2)
    # A share is the mean of numbers in [0, 1], whose variance is at most 1/4: exact, whatever the shares do over time.
    width = sum(normal_mixture_bound(n / 4, _TUNED_TO / 4, at) / n for n in sizes)
    below = [[count / n for count in accumulate(bins[:-1])] for bins, n in zip(counts.bins, sizes, strict=True)]
    return [(two - one - width, two - one + width) for one, two in zip(*below, strict=True)]


_WORDS = {
    "errors": "errors",
    "slow": "slow answers",
    "invalid": "outputs that are no number",
    "schema": "values that break the signature",
}


def _safety(high: float, margin: float, safe: bool) -> str:
    said = f"the difference is {high:.2%} at most"
    return f"{said}, safe below {margin:.2%}" if safe else f"{said}, not yet below the margin of {margin:.2%}"


def _odds(log_evidence: float) -> str:
    p = max(math.exp(-log_evidence), _LEAST_P)
    return f"p {p:.2g} at any time"
