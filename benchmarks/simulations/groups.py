"""Groups against each other: how often `group_gaps` errs where the truth is exactly at the bound."""

from dataclasses import dataclass

import numpy as np
from benchmarks.simulations.figures import Row, Share
from numpy.typing import NDArray

from assay.stats import Profile, group_gaps

__all__ = ["AT_THE_BOUND", "Case", "errors_at_the_bound"]


@dataclass(frozen=True, slots=True)
class Case:
    """The reference group first: selection rates and rows of the groups, the bound they are at, and rows of a unit."""

    rates: tuple[float, ...]
    rows: tuple[int, ...]
    gap: float | None = None
    ratio: float | None = None
    per_unit: int = 1

    @property
    def name(self) -> str:
        """For people."""
        bound = f"gap {self.gap:g}" if self.gap is not None else f"ratio {self.ratio:g}"
        rates = " ".join(f"{rate:g}" for rate in self.rates)
        return f"{bound}: {rates}"


AT_THE_BOUND = (
    Case((0.5, 0.4), (500, 500), gap=0.1),
    Case((0.1, 0.05), (300, 100), gap=0.05),
    Case((0.05, 0.1), (300, 60), gap=0.05),
    Case((0.5, 0.4, 0.4, 0.4), (500, 300, 200, 100), gap=0.1),
    Case((0.5, 0.4), (500, 500), ratio=0.8),
    Case((0.1, 0.08), (1000, 300), ratio=0.8),
    Case((0.4, 0.5), (300, 60), ratio=0.8),
    Case((0.5, 0.4, 0.4, 0.4), (500, 300, 200, 100), ratio=0.8),
    Case((0.5, 0.4), (500, 500), gap=0.1, per_unit=5),
    Case((0.5, 0.4), (500, 500), ratio=0.8, per_unit=5),
)


def errors_at_the_bound(seed: int, repetitions: int, cases: tuple[Case, ...] = AT_THE_BOUND) -> list[Row]:
    """P(any group fails), and P(pass) of the second group, at 5 %.

    With units, their rows are of any group and share half of what decides their selection.
    """
    rows = []
    for place, case in enumerate(cases):
        generator = np.random.default_rng([seed, 12, place])
        verdicts = [_verdicts(generator, case) for _ in range(repetitions)]
        rows.append(
            Row(
                {
                    "bound and rates": case.name,
                    "rows": " ".join(f"{rows:,}" for rows in case.rows),
                    "rows a unit": str(case.per_unit),
                },
                {
                    "P(fail)": Share(float(np.mean(["fail" in some for some in verdicts])), repetitions),
                    "P(pass)": Share(float(np.mean([some[0] == "pass" for some in verdicts])), repetitions),
                },
            )
        )
    return rows


def _verdicts(generator: np.random.Generator, case: Case) -> list[str]:
    group = np.repeat(np.arange(len(case.rows)), case.rows)
    n = len(group)
    unit: NDArray[np.int64] = np.arange(n)
    luck = generator.random(n)
    if case.per_unit > 1:
        unit = generator.permutation(n) // case.per_unit
        luck = np.where(generator.random(n) < 0.5, generator.random(n)[unit], luck)
    score = (luck < np.asarray(case.rates)[group]).astype(np.float64)
    units = (generator.integers(0, 2**62) + unit).astype(np.uint64)  # other buckets in every run
    names = np.array([f"g{place}" for place in range(len(case.rows))])
    profile = Profile.build(
        np.zeros(n), {"m": score}, {"group": names[group]}, units, {"m": 0.5}, cross=1, influence=False
    )
    found = group_gaps(
        profile,
        "m",
        "selection_rate",
        "group",
        gap=case.gap,
        ratio=case.ratio,
        reference="g0",
        clustered=case.per_unit > 1,
    )
    return [one.verdict for one in found]
