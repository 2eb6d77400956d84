"""What a model would do to each group at other thresholds, from its score histograms.

A threshold that was not asked for when the rows were read lies on the edge of a bin of the histogram, which is at most
0.2 % of the score away. At the profile's own threshold the counts are those of the rows themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.stats import normal
from assay.stats.histogram import Histogram, bin_edges, bin_of
from assay.stats.profile import Profile
from assay.stats.score_arrays import wilson_ends

__all__ = ["POINT_RATES", "OperatingPoints", "operating_points"]

Floats = NDArray[np.float64]

POINT_RATES = ("selection_rate", "recall", "fpr", "precision", "accuracy")


@dataclass(frozen=True, slots=True, eq=False)
class OperatingPoints:
    """Counts of labelled rows by group and threshold: `tp` and `fp` are [groups, thresholds] and never grow with the
    threshold, `positives` and `negatives` [groups]. A row is selected where its score is at least the threshold.
    `own` is the place of the profile's threshold, None where it is outside [0, 1]. Weighted rows count their weights;
    `rows_per_weight` [groups] turns these into as many rows as carry the same information, and is 1 without weights.
    """

    thresholds: Floats
    own: int | None
    tp: Floats
    fp: Floats
    positives: Floats
    negatives: Floats
    rows_per_weight: Floats

    def rate(self, name: str, confidence: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """[groups, thresholds] values of one of `POINT_RATES` and the ends of Wilson's interval, NaN without rows.

        The intervals hold for rows that are independent of each other.
        """
        positives, negatives = self.positives[:, None], self.negatives[:, None]
        selected = self.tp + self.fp
        successes, n = {
            "selection_rate": (selected, positives + negatives),
            "recall": (self.tp, positives),
            "fpr": (self.fp, negatives),
            "precision": (self.tp, selected),
            "accuracy": (self.tp + negatives - self.fp, positives + negatives),
        }[name]
        n = np.broadcast_to(n, successes.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = successes / n
        alike = self.rows_per_weight[:, None]
        low, high = wilson_ends(successes * alike, n * alike, normal.critical_value(confidence))
        known = n > 0
        return value, np.where(known, low, np.nan), np.where(known, high, np.nan)


def operating_points(
    profile: Profile,
    model: str,
    places: Sequence[int],
    thresholds: Sequence[float] | None = None,
    *,
    points: int = 19,
) -> OperatingPoints:
    """The counts of the segments at these places, at the given thresholds or at a grid, and at the profile's own.

    The grid are `points` thresholds that select equal steps of all rows, so that it is fine where scores are. A given
    threshold becomes the lower edge of its bin; one in the bin of the profile's own threshold is that one, and its
    counts are the profile's. InvalidInput for another task, a model that is not there and thresholds outside [0, 1].
    """
    if not profile.task.has_scores:
        raise InvalidInput(f"models of the task {profile.task.name} have no threshold", expected="the task binary")
    if model not in profile.models:
        raise InvalidInput(
            f"the profile has no model {model!r}",
            expected=f"one of {', '.join(profile.models)}",
            hint=nearest(model, list(profile.models)),
        )
    wrong = [one for one in thresholds or () if not 0.0 <= one <= 1.0]
    if wrong:
        raise InvalidInput(f"the threshold {wrong[0]!r} is outside the range of scores", expected="0 to 1")
    if points < 1:
        raise InvalidInput(f"a grid of {points!r} points", expected="1 or more")
    histogram, own = profile.histograms[model], profile.thresholds[profile.models.index(model)]
    asked = _grid(histogram.only(0), points) if thresholds is None else bin_of(np.asarray(thresholds, np.float64))
    own_bin = int(bin_of(np.array([own]))[0]) if 0.0 <= own <= 1.0 else None
    bins = np.unique(np.append(asked, [] if own_bin is None else [own_bin]).astype(np.int64))
    edges = bin_edges(bins)
    parts = [histogram.only(place) for place in places]
    tp, fp = (
        np.array([_at_least(part.bin, getattr(part, kind), bins) for part in parts]).reshape(-1, len(bins))
        / histogram.unit
        for kind in ("positives", "negatives")
    )
    at, totals = None, profile.totals()
    if own_bin is not None:
        at = int(np.searchsorted(bins, own_bin))
        edges[at] = own
        tp[:, at] = totals.count("tp", model)[list(places)]
        fp[:, at] = totals.count("fp", model)[list(places)]
    positives, negatives = (
        np.array([float(counts.sum()) for counts in kind]) / histogram.unit
        for kind in ([part.positives for part in parts], [part.negatives for part in parts])
    )
    return OperatingPoints(edges, at, tp, fp, positives, negatives, totals.rows_per_weight[list(places)])


def _grid(overall: Histogram, points: int) -> NDArray[np.int64]:
    """The bins from which on about 1/(points + 1), 2/(points + 1), ... of all rows are selected."""
    rows = overall.positives + overall.negatives
    if not len(rows):
        return np.zeros(0, dtype=np.int64)
    selected = np.cumsum(rows[::-1])[::-1]  # from each bin upwards, decreasing
    wanted = selected[0] * np.arange(1, points + 1) / (points + 1)
    place = len(selected) - np.searchsorted(selected[::-1], wanted, side="left") - 1
    grid: NDArray[np.int64] = overall.bin[place]
    return grid


def _at_least(bins: NDArray[np.int64], counts: NDArray[np.int64], at: NDArray[np.int64]) -> Floats:
    """[at] the counts in these bins and above."""
    above = np.append(np.cumsum(counts[::-1])[::-1], 0)
    found: Floats = above[np.searchsorted(bins, at, side="left")].astype(np.float64)
    return found
