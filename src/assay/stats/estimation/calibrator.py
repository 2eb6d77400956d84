"""Scores into probabilities: as they are, or by isotonic regression on labelled reference rows, with its own error."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput

__all__ = ["Calibrator"]

Floats = NDArray[np.float64]


class Calibrator(msgspec.Struct, frozen=True):
    """Steps of an isotonic fit: scores from `starts[i]` on have probability `shares[i]`, learned from `rows[i]` rows.

    Without steps, scores are probabilities as they are. A step's share is itself an estimate; `variances` says how
    uncertain, which is what an interval for a window has to add to the chance of its own labels.
    """

    starts: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    rows: tuple[float, ...] = ()

    @classmethod
    def as_they_are(cls) -> "Calibrator":
        """Believe the model's probabilities."""
        return cls()

    @classmethod
    def fit(cls, scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> "Calibrator":
        """Isotonic regression of labels 0 and 1 on scores in [0, 1] (pool adjacent violators), perhaps weighted.

        Of weighted rows a step counts Kish's effective number. InvalidInput for lengths that differ, no row, and
        other values.
        """
        from sklearn.isotonic import isotonic_regression

        s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
        w = np.ones(len(s)) if weights is None else np.asarray(weights, dtype=np.float64)
        if not len(s) == len(y) == len(w) or not len(s):
            raise InvalidInput(f"{len(s)} scores, {len(y)} labels and {len(w)} weights", expected="as many, and some")
        if not np.isin(y, (0.0, 1.0)).all() or not ((s >= 0.0) & (s <= 1.0)).all():
            raise InvalidInput("labels or scores of other values", expected="labels 0 and 1, scores in [0, 1]")
        if not (np.isfinite(w) & (w >= 0.0)).all() or not w.sum():
            raise InvalidInput("weights below 0, or all of them 0", expected="numbers of 0 or more")
        kept = w > 0.0
        level, place = np.unique(s[kept], return_inverse=True)
        mass: Floats = np.bincount(place, weights=w[kept]).astype(np.float64)
        squares: Floats = np.bincount(place, weights=w[kept] ** 2).astype(np.float64)
        mean = np.bincount(place, weights=w[kept] * y[kept]) / mass
        return cls._steps(level, isotonic_regression(mean, sample_weight=mass, y_min=0.0, y_max=1.0), mass, squares)

    @classmethod
    def of_counts(cls, starts: ArrayLike, positives: ArrayLike, negatives: ArrayLike) -> "Calibrator":
        """The same from counts of labels by bin, in increasing order of the bins' scores."""
        from sklearn.isotonic import isotonic_regression

        level, ones, zeros = (np.asarray(values, dtype=np.float64) for values in (starts, positives, negatives))
        mass: Floats = ones + zeros
        if not len(level) or (mass <= 0.0).any():
            raise InvalidInput("a bin without rows, or none at all", expected="bins that hold rows")
        return cls._steps(level, isotonic_regression(ones / mass, sample_weight=mass, y_min=0.0, y_max=1.0), mass, mass)

    @classmethod
    def _steps(cls, level: Floats, fitted: Any, mass: Floats, squares: Floats) -> "Calibrator":
        begins = np.flatnonzero(np.concatenate([[True], fitted[1:] != fitted[:-1]]))
        total = np.add.reduceat(mass, begins)
        effective = total**2 / np.add.reduceat(squares, begins)
        return cls(tuple(level[begins].tolist()), tuple(fitted[begins].tolist()), tuple(effective.tolist()))

    def step_of(self, scores: Floats) -> NDArray[np.int64]:
        """[n] which step each score is on; scores below the first are on it."""
        return np.maximum(0, np.searchsorted(np.array(self.starts), scores, side="right") - 1)

    def probabilities(self, scores: ArrayLike) -> Floats:
        """[n] the probabilities of scores."""
        s = np.asarray(scores, dtype=np.float64)
        return np.array(self.shares)[self.step_of(s)] if self.shares else s

    @property
    def variances(self) -> Floats:
        """[steps] of the shares, by Agresti and Coull's p: a step of all or nothing is not certain."""
        p, n = np.array(self.shares), np.array(self.rows)
        middle = (p * n + 2.0) / (n + 4.0)
        found: Floats = middle * (1.0 - middle) / (n + 4.0)
        return found
