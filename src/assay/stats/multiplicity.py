"""Corrections for testing many hypotheses at once."""

from collections.abc import Sequence

from assay.errors import InvalidInput

__all__ = ["holm"]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted P-values, in the order given; reject where they are <= α. Empty in, empty out.

    Holds the family-wise error rate at α under any dependence (Holm 1979). It is for accusing ("some segment
    is worse"); certifying that all of several are good needs no correction. InvalidInput for a P-value
    outside [0, 1], NaN included.
    """
    for position, p in enumerate(p_values):
        if not 0.0 <= p <= 1.0:
            raise InvalidInput(f"P-value number {position} is {p!r}", expected="a number in [0, 1]")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = largest
    return adjusted
