"""What is tried next: at random, over a grid, or evenly by a Sobol sequence. These are built in, and learn nothing.

The contract of every sampler: parameters of trial n come from the search's seed, n, and what it was told before; it is
told of trials in order of their number. So a search that is taken up again goes on as if it had never ended.
"""

import hashlib
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from assay.build.searching.space import Params, Space
from assay.build.searching.trials import TrialRecord

__all__ = ["Grid", "RandomSampler", "Sampler", "Sobol", "seed_of"]


class Sampler(Protocol):
    """Suggests parameters. `learns` says whether what it is told changes what it suggests."""

    learns: bool

    def ask(self, number: int) -> Params | None:
        """Parameters of trial `number`, which counts as running from now on. None where there are no more."""
        ...

    def known(self, number: int, params: Params) -> None:
        """The same for a trial that has its parameters already, from before a search was taken up again."""
        ...

    def tell(self, trial: TrialRecord) -> None:
        """What came of a trial that was asked for, or of one of an earlier search."""
        ...


def seed_of(seed: int, number: int) -> int:
    """A seed for one trial: 32 bits of the hash of the search's seed and the trial's number."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:4], "big")


class _Unmoved:
    """What samplers that learn nothing do with what they are told."""

    learns = False

    def known(self, number: int, params: Params) -> None:
        """Nothing: the next ones do not depend on it."""

    def tell(self, trial: TrialRecord) -> None:
        """Nothing: the next ones do not depend on it."""


class RandomSampler(_Unmoved):
    """Each parameter at random, evenly over its places."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def ask(self, number: int) -> Params | None:
        """A point of the unit cube."""
        generator = np.random.default_rng(seed_of(self._seed, number))
        return self._space.at(generator.random(len(self._space.parameters)).tolist())


class Grid(_Unmoved):
    """Every point in order, the last parameter changing fastest; then there are no more."""

    def __init__(self, space: Space, seed: int) -> None:  # noqa: ARG002 - a grid has no chance in it
        self._points: Iterator[Params] = space.grid()
        self._drawn: list[Params] = []

    def ask(self, number: int) -> Params | None:
        """Point `number` of the grid."""
        while len(self._drawn) <= number:
            point = next(self._points, None)
            if point is None:
                return None
            self._drawn.append(point)
        return self._drawn[number]


class Sobol(_Unmoved):
    """Points that fill the space more evenly than chance does: a Sobol sequence, scrambled by the seed (Owen 1998)."""

    def __init__(self, space: Space, seed: int) -> None:
        from scipy.stats import qmc

        self._space = space
        self._engine = qmc.Sobol(len(space.parameters), scramble=True, rng=np.random.default_rng(seed))
        self._points: list[list[float]] = []

    def ask(self, number: int) -> Params | None:
        """Point `number` of the sequence, drawn in blocks that keep its balance."""
        while len(self._points) <= number:
            self._points += self._engine.random(max(1, len(self._points))).tolist()
        return self._space.at(self._points[number])
