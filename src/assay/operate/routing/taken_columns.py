"""The columns that the variants of an endpoint take, together: of one name they are of one kind."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from assay.build.models.folder import columns_of
from assay.build.models.packaging import Column
from assay.errors import InvalidInput

__all__ = ["kind_of", "taken_by", "taken_together"]


def taken_by(signature: Mapping[str, object]) -> list[Column]:
    """The columns that a version takes; InvalidInput where that cannot be read."""
    inputs = signature.get("inputs") or []
    if not isinstance(inputs, list):
        raise InvalidInput("the version has no signature that can be read")
    return columns_of(inputs)


def taken_together(variants: Iterable[tuple[str, Sequence[Column]]]) -> dict[str, Column]:
    """By name the columns of several variants, each with what it is called: the first one's, then what others add.

    InvalidInput where one takes as a number what another takes as text.
    """
    found: dict[str, tuple[Column, str]] = {}
    for called, columns in variants:
        for column in columns:
            known, first = found.setdefault(column.name, (column, called))
            if known.is_number != column.is_number:
                raise InvalidInput(
                    f"column {column.name!r} is {kind_of(known)} for {first} and {kind_of(column)} for {called}",
                    expected="variants that take a column as the same kind of value",
                )
    return {name: column for name, (column, _) in found.items()}


def kind_of(column: Column) -> Literal["number", "text"]:
    """What a segment may compare the column with."""
    return "number" if column.is_number else "text"
