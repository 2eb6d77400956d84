"""A shadow answers the same requests as the champion: both errors of a request are known, and compared in pairs.

Two models that mostly agree differ on few requests only, so that a paired test needs a fraction of the labels of a
split (`duration.paired_units` against `duration.proportion_units`).
"""

from dataclasses import dataclass

from assay.errors import InvalidInput
from assay.stats.effects import Effect, Sums
from assay.stats.intervals import Interval
from assay.stats.proportions_test import ERROR_CONCENTRATION, share_p
from assay.stats.sequential import bernoulli_interval

__all__ = ["Discordant", "discordant", "paired_effect"]


@dataclass(frozen=True, slots=True)
class Discordant:
    """Requests on which just one of both was right: `better` the challenger, `worse` the champion.

    `p_value` is that of "as often the one as the other", `share` the interval of better/(better + worse); both may be
    looked at after every pair.
    """

    better: int
    worse: int
    p_value: float
    share: Interval


def paired_effect(differences: Sums) -> Effect:
    """The mean of loss of the champion − loss of the challenger (above 0: the challenger is better), for `anytime`.

    `differences` are sums over units. With one label for each unit `y` is its difference; with several `y` is the sum
    of the unit's differences and `d` their number (a ratio), so that labels of one unit count as hanging together. Each
    unit was answered by both, so it stands in the number of either.
    """
    mean, n = differences.mean, differences.n
    variance = differences.variance
    return Effect(
        estimate=mean,
        se=(variance / n) ** 0.5 if n else variance,
        n_control=n,
        n_treatment=n,
        degrees=float(n - 1),
    )


def discordant(
    better: int, worse: int, alpha: float = 0.05, *, concentration: float = ERROR_CONCENTRATION, tuning: float = 100.0
) -> Discordant:
    """The exact sequential test of right and wrong answers: under the hypothesis a fair coin decides each such request.

    The Bayes factor of `proportions_test` at one half each. Assumes one request for each unit, or units whose requests
    do not hang together; otherwise take `paired_effect`. `tuning`: the number of pairs at which `share` is tightest.
    InvalidInput for negative counts.
    """
    if min(better, worse) < 0:
        raise InvalidInput(f"{better!r} better and {worse!r} worse", expected="0 or more")
    return Discordant(
        better=better,
        worse=worse,
        p_value=share_p([better, worse], [0.5, 0.5], concentration),
        share=bernoulli_interval(better, better + worse, tuning, alpha),
    )
