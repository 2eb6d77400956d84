"""Where does an effect differ? A segment may be named only after a test says that segments differ at all.

Looking at twenty segments finds a "winner" in nearly every test of nothing. So the question is first whether they
differ (Cochran's Q), then which of them differs from all others, with the false discovery rate held; the numbers to
show are drawn together.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from assay.errors import InvalidInput
from assay.stats import anytime
from assay.stats.effects import Effect
from assay.stats.false_discovery import benjamini_hochberg
from assay.stats.pooling import pool
from assay.stats.segment import Segment
from assay.stats.stratified import combined

__all__ = ["SegmentEffect", "SegmentEffects", "segment_effects"]


@dataclass(frozen=True, slots=True)
class SegmentEffect:
    """`effect` as measured; `shrunk` and its error are for display; `p_rest` of "as in the other segments", adjusted.

    `differs` is what may be claimed.
    """

    segment: str
    effect: Effect
    shrunk: float
    shrunk_se: float
    p_rest: float
    differs: bool


@dataclass(frozen=True, slots=True)
class SegmentEffects:
    """`p_interaction` of "the effect is the same in all segments", and each of them."""

    p_interaction: float
    segments: tuple[SegmentEffect, ...]


def segment_effects(
    column: str,
    effects: Mapping[str, Effect],
    alpha: float = 0.05,
    *,
    at_will: bool = False,
    tuning: float = anytime.TUNING,
) -> SegmentEffects:
    """Compare the effect in each value of `column` with that in the others.

    Σ(d − d̄)²/se² with d̄ weighted by 1/se² is chi-square with one degree less than segments, for one look at the end.
    A segment `differs` where that is significant at `alpha` and so is its own effect against the combined one of the
    rest, Benjamini-Hochberg over segments. `at_will`: for looks at any time; the comparisons with the rest are then
    anytime- valid, and segments differ at all where one of them is significant after Holm's first step (smallest P
    times their number). Segments whose effect or error is not known are shown and claim nothing. The segments must not
    share units.

    `shrunk` are empirical-Bayes estimates (`pooling.pool`). InvalidInput for fewer than 2 segments.
    """
    if len(effects) < 2:
        raise InvalidInput(f"{len(effects)} segments of {column}", expected="2 or more")
    known = {name: effect for name, effect in effects.items() if effect.se > 0.0 and math.isfinite(effect.se)}
    p_rest = {name: _against_rest(name, known, alpha, at_will, tuning) for name in known}
    if at_will:
        p_interaction = min(1.0, len(p_rest) * min(p_rest.values(), default=1.0))
    else:
        p_interaction = _interaction_p(list(known.values()))
    adjusted = dict(zip(p_rest, benjamini_hochberg(list(p_rest.values())), strict=True))
    drawn = pool(
        [Segment(((column, name),)) for name in effects],
        [effect.estimate for effect in effects.values()],
        [effect.se if name in known else math.nan for name, effect in effects.items()],
    )
    found = []
    for place, (name, effect) in enumerate(effects.items()):
        p = adjusted.get(name, 1.0)
        found.append(
            SegmentEffect(
                segment=name,
                effect=effect,
                shrunk=float(drawn.value[place]),
                shrunk_se=float(drawn.standard_error[place]),
                p_rest=p,
                differs=p_interaction <= alpha and p <= alpha,
            )
        )
    return SegmentEffects(p_interaction, tuple(found))


def _against_rest(name: str, known: Mapping[str, Effect], alpha: float, at_will: bool, tuning: float) -> float:
    others = [effect for other, effect in known.items() if other != name]
    if not others:
        return 1.0
    own, rest = known[name], combined(others)
    variances = (own.se**2, rest.se**2)
    against = Effect(
        estimate=own.estimate - rest.estimate,
        se=math.sqrt(sum(variances)),
        n_control=own.n_control + rest.n_control,
        n_treatment=own.n_treatment + rest.n_treatment,
        degrees=sum(variances) ** 2 / (variances[0] ** 2 / own.degrees + variances[1] ** 2 / rest.degrees),
    )
    if not at_will:
        return against.p_value()
    least = min(own.n_control, own.n_treatment, rest.n_control, rest.n_treatment)
    return anytime.asymptotic_p(against, alpha=alpha, tuning=tuning) if least >= anytime.MINIMUM_UNITS else 1.0


def _interaction_p(effects: list[Effect]) -> float:
    if len(effects) < 2:
        return 1.0
    weights = [1.0 / effect.se**2 for effect in effects]
    middle = math.fsum(w * effect.estimate for w, effect in zip(weights, effects, strict=True)) / math.fsum(weights)
    q = math.fsum(w * (effect.estimate - middle) ** 2 for w, effect in zip(weights, effects, strict=True))
    from scipy.special import chdtrc  # not needed to import the room

    return float(chdtrc(len(effects) - 1, q))
