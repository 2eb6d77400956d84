"""What a server answers with: versions in memory, and rows as they take them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.build.models.packaging import Column, LoadedModel
from assay.operate.features.lookup import Lookup
from assay.record.models.routes import Split, Variant

__all__ = ["LoadedVariant", "RoutingTable", "object_rows"]


@dataclass(frozen=True, slots=True)
class LoadedVariant:
    """A variant in memory. `lookup` reads the features that its model takes from views, None where it takes none."""

    variant: Variant
    model: LoadedModel
    lookup: Lookup | None = None


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """Never changed, only exchanged, so a request that holds it sees one table. The first variant is the champion."""

    revision: int
    variants: tuple[LoadedVariant, ...]
    shadows: tuple[LoadedVariant, ...] = ()
    split: Split | None = None

    @property
    def champion(self) -> LoadedVariant:
        """What answers units that take part in nothing."""
        return self.variants[0]


def object_rows(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> NDArray[np.object_]:
    """Rows in the order of the signature as a model takes them: text or None, and floats with NaN for None."""
    values = np.empty((len(rows), len(columns)), dtype=object)
    for position, row in enumerate(rows):
        values[position] = row
    numbers = [position for position, column in enumerate(columns) if column.is_number]
    values[:, numbers] = values[:, numbers].astype(np.float64)
    return values
