"""Rows whose truth is known, for many runs at once: a run is a part of one profile, so that one pass answers all.

Every world is drawn from its own generator. Labels are 0 or 1, a right answer has the score .9 or .1; scores of worlds
for the area are normal within a class and then brought into (0, 1), so that the true area is Φ(distance/√2).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from assay.stats import Profile

__all__ = ["Answers", "Part", "Rows", "answers", "areas", "codes", "profile_of", "text"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """The truth in some rows: how much better the candidate is, and in which share of rows the models disagree."""

    difference: float = 0.0
    disagreement: float = 0.08

    @property
    def only_new(self) -> float:
        """P(the candidate is right and the baseline wrong)."""
        return (self.disagreement + self.difference) / 2

    @property
    def only_old(self) -> float:
        """P(the baseline is right and the candidate wrong)."""
        return (self.disagreement - self.difference) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """[rows] labels and the scores of both models."""

    label: Integers
    new: Floats
    old: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Answers with what they belong to: text columns by name, and the unit of each row (None: each is its own)."""

    answers: Answers
    columns: Mapping[str, pa.DictionaryArray]
    units: pa.Array | None = None

    def only(self, kept: NDArray[np.bool_]) -> "Rows":
        """Some of the rows, as a table of one run has them."""
        mask = pa.array(kept)
        chosen = Answers(*(getattr(self.answers, name)[kept] for name in ("label", "new", "old")))
        columns = {name: column.filter(mask) for name, column in self.columns.items()}
        return Rows(chosen, columns, None if self.units is None else self.units.filter(mask))

    def table(self) -> pa.Table:
        """As a user has them: columns late, new, old, the text columns, and unit where rows have one."""
        found = {"late": self.answers.label, "new": self.answers.new, "old": self.answers.old, **self.columns}
        return pa.table(found | ({} if self.units is None else {"unit": self.units}))


def answers(
    generator: np.random.Generator,
    parts: Sequence[Part],
    part: Integers,
    unit: Integers | None = None,
    alike: float = 0.5,
) -> Answers:
    """Rows of which each belongs to one of the parts: both right, one of both, or neither (85 % right in the baseline).

    With units, a row takes the luck of its unit with probability `alike` instead of its own, so two rows of a unit are
    correlated by its square and every row keeps its truth.
    """
    luck = generator.random(len(part))
    if unit is not None:
        shared = generator.random(int(unit.max(initial=0)) + 1)[unit]
        luck = np.where(generator.random(len(part)) < alike, shared, luck)
    new, old = (np.array([getattr(one, name) for one in parts])[part] for name in ("only_new", "only_old"))
    candidate_right = (luck < 0.85 - old) | ((luck >= 0.85) & (luck < 0.85 + new))
    baseline_right = luck < 0.85
    label = generator.integers(0, 2, len(part))
    return Answers(label, *(np.where(right == (label == 1), 0.9, 0.1) for right in (candidate_right, baseline_right)))


def areas(
    generator: np.random.Generator,
    true: tuple[Floats, Floats],
    label: Integers,
    correlation: float = 0.8,
    unit: Integers | None = None,
    alike: float = 0.5,
) -> Answers:
    """Rows with scores of two models whose areas are `true` ([rows] each, candidate and baseline).

    The noise of both models is correlated by `correlation`; with units, a share `alike` of its variance is the unit's.
    """
    noise = _correlated(generator, len(label), correlation)
    if unit is not None:
        shared = _correlated(generator, int(unit.max(initial=0)) + 1, correlation)
        noise = [
            math.sqrt(alike) * of[unit] + math.sqrt(1 - alike) * own for of, own in zip(shared, noise, strict=True)
        ]
    scores = []
    for own, area in zip(noise, true, strict=True):
        distance = math.sqrt(2) * scipy_stats.norm.ppf(area)
        scores.append(1 / (1 + np.exp(-(own + distance * (label - 0.5)))))
    return Answers(label, *scores)


def _correlated(generator: np.random.Generator, n: int, correlation: float) -> list[Floats]:
    shared = generator.normal(size=n)
    return [math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * generator.normal(size=n) for _ in range(2)]


def codes(names: Sequence[str], place: Integers) -> pa.DictionaryArray:
    """A text column from the places of its values."""
    return pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int32)), pa.array(names))


def text(numbers: Integers) -> pa.Array:
    """Numbers as text, such as the names of units."""
    return pc.cast(pa.array(numbers), pa.string())


def profile_of(rows: Rows, *, influence: bool = False, cross: int = 1, buckets: int = 50) -> Profile:
    """The profile of the models "candidate" and "baseline"; a row without a unit is one."""
    units: pa.Array | NDArray[np.uint64] | None = rows.units
    if units is None:
        units = np.arange(len(rows.answers.label)).astype(np.uint64)
    return Profile.build(
        rows.answers.label,
        {"candidate": rows.answers.new, "baseline": rows.answers.old},
        dict(rows.columns),
        units,
        {"candidate": 0.5, "baseline": 0.5},
        buckets=buckets,
        cross=cross,
        influence=influence,
    )
