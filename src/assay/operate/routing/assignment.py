"""Which variant a unit has, and why.

Two hashes say it: one of "{salt}:in" whether the unit takes part at all, one of the salt which variant it has. So a
growing coverage takes units in and moves none.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from assay.errors import InvalidInput, nearest
from assay.operate.predictions.prediction import Reason
from assay.operate.routing.hashing import bounds, hasher, part_bound
from assay.operate.routing.segments import Segment, segment_of
from assay.record.models.routes import FULL_COVERAGE, Route, Split, Variant

__all__ = ["TAKES_PART", "Assigned", "Assigner", "assigner", "propensities"]

TAKES_PART = ":in"  # behind the salt in the hash that says who takes part


class Assigned(NamedTuple):
    """A unit's variant as a position among those of the route, and what the log keeps of how it came about.

    `propensity` is the probability, over units that the split is for, of being answered by this variant.
    """

    variant: int
    reason: Reason
    bucket: int | None
    propensity: float


class Assigner:
    """Assigns units by one route; made once, asked for every row, from any thread.

    `columns` are those that the segment of the split looks at: rows need no others, and none where it is empty.
    """

    __slots__ = (
        "_bounds",
        "_bucket",
        "_holds",
        "_in_bound",
        "_in_bucket",
        "_is_whole",
        "_only",
        "_propensities",
        "columns",
        "names",
    )

    def __init__(self, variants: Sequence[Variant], split: Split | None, segment: Segment | None = None) -> None:
        """InvalidInput for weights that are too high and for an unknown hash."""
        self.names = tuple(variant.name for variant in variants)
        self.columns: tuple[str, ...] = segment.columns if segment else ()
        self._propensities = propensities(variants, split)
        self._holds = segment.holds if segment else None
        self._only = Assigned(0, "only", None, 1.0) if split is None else None
        if split is not None:
            self._bucket = hasher(split.hash_version, split.salt)
            self._bounds = bounds(split.hash_version, [variant.weight for variant in variants])
            self._in_bucket = hasher(split.hash_version, split.salt + TAKES_PART)
            # with all weights 0 nobody has a variant, so nobody takes part
            covered = split.coverage if self._bounds[-1] else 0
            self._in_bound = part_bound(split.hash_version, covered, FULL_COVERAGE)
            self._is_whole = covered == FULL_COVERAGE

    def assign(self, unit: str, row: Mapping[str, object] | None = None, forced: str | None = None) -> Assigned:
        """The variant of a unit, or of a prediction's id where a row has none.

        `row` has values by column; one without a column of the segment is not in it. `forced` names a variant that
        answers whatever the split says; InvalidInput where there is none of that name.
        """
        if forced is not None:
            return self._forced(unit, forced)
        if self._only is not None:
            return self._only
        bucket = self._bucket(unit)
        if self._holds is not None and not self._holds(row or {}):
            return Assigned(0, "outside", bucket, 1.0)
        if not self._is_whole and self._in_bucket(unit) >= self._in_bound:
            return Assigned(0, "outside", bucket, self._propensities[0])
        variant = bisect_right(self._bounds, bucket)
        return Assigned(variant, "hash", bucket, self._propensities[variant])

    def fallback(self, assigned: Assigned) -> Assigned:
        """The champion in place of a variant that cannot answer the row."""
        return Assigned(0, "fallback", assigned.bucket, self._propensities[0])

    def _forced(self, unit: str, name: str) -> Assigned:
        if name not in self.names:
            close = nearest(name, [*self.names])
            raise InvalidInput(
                f"there is no variant {name!r}",
                expected=f"one of {', '.join(self.names)}",
                hint=f"did you mean {close!r}?" if close else None,
            )
        variant = self.names.index(name)
        bucket = None if self._only is not None else self._bucket(unit)
        return Assigned(variant, "forced", bucket, self._propensities[variant])


class _Table(Protocol):
    """What a table in memory brings along."""

    @property
    def assigner(self) -> Assigner: ...


def assigner(route: Route | _Table) -> Assigner:
    """What assigns the units of a route, or of a table that was made of one.

    InvalidInput for a segment or a hash that cannot be understood. A route knows no columns, so its segment may name
    any; that of a table is made with those of its models.
    """
    if not isinstance(route, Route):
        return route.assigner
    text = route.split.segment if route.split else None
    return Assigner(route.variants, route.split, segment_of(text) if text else None)


def propensities(variants: Sequence[Variant], split: Split | None) -> list[float]:
    """The probability of each variant for a unit that the split is for; the first one has also who takes no part.

    By the weights and the coverage: what the buckets of a scheme round is left out. Without a split the first variant
    answers all.
    """
    weights = [max(variant.weight, 0) for variant in variants]
    total = sum(weights)
    covered = split.coverage / FULL_COVERAGE if split and total else 0.0
    shares = [covered * weight / total if total else 0.0 for weight in weights]
    shares[0] += 1.0 - covered
    return shares
