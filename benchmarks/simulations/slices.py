"""Found slices: how often any slice is confirmed where there is nothing to find, and a real one where there is."""

from typing import Literal

import numpy as np
from benchmarks.simulations.figures import Row, Share
from numpy.typing import NDArray

from assay.stats import bucket_of, code_columns, find_slices

__all__ = ["KINDS", "found_by_chance"]

Floats = NDArray[np.float64]

ROWS = 2000
_VALUES = {"device": 3, "country": 5, "plan": 2}
_FEW = 0.05

KINDS: dict[str, Literal["loss", "difference"]] = {
    "losses, exponential": "loss",
    "losses, 10 % wrong answers": "loss",
    "differences, normal": "difference",
    "differences, mostly a little worse, seldom much better": "difference",
}


def found_by_chance(seed: int, repetitions: int, rows_a_unit: tuple[int, ...] = (1, 5)) -> list[Row]:
    """P(anything is confirmed) at 5 %, where no slice differs, and where one third of the rows is worse by .25.

    Three columns of 3, 5 and 2 values, crossed up to twice. All rows of a unit have the same loss.
    """
    rows = []
    for place, (name, kind) in enumerate(KINDS.items()):
        for per_unit in rows_a_unit:
            generator = np.random.default_rng([seed, 11, place, per_unit])
            chance, real = (
                [_confirms(generator, name, kind, per_unit, worse) for _ in range(repetitions)] for worse in (0.0, 0.25)
            )
            rows.append(
                Row(
                    {"rows": name, "rows a unit": str(per_unit)},
                    {
                        "nothing there": Share(float(np.mean(chance)), repetitions),
                        "a third worse by .25": Share(float(np.mean(real)), repetitions),
                    },
                )
            )
    return rows


def _confirms(
    generator: np.random.Generator, name: str, kind: Literal["loss", "difference"], per_unit: int, worse: float
) -> bool:
    values = {column: generator.integers(0, count, ROWS) for column, count in _VALUES.items()}
    coded = code_columns({column: some.astype(str) for column, some in values.items()}, ROWS)
    unit = np.arange(ROWS) // per_unit
    loss = _losses(generator, name, int(unit[-1]) + 1)[unit] + worse * (values["device"] == 0)
    bucket = bucket_of(generator.integers(0, 2**63, unit[-1] + 1)[unit].astype(np.uint64))
    return any(one.confirmed for one in find_slices(coded, loss, bucket, kind=kind, level=2))


def _losses(generator: np.random.Generator, name: str, n: int) -> Floats:
    """[n] losses; of mean 0 where they are differences."""
    if name.startswith("losses, exp"):
        return generator.exponential(1.0, n)
    if name.startswith("losses"):
        return (generator.random(n) < 0.1).astype(np.float64)
    if name.endswith("normal"):
        return generator.normal(0.0, 0.5, n)
    return np.where(generator.random(n) < _FEW, -2.0, 2.0 * _FEW / (1.0 - _FEW))
