"""What a server answers with: versions in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assay.build.models.packaging import Column, LoadedModel
from assay.errors import InvalidInput
from assay.operate.routing.assignment import Assigner
from assay.operate.routing.segments import segment_of
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
        object.__setattr__(self, "columns", _union([*self.variants, *self.shadows]))
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
        return {column.name: "number" if column.is_number else "text" for column in self.columns}

    def places(self, one: LoadedVariant) -> list[int]:
        """Where the columns that a variant takes stand among `columns`, in its model's order."""
        where = {column.name: place for place, column in enumerate(self.columns)}
        return [where[column.name] for column in one.model.columns]

    def beyond(self, one: LoadedVariant) -> list[str]:
        """The columns that a request must bring for this variant although the champion does not take them."""
        champion = {column.name for column in self.champion.model.columns}
        looked_up = one.lookup.looked_up if one.lookup else frozenset()
        return [column.name for column in one.model.columns if column.name not in champion | looked_up]


def _union(variants: Sequence[LoadedVariant]) -> tuple[Column, ...]:
    found: dict[str, tuple[Column, LoadedVariant]] = {}
    for one in variants:
        for column in one.model.columns:
            known, first = found.setdefault(column.name, (column, one))
            if known.is_number != column.is_number:
                raise InvalidInput(
                    f"column {column.name!r} is {_kind(known)} for {_called(first)} and not for {_called(one)}",
                    expected="variants that take a column as the same kind of value",
                )
    return tuple(column for column, _ in found.values())


def _check_kinds(variants: Sequence[LoadedVariant]) -> None:
    first = variants[0]
    for one in variants[1:]:
        if _answers(first.model) != _answers(one.model):
            raise InvalidInput(
                f"{_called(first)} {_answers(first.model)}, and {_called(one)} {_answers(one.model)}",
                expected="variants of one endpoint that answer with the same kind of value",
            )


def _answers(model: LoadedModel) -> str:
    """In words what a model gives."""
    if not model.gives_probabilities:
        return "predicts numbers"
    return (
        f"tells the classes {', '.join(map(str, model.classes))} apart"
        if len(model.classes) > 2
        else "gives a probability"
    )


def _kind(column: Column) -> str:
    return "a number" if column.is_number else "text"


def _called(one: LoadedVariant) -> str:
    return f"{one.variant.name} ({one.model.name})"
