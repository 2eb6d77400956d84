"""Effects of several phases or days as one: measured within each, then averaged.

While the shares of the traffic change, the two variants meet different days; pooled sums then compare Friday with
Saturday and may turn the sign (Simpson's paradox).
"""

import math
from collections.abc import Sequence

from assay.errors import InvalidInput
from assay.stats.effects import Effect

__all__ = ["combined"]


def combined(effects: Sequence[Effect], weights: Sequence[float] | None = None) -> Effect:
    """Σ w·d/Σ w with variance Σ w²·se²/(Σ w)²; `weights` are the units of each phase unless given.

    For effects of any kind, as long as the phases are independent. From sums, `effects.difference` of sequences does
    the same with one θ for all phases, and its relative effect is that of the averaged levels. An effect that is NaN
    makes the result NaN: leave such phases out. InvalidInput for no effect, a weight below 0, or weights all 0.
    """
    shares = [float(effect.n) for effect in effects] if weights is None else list(weights)
    total = math.fsum(shares)
    if len(shares) != len(effects) or not total > 0.0 or min(shares) < 0.0:
        raise InvalidInput(f"{len(effects)} effects with weights {shares!r}", expected="one weight above 0 for each")
    parts = [(share / total, effect) for share, effect in zip(shares, effects, strict=True)]
    variances = [(share * effect.se) ** 2 for share, effect in parts]
    variance = math.fsum(variances)
    below = math.fsum(part * part / effect.degrees for part, (_, effect) in zip(variances, parts, strict=True))
    return Effect(
        estimate=math.fsum(share * effect.estimate for share, effect in parts),
        se=math.sqrt(variance),
        n_control=sum(effect.n_control for effect in effects),
        n_treatment=sum(effect.n_treatment for effect in effects),
        degrees=variance * variance / below if below > 0.0 else math.fsum(effect.degrees for effect in effects),
        control=math.fsum(share * effect.control for share, effect in parts),
        treatment=math.fsum(share * effect.treatment for share, effect in parts),
    )
