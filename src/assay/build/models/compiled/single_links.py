"""Answers of single precision out of sums of single precision, in XGBoost's order of operations.

The exponential is that of doubles, rounded, as C libraries compute it themselves: now and then theirs is rounded the
other way, which is one unit in the last place, 6e-8 of an answer.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.build.models.compiled.linear import Link

__all__ = ["linked_single"]

_ONE = np.float32(1)
_MOST = np.float32(88.7)  # XGBoost's own bound, so that nothing overflows
_SOME = 4  # rows, up to which a loop is faster than arrays


def linked_single(raw: NDArray[Any], link: Link) -> NDArray[np.float64]:
    """Raw sums [rows, outputs] of single precision as answers, as `linked` has it."""
    if link == "identity":
        said = raw[:, 0]
    elif link == "exponential":
        said = _power(raw[:, 0])
    elif link == "softmax":
        powers = _power(raw - raw.max(axis=1, keepdims=True))
        total = np.zeros((len(raw), 1))
        for column in range(raw.shape[1]):  # one after the other: doubles, of which the order matters
            total[:, 0] += powers[:, column]
        said = powers / total.astype(np.float32)
    elif len(raw) <= _SOME:
        return np.array([_both(one) for one in raw[:, 0]], dtype=np.float64)
    else:
        positive = _ONE / (_power(np.minimum(-raw[:, 0], _MOST)) + _ONE)
        said = np.column_stack([_ONE - positive, positive])
    return said.astype(np.float64)


def _power(values: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.exp(values.astype(np.float64)).astype(np.float32)


def _both(total: Any) -> tuple[Any, Any]:
    positive = _ONE / (np.float32(math.exp(min(-total, _MOST))) + _ONE)
    return _ONE - positive, positive
