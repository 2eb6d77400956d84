"""Slow drift: many windows each a little further than usual, none of them far enough to be called by itself.

A CUSUM of e-values (e-detectors; Shin, Ramdas & Rinaldo 2024, NEJSDS 2:229). Each window's log score is predicted from
all before it by Student's t; if windows are alike and log scores normal, these predictions fail independently of each
other, so the statistic is honest although nothing is known beforehand. It reaches 1/alpha by chance at most once in
1/alpha windows in the mean.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.drift.distances import Distance

__all__ = ["SLOW_ALPHA", "SlowDrift"]

SLOW_ALPHA = 0.001
_BETS = (0.25, 0.5, 1.0)  # shifts of the predictions, in their standard deviations, that are betted on
_LEAST = 3  # windows before the first bet
_MOST = 1e100  # evidence is not counted beyond that


class SlowDrift(msgspec.Struct, frozen=True):
    """What is kept from window to window: `windows` seen, `mean` and `squares` (about it) of their log scores.

    `statistics` of the bets; their mean is `evidence`. `spread` is that of log scores by chance, the least believed.
    """

    windows: int = 0
    mean: float = 0.0
    squares: float = 0.0
    spread: float = 0.0
    statistics: tuple[float, ...] = (0.0,) * len(_BETS)

    @property
    def evidence(self) -> float:
        """Compare with 1/alpha."""
        return sum(self.statistics) / len(self.statistics)

    def is_drift(self, alpha: float = SLOW_ALPHA) -> bool:
        """Whether slow drift is called; by chance at most once in 1/`alpha` windows in the mean."""
        if not 0.0 < alpha < 1.0:
            raise InvalidInput(f"alpha is {alpha!r}", expected="a number inside (0, 1)")
        return self.evidence >= 1.0 / alpha

    def after(self, one: Distance) -> "SlowDrift":
        """With one more window, in order of time; unchanged where it had nothing to compare or chance cannot move it.

        The distances are those of `distance(measure, reference, window)` to one reference, or of `bounds.others_of` for
        the windows that the reference was made of.
        """
        if math.isnan(one.value) or not one.score > 0.0:
            return self
        score = math.log(one.score)
        statistics = self.statistics
        if self.windows >= _LEAST:
            spread = max(math.sqrt(self.squares / (self.windows - 1)), self.spread)
            t = (score - self.mean) / (spread * math.sqrt(1.0 + 1.0 / self.windows))
            z = float(normal.t_scores(np.array(t), np.array(self.windows - 1)))
            statistics = tuple(
                min(max(1.0, before) * math.exp(bet * z - bet * bet / 2.0), _MOST)
                for before, bet in zip(statistics, _BETS, strict=True)
            )
        windows = self.windows + 1
        mean = self.mean + (score - self.mean) / windows
        squares = self.squares + (score - self.mean) * (score - mean)
        by_chance = self.spread + (one.spread_by_chance() - self.spread) / windows
        return SlowDrift(windows, mean, squares, by_chance, statistics)

    @classmethod
    def of(cls, distances: Sequence[Distance]) -> "SlowDrift":
        """After windows one after the other."""
        found = cls()
        for one in distances:
            found = found.after(one)
        return found
