"""What a server answers with: versions in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assay.build.models.packaging import Column, LoadedModel
from assay.build.models.table_model import kind_of_answers
from assay.errors import InvalidInput
from assay.operate.routing.assignment import Assigner
from assay.operate.routing.segments import segment_of
from assay.operate.routing.taken_columns import kind_of, taken_together
from assay.record.models.column_policy import ColumnPolicy
from assay.record.models.routes import Split, Variant

if TYPE_CHECKING:
    from assay.operate.features.lookup import Lookup

__all__ = ["LoadedVariant", "RoutingTable"]


@dataclass(frozen=True, slots=True)
class LoadedVariant:
    """A variant in memory. `lookup` reads the features that its model takes from views, None where it takes none."""

    variant: Variant
    model: LoadedModel
    lookup: "Lookup | None" = None


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """Never changed, only exchanged, so a request that holds it sees one table. The first variant is the champion.

    `columns` are those of all variants and shadows: first the champion's in their order, then what only others take. A
    request brings the champion's; where one of the others is missing, the variants that take it cannot answer the row.
    `assigner` says who answers whom, `policies` of the endpoint what becomes of values that training never had.
    InvalidInput where two variants take a column of one name as text and as a number, where some tell classes apart
    and others predict numbers, and for a segment that is not about these columns.
    """

    endpoint: str
    revision: int
    variants: tuple[LoadedVariant, ...]
    shadows: tuple[LoadedVariant, ...] = ()
    split: Split | None = None
    policies: tuple[ColumnPolicy, ...] = ()
    columns: tuple[Column, ...] = field(init=False)
    assigner: Assigner = field(init=False)

    def __post_init__(self) -> None:
        taken = taken_together((_called(one), one.model.columns) for one in (*self.variants, *self.shadows))
        object.__setattr__(self, "columns", tuple(taken.values()))
        _check_kinds([*self.variants, *self.shadows])
        text = self.split.segment if self.split else None
        segment = segment_of(text, self.kinds) if text else None
        made = Assigner([one.variant for one in self.variants], self.split, segment)
        object.__setattr__(self, "assigner", made)

    @property
    def champion(self) -> LoadedVariant:
        """What answers units that take part in nothing."""
        return self.variants[0]

    @property
    def kinds(self) -> dict[str, str]:
        """Of each column, whether it is `number` or `text`."""
        return {column.name: kind_of(column) for column in self.columns}


def _check_kinds(variants: Sequence[LoadedVariant]) -> None:
    first = variants[0]
    for one in variants[1:]:
        if _gives(first.model) != _gives(one.model):
            raise InvalidInput(
                f"{_called(first)} {_gives(first.model)}, and {_called(one)} {_gives(one.model)}",
                expected="variants of one endpoint that answer with the same kind of value",
            )


def _gives(model: LoadedModel) -> str:
    return kind_of_answers(model.gives_probabilities, model.classes)


def _called(one: LoadedVariant) -> str:
    return f"{one.variant.name} ({one.model.name})"
