"""Which segments an evaluation looks at: columns, bins, expressions, their crosses, and slices to search for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from assay.errors import InvalidInput
from assay.prove.binning import binned, check_edges, needs_bins, round_edges
from assay.prove.expressions import Expression, evaluated
from assay.record import tables

__all__ = ["Segments", "segments_of"]

_MOST_VALUES = 1000  # of a segment column: beyond it, segments are names and not parts of the population


@dataclass(frozen=True, kw_only=True)
class Segments:
    """The segments of an evaluation: the values of the columns `by` and of `where`, crossed up to `cross`.

    Numeric columns of many values are put into bins: by `bins`, edges by column, such as {"distance": [500, 1000]}, or
    else into five of about equal size with round edges, chosen on the first dataset. `where` names segments by an
    expression: SQL text, an Arrow expression, or a function of the table that gives a value for each row.
    `find` slices are searched for among all of these on half of the units, and tested on the other half.
    """

    by: Sequence[str] = ()
    cross: int = 2
    find: int = 0
    bins: Mapping[str, Sequence[float]] = field(default_factory=dict)
    where: Mapping[str, Expression] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The columns of the profile."""
        return [*self.by, *self.where]

    def checked(self) -> "Segments":
        """The same; InvalidInput for bins of a column that is not named, wrong edges, and names that stand twice."""
        for name, edges in self.bins.items():
            if name not in self.by:
                raise InvalidInput(f"there are bins for {name!r}, which is no segment column", expected="one of by=")
            check_edges(edges, name)
        if len(set(self.names)) < len(self.names):
            raise InvalidInput("two segment columns have the same name", expected="different names in by and where")
        return self

    def with_bins_of(self, table: pa.Table, *, all_rows: bool) -> "Segments":
        """The same with edges for every numeric column that needs them, from the rows of `table`.

        InvalidInput where these are not `all_rows`: edges must not depend on which rows come first.
        """
        found = dict(self.bins)
        for name in self.by:
            if name in found or not needs_bins(table.column(name)):
                continue
            found[name] = round_edges(table.column(name))
            if not all_rows:
                raise InvalidInput(
                    f"the segment column {name!r} has many numbers, and these rows are read in parts",
                    expected="edges for it",
                    hint=f"Segments(bins={{{name!r}: {found[name]}}})",
                )
        return replace(self, bins=found)

    def columns(self, table: pa.Table, where: str) -> dict[str, pa.ChunkedArray]:
        """Each row's value of every segment column, as text with one dictionary, null as the word `missing`.

        InvalidInput for a column of more than 1,000 values, and as for expressions.
        """
        found = {}
        for name in self.by:
            edges = self.bins.get(name)
            column = table if edges is None else pa.table({name: binned(table.column(name), edges, name)})
            found[name] = tables.category_column(column, name)
        for name, expression in self.where.items():
            found[name] = tables.category_column(pa.table({name: evaluated(expression, table, name)}), name)
        for name, values in found.items():
            count = len(values.chunk(0).dictionary) if values.num_chunks else 0
            if count > _MOST_VALUES:
                raise InvalidInput(
                    f"the segment column {name!r} has {count:,} values",
                    where=where,
                    expected=f"at most {_MOST_VALUES:,}",
                    hint="group its values into a column of fewer",
                )
        return found


def segments_of(segments: Segments | Sequence[str]) -> Segments:
    """The same in full, where only columns were named."""
    return (segments if isinstance(segments, Segments) else Segments(by=list(segments))).checked()
