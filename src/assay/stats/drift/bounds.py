"""How far a column may be from its reference before it is a surprise, learned from windows where nothing was wrong.

Real columns move from window to window, so a P-value against chance alone calls every large window drifted. What
windows of the same length show of each other, left out one by one, says what is usual.
"""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.drift.distances import CHANCE_SHARE, MEASURES, Distance, distance, score_of
from assay.stats.drift.table_profile import ColumnProfile, total_of

__all__ = ["ALPHA", "MINIMUM_WINDOWS", "Bound", "learn_bounds", "learned_from", "others_of"]

ALPHA = 0.01
MINIMUM_WINDOWS = 6

Method = Literal["windows", "bootstrap", "analytic", "uncalibrated"]


class Bound(msgspec.Struct, frozen=True):
    """When a distance in one measure is a surprise at `alpha`.

    `method` "windows": the logarithms of the scores of `windows` windows, each against the others, have mean `middle`
    and standard deviation `spread` (at least that of chance), and one more window is predicted by Student's t with
    `windows` − 1 degrees of freedom. "bootstrap": the same of windows drawn from blocks, `windows` being the blocks.
    "analytic": independent rows of one distribution. "uncalibrated": nothing is known. `null` is what chance adds to a
    distance of the windows.
    """

    measure: str
    method: Method
    windows: int
    middle: float = math.nan
    spread: float = math.nan
    null: float = math.nan
    alpha: float = ALPHA

    @property
    def says(self) -> str:
        """The method for people: "10 windows", "bootstrap", "analytic", "uncalibrated"."""
        return f"{self.windows} windows" if self.method == "windows" else self.method

    def p(self, one: Distance) -> float | None:
        """P(a window is as far | nothing is wrong); None where uncalibrated, 1 where there is nothing to compare."""
        if self.method == "uncalibrated":
            return None
        if math.isnan(one.value):
            return 1.0
        if self.method == "analytic":
            return one.p_by_chance()
        t = (self._log_score(one) - self.middle) / (self.spread * self._further)
        return normal.t_upper_tail(t, self.windows - 1)

    def limit(self, one: Distance) -> float | None:
        """The distance above which `p` is below `alpha`; None where uncalibrated or with nothing to compare."""
        if self.method == "uncalibrated" or math.isnan(one.value):
            return None
        if self.method == "analytic":
            return one.limit_by_chance(self.alpha)
        quantile = normal.t_quantile(1.0 - self.alpha, self.windows - 1)
        score = math.exp(self.middle + quantile * self.spread * self._further)
        chance = CHANCE_SHARE**2 * (self.null if self._is_square else self.null**2)
        if self._is_square:
            return max(0.0, score - chance) + self._fewer_rows(one)
        return math.sqrt(max(0.0, score * score - chance) + self._fewer_rows(one))

    def _log_score(self, one: Distance) -> float:
        """The logarithm of the score as it would be of a window with the rows of those that were learned from."""
        power = 1 if self._is_square else 2
        value = max(0.0, one.value**power - self._fewer_rows(one)) ** (1.0 / power)
        return math.log(score_of(value, self.null, is_square=self._is_square))

    def _fewer_rows(self, one: Distance) -> float:
        """What chance may add to the distance, or to its square, because the window has fewer rows than the others."""
        power = 1 if self._is_square else 2
        excess = one.null**power - self.null**power
        if excess <= 0.0 or not one.scale:
            return 0.0
        return excess * (one.limit_by_chance(self.alpha) / one.null) ** power

    @property
    def _is_square(self) -> bool:
        return MEASURES[self.measure].is_square

    @property
    def _further(self) -> float:
        """One more window is less certain than those seen."""
        return math.sqrt(1.0 + 1.0 / self.windows)


def learn_bounds(
    measures: Sequence[str],
    windows: Sequence[ColumnProfile],
    *,
    alpha: float = ALPHA,
    blocks: Sequence[ColumnProfile] = (),
    seed: int = 0,
) -> dict[str, Bound]:
    """The bound of each measure from profiles of reference windows of equal length, in any order.

    From `MINIMUM_WINDOWS` windows on: exp(mean + t·sd·√(1 + 1/K)) of the log scores, log √(D² + (¾ null)²), of each
    window against the others. The score, not D itself, because a distance may be 0 and chance spreads log D widely;
    where windows move by more than chance it makes no difference. With fewer windows, the same of windows drawn from
    `blocks`, parts of the reference in order of time of which there must be twice as many as a window is long; else by
    chance alone, which takes usual moves for drift. With one window and no blocks: uncalibrated.

    Assumes windows that are alike, as those of one season (`seasons.same_season`). InvalidInput for no window.
    """
    if not windows:
        raise InvalidInput("there is no reference window", expected="one or more; ten are advised")
    held = [one for one in windows if one.rows]
    pairs: list[tuple[ColumnProfile, ColumnProfile]] = []
    method: Method = "analytic" if len(held) > 1 else "uncalibrated"
    count = len(held)
    if len(held) >= MINIMUM_WINDOWS:
        method, pairs = "windows", list(zip(others_of(held), held, strict=True))
    elif held and (drawn := _drawn_from(held, [one for one in blocks if one.rows], seed)):
        method, pairs, count = "bootstrap", drawn, len(blocks)
    if not pairs:
        return {measure: Bound(measure, method, count, alpha=alpha) for measure in measures}
    return {
        measure: learned_from(measure, method, [distance(measure, *pair) for pair in pairs], count, alpha)
        for measure in measures
    }


def others_of(windows: Sequence[ColumnProfile]) -> list[ColumnProfile]:
    """For each of two windows or more the sum of all others."""
    ahead, behind = [windows[-1]], [windows[0]]
    for one in reversed(windows[1:-1]):
        ahead.append(total_of([one, ahead[-1]]))
    for one in windows[1:-1]:
        behind.append(total_of([behind[-1], one]))
    ahead.reverse()
    inner = [total_of([before, after]) for before, after in zip(behind[:-1], ahead[1:], strict=True)]
    return [ahead[0], *inner, behind[-1]]


def learned_from(measure: str, method: Method, found: Sequence[Distance], windows: int, alpha: float) -> Bound:
    """The bound that distances of windows from the others give; by chance alone where they say nothing."""
    known = [one for one in found if not math.isnan(one.value) and one.score > 0.0]
    if len(known) < MINIMUM_WINDOWS:
        return Bound(measure, "analytic", windows, alpha=alpha)
    logs = np.log([one.score for one in known])
    power = 1 if MEASURES[measure].is_square else 2
    null = float(np.mean([one.null**power for one in known])) ** (1.0 / power)
    count = len(known) if method == "windows" else windows
    # Windows cannot truly agree more than chance lets them; a few may seem to.
    spread = max(float(logs.std(ddof=1)), float(np.mean([one.spread_by_chance() for one in known])))
    return Bound(measure, method, count, float(logs.mean()), spread, null, alpha)


_DRAWN = 60  # windows of the bootstrap: their spread is known to 10 %, and Student's t takes the blocks for its freedom


def _drawn_from(
    windows: Sequence[ColumnProfile], blocks: Sequence[ColumnProfile], seed: int
) -> list[tuple[ColumnProfile, ColumnProfile]]:
    """Windows drawn from blocks, behind the blocks that each left; none where there are too few.

    Runs of blocks that follow each other, as long as the root of a window's blocks, keep what hangs together in time
    (Künsch 1989, Annals of Statistics 17:1217).
    """
    if not blocks:
        return []
    rows = np.mean([one.rows for one in windows]) / np.mean([one.rows for one in blocks])
    length = max(1, round(float(rows)))
    if len(blocks) < max(MINIMUM_WINDOWS, 2 * length):
        return []
    run = max(1, round(math.sqrt(length)))
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(_DRAWN):
        starts = generator.integers(0, len(blocks), -(-length // run))
        taken = ((starts[:, None] + np.arange(run)) % len(blocks)).ravel()[:length]
        weights = np.bincount(taken, minlength=len(blocks))
        rest = total_of(blocks, (weights == 0).astype(np.int64).tolist())
        found.append((rest, total_of(blocks, weights.tolist())))
    return found
