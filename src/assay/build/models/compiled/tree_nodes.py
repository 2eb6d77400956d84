"""Trees of any library as arrays, with a split by a set of categories as one by a number.

A split by categories asks whether a value is in a set. Each set becomes a feature of its own, 0 for what goes left and
1 for what goes right, which is looked up in the table of its column: so a tree has splits of numbers only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.build.models.compiled.encoding import Rounding
from assay.build.models.compiled.features import Feature
from assay.build.models.compiled.linear import Link
from assay.errors import InvalidInput

__all__ = ["Precision", "Tree", "Trees", "as_categories", "member"]

Floats = NDArray[np.float64]
Precision = Literal["double", "rounded", "single"]


@dataclass
class Tree:
    """Nodes of one tree: `left` and `right` are -1 at leaves; a row goes left where its feature is at most `split`."""

    feature: NDArray[np.int64]
    split: Floats
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    value: Floats
    target: int = 0


@dataclass
class Trees:
    """An ensemble: leaves of all trees are added to `base`, one number for each target, divided by the `divisor` and
    multiplied by the `scale`; the link makes answers of that.

    `precision`: `double` throughout; `rounded` where features are rounded to single precision before they are compared,
    as most of scikit-learn's trees do; `single` where sums and answers are of single precision too, as XGBoost's.
    `refuses_missing` and `refuses_large`: the library refuses rows with such a number, in any column.
    """

    features: list[Feature]
    base: Floats
    link: Link
    precision: Precision
    trees: list[Tree] = field(default_factory=list)
    divisor: int = 1
    scale: float = 1.0
    refuses_missing: bool = False
    refuses_large: bool = False
    sets: dict[tuple[int, bytes], int] = field(default_factory=dict)


def member(made: Trees, place: int, goes_left: Callable[[Floats], NDArray[np.bool_]]) -> int:
    """The place of the feature that is 0 where a split by categories goes left, and 1 where it goes right.

    `goes_left` says it of values as the library sees them, with NaN for no value.
    """
    feature = made.features[place]
    assert feature.table is not None, "who splits by categories has them looked up"
    values = np.array([*feature.table.values(), feature.missing, feature.unknown], dtype=np.float64)
    left = np.asarray(goes_left(values), dtype=bool)
    key = (place, left.tobytes())
    if key not in made.sets:
        made.sets[key] = len(made.features)
        *table, missing, unknown = np.where(left, 0.0, 1.0).tolist()
        made.features.append(
            replace(
                feature,
                table=dict(zip(feature.table, table, strict=True)),
                missing=None if feature.missing is None else missing,
                unknown=None if feature.unknown is None else unknown,
            )
        )
    return made.sets[key]


def as_categories(feature: Feature, categories: Iterable[int], rounding: Rounding) -> Feature:
    """A feature by whose whole numbers trees split, looked up; those that no set has are all the same to them.

    InvalidInput for a number that was scaled before.
    """
    if feature.table is not None:
        return feature
    if feature.text or feature.steps:
        raise InvalidInput(f"column {feature.source} is scaled or text, and split by categories")
    table = {float(one): float(one) for one in sorted(categories)}
    return replace(feature, table=table, missing=np.nan, unknown=-1.0, rounding=rounding)
