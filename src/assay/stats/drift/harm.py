"""Drift ranked by the harm it may do: a large move of a column that the model hardly reads comes last.

Distance is not harm. What a model reads most, or what moves together with the model's own score, comes first; whether a
metric fell is for labels to say.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from assay.errors import InvalidInput
from assay.stats.drift.verdicts import Verdict

__all__ = ["Harm", "rank_by_harm", "score_correlations"]

_STATES = {"drift": 0, "watch": 1, "uncalibrated": 2, "ok": 3}
_ENOUGH = 4  # windows below which a correlation says nothing


class Harm(msgspec.Struct, frozen=True):
    """A column, ranked: `score` = `moved`·`weight`, `moved` being the largest effect of its rows in units of its floor.

    `weight` is the column's share of all importance, or None where no importance is known of it: then `score` is
    `moved`. `verdict` is the row that moved most.
    """

    column: str
    score: float
    moved: float
    weight: float | None
    verdict: Verdict

    @property
    def words(self) -> str:
        """The verdict, and how much of the model rests on the column."""
        if self.weight is None:
            return self.verdict.words
        return f"{self.verdict.words}; {self.weight:.0%} of the model's importance".replace("%", " %")


def rank_by_harm(verdicts: Sequence[Verdict], importances: Mapping[str, float] | None = None) -> list[Harm]:
    """The columns of some verdicts, the most harmful first: by state (drift, watch, uncalibrated, ok), then by score.

    `importances` by column, 0 or more on any scale: a model's own, permutation importances, or |correlations| with the
    moves of the score (`score_correlations`). Without any all count alike. InvalidInput for a negative one or NaN.
    """
    given = dict(importances or {})
    for column, importance in given.items():
        if not 0.0 <= importance < math.inf:
            raise InvalidInput(f"the importance of {column!r} is {importance!r}", expected="0 or more")
    total = math.fsum(given.values())
    best: dict[str, Harm] = {}
    for one in verdicts:
        moved = (one.effect or 0.0) / one.floor if one.floor else one.effect or 0.0
        weight = given[one.column] / total if one.column in given and total else None
        harm = Harm(one.column, moved * (1.0 if weight is None else weight), moved, weight, one)
        held = best.get(one.column)
        if held is None or _order(harm) < _order(held):
            best[one.column] = harm
    return sorted(best.values(), key=_order)


def score_correlations(moves: Mapping[str, Sequence[float | None]], score: Sequence[float | None]) -> dict[str, float]:
    """|Spearman's correlation| over windows between how far each column moved and how far the model's score did.

    `moves` by column and `score`: distances of the same windows in the same order; None or NaN where one has none. 0
    for a column with fewer than four windows, or that never moved. InvalidInput for another number of windows.
    """
    from scipy.stats import rankdata

    found = {}
    ours = np.array([math.nan if one is None else one for one in score], dtype=np.float64)
    for column, distances in moves.items():
        theirs = np.array([math.nan if one is None else one for one in distances], dtype=np.float64)
        if theirs.shape != ours.shape:
            raise InvalidInput(
                f"column {column!r} has {len(theirs)} windows, the score {len(ours)}", expected="the same windows"
            )
        known = ~(np.isnan(theirs) | np.isnan(ours))
        a, b = (rankdata(side[known]) for side in (theirs, ours))
        if known.sum() < _ENOUGH or not a.std() or not b.std():
            found[column] = 0.0
        else:
            found[column] = abs(float(np.corrcoef(a, b)[0, 1]))
    return found


def _order(harm: Harm) -> tuple[int, float, str]:
    return _STATES[harm.verdict.state], -harm.score, harm.column
