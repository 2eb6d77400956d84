"""What is usual of a table: the reference, and the bound of every column, segment and measure, learned once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from assay.errors import InvalidInput
from assay.stats.drift.bounds import ALPHA, Bound, learn_bounds
from assay.stats.drift.distances import measures_of
from assay.stats.drift.table_profile import Kind, TableProfile
from assay.stats.segment import OVERALL, Segment

__all__ = ["DEFAULT_MEASURES", "Baseline"]

DEFAULT_MEASURES: dict[Kind, tuple[str, ...]] = {
    "number": ("ks", "mean", "missing"),
    "category": ("js", "new", "missing"),
    "boolean": ("linf", "missing"),
    "time": ("missing",),  # times go on by themselves
}

_FORMAT = 1


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    reference: bytes
    bounds: list[tuple[str, tuple[tuple[str, str], ...], Bound]]


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """The `reference` that current windows are compared with, the sum of the windows that it was learned from, and the
    `bounds` by column, segment and measure, in the order in which verdicts come.
    """

    reference: TableProfile
    bounds: dict[tuple[str, Segment, str], Bound]

    @classmethod
    def learn(
        cls,
        windows: Sequence[TableProfile],
        *,
        measures: Mapping[str, Sequence[str]] | None = None,
        alpha: float = ALPHA,
        blocks: Sequence[TableProfile] = (),
        seed: int = 0,
    ) -> "Baseline":
        """From profiles of reference windows of equal length, in any order; ten or more are advised, six calibrate.

        `measures` by name of column, for those that differ from `DEFAULT_MEASURES` of their kind; none leaves a column
        out. `blocks`, parts of the reference in order of time, calibrate where there are few windows
        (`bounds.learn_bounds`). A segment is calibrated from the windows in which it has rows.

        InvalidInput for no window, windows that differ in their columns, and measures that are not for a column.
        """
        reference = TableProfile.total_of(windows)
        chosen = {
            name: tuple((measures or {}).get(name, DEFAULT_MEASURES[kind])) for name, kind in reference.kinds.items()
        }
        for name in measures or {}:
            reference.column(name)
        for name, own in chosen.items():
            known = measures_of(reference.kinds[name])
            wrong = [measure for measure in own if measure not in known]
            if wrong:
                raise InvalidInput(
                    f"{wrong[0]!r} does not measure column {name!r}, which is of kind {reference.kinds[name]!r}",
                    expected=", ".join(known),
                )
        bounds: dict[tuple[str, Segment, str], Bound] = {}
        for segment in reference.segments:
            for name, own in chosen.items():
                held, parts = (
                    [one for part in some if (one := part.columns[name].get(segment)) is not None]
                    for some in (windows, blocks)
                )
                found = learn_bounds(own, held, alpha=alpha, blocks=parts, seed=seed)
                bounds |= {(name, segment, measure): found[measure] for measure in own}
        return cls(reference, bounds)

    @property
    def columns(self) -> list[str]:
        """The columns that are judged, in the order of the reference."""
        judged = {name for name, _, _ in self.bounds}
        return [name for name in self.reference.columns if name in judged]

    def bound(self, column: str, measure: str, segment: Segment = OVERALL) -> Bound | None:
        """One bound; None where that is not judged."""
        return self.bounds.get((column, segment, measure))

    def to_bytes(self) -> bytes:
        """Compact; the inverse is `from_bytes`."""
        bounds = [(name, segment.conditions, bound) for (name, segment, _), bound in self.bounds.items()]
        return msgspec.msgpack.encode(_Stored(format=_FORMAT, reference=self.reference.to_bytes(), bounds=bounds))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Baseline":
        """The baseline of bytes; InvalidInput for bytes that are none of this format."""
        try:
            stored = msgspec.msgpack.decode(data, type=_Stored)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"these bytes are not a baseline: {error}", hint="learn it again") from error
        if stored.format != _FORMAT:
            raise InvalidInput(
                f"the baseline is in format {stored.format}", expected=f"format {_FORMAT}", hint="learn it again"
            )
        bounds = {(name, Segment(conditions), bound.measure): bound for name, conditions, bound in stored.bounds}
        return cls(TableProfile.from_bytes(stored.reference), bounds)
