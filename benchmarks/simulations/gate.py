"""Operating characteristics of the gate: how often each rule promotes a candidate whose truth is known.

Disjoint segments and accuracy, as in the specification's table. Counts are drawn, not rows: b (only the candidate is
right) and c (only the baseline is) of n rows suffice for Tango's test. The default rule is that of `assay.prove.judge`;
a test gives the same counts as rows to it and compares the verdicts, run by run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.simulations.figures import Row, Share
from benchmarks.simulations.worlds import Part
from numpy.typing import NDArray

from assay.stats import normal
from assay.stats.score_arrays import tango_zs

__all__ = [
    "ALPHA",
    "MARGIN",
    "SCENARIOS",
    "SIZES",
    "SPECIFIED",
    "SPECIFIED_RUNS",
    "Counts",
    "default_rule",
    "draw",
    "operating_table",
    "p_values",
]

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

ALPHA = 0.05
MARGIN = 0.02
SIZES = tuple(round(float(rows)) for rows in np.geomspace(100, 5000, 30))  # 294 and 991 are among them

SCENARIOS: dict[str, tuple[Part, ...]] = {
    "equal": (Part(),) * 30,
    "+.01 everywhere": (Part(0.01),) * 30,
    "−.06 on n=991": tuple(Part(-0.06 if rows == 991 else 0.0) for rows in SIZES),
    "−.06 on n=294": tuple(Part(-0.06 if rows == 294 else 0.0) for rows in SIZES),
    "−.03 everywhere": (Part(-0.03),) * 30,
}

# The table of validation.md, section 7, in the order of SCENARIOS: 4000 repetitions.
SPECIFIED: dict[str, tuple[float, ...]] = {
    "point ≥ 0 on all": (0.000, 0.007, 0.000, 0.000, 0.000),
    "point ≥ −.02 on all": (0.105, 0.452, 0.000, 0.000, 0.000),
    "McNemar p < .05 on any blocks": (0.227, 0.795, 0.000, 0.001, 0.000),
    "**Assay's default rule**": (0.954, 0.998, 0.000, 0.168, 0.000),
    "harm beyond the margin, Holm: P(block)": (0.001, 0.000, 0.975, 0.378, 0.898),
    "not worse shown on every segment": (0.000, 0.000, 0.000, 0.000, 0.000),
}
SPECIFIED_RUNS = 4000


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """[runs, segments] rows in which only the candidate, and only the baseline, is right; [segments] rows."""

    b: Floats
    c: Floats
    n: Floats

    def with_overall(self) -> "Counts":
        """The sums over all segments as a further segment, the first."""
        b, c = (np.column_stack([counts.sum(axis=1), counts]) for counts in (self.b, self.c))
        return Counts(b, c, np.append(self.n.sum(), self.n))

    def z(self, difference: float) -> Floats:
        """[runs, segments] Tango's statistic of a difference."""
        n = np.broadcast_to(self.n, self.b.shape)
        return tango_zs(self.b, self.c, n, np.full(self.b.shape, difference))


def draw(seed: int, repetitions: int, parts: Sequence[Part], sizes: Sequence[int] = SIZES) -> Counts:
    """Counts of independent rows with that truth in each segment."""
    generator = np.random.default_rng([seed, 2])
    b, c = (np.empty((repetitions, len(sizes))) for _ in range(2))
    for place, (rows, part) in enumerate(zip(sizes, parts, strict=True)):
        chances = [part.only_new, part.only_old, 1 - part.disagreement]
        b[:, place], c[:, place], _ = generator.multinomial(rows, chances, size=repetitions).T
    return Counts(b, c, np.asarray(sizes, dtype=np.float64))


def default_rule(p_worse: Floats, p_overall: Floats, alpha: float = ALPHA) -> tuple[Truths, Truths]:
    """[runs] whether the gate promotes, and whether it fails; `p_worse` [runs, tests], the overall tests among them.

    It fails where any test is significant after Holm, which is where the smallest P-value times their number is at most
    alpha; it promotes where it does not fail and all of `p_overall` ([runs, metrics], not worse overall) are.
    """
    failed = p_worse.min(axis=1) * p_worse.shape[1] <= alpha
    return ~failed & (p_overall <= alpha).all(axis=1), failed


def p_values(counts: Counts) -> tuple[Floats, Floats]:
    """[runs, tests] the P-values of harm, overall first, and [runs, 1] that of "worse by the margin" overall."""
    everything = counts.with_overall()
    return normal.upper_tails(-everything.z(0.0)), normal.upper_tails(everything.z(-MARGIN))[:, :1]


def _rules(counts: Counts) -> dict[str, Truths]:
    """[runs] by rule, whether it promotes; for the one that is marked so, whether it blocks."""
    everything = counts.with_overall()
    difference = counts.b - counts.c
    worse, overall = p_values(counts)
    not_worse = normal.upper_tails(everything.z(-MARGIN))
    beyond = normal.upper_tails(-counts.z(-MARGIN))
    return {
        "point ≥ 0 on all": (difference >= 0).all(axis=1),
        "point ≥ −.02 on all": (difference >= -MARGIN * counts.n).all(axis=1),
        "McNemar p < .05 on any blocks": (worse[:, 1:] >= ALPHA).all(axis=1),
        "**Assay's default rule**": default_rule(worse, overall)[0],
        "harm beyond the margin, Holm: P(block)": beyond.min(axis=1) * beyond.shape[1] <= ALPHA,
        "not worse shown on every segment": (not_worse[:, 1:] <= ALPHA).all(axis=1),
    }


def operating_table(seed: int, repetitions: int, scenarios: Mapping[str, Sequence[Part]] = SCENARIOS) -> list[Row]:
    """P(promote) of each rule in each scenario."""
    found: dict[str, dict[str, Share | None]] = {}
    for scenario, parts in scenarios.items():
        for rule, promoted in _rules(draw(seed, repetitions, parts)).items():
            found.setdefault(rule, {})[scenario] = Share(float(promoted.mean()), repetitions)
    return [Row({"P(promote)": rule}, shares) for rule, shares in found.items()]
