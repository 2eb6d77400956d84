"""Segments: parts of the rows by attribute values."""

import msgspec

__all__ = ["OVERALL", "Segment"]


class Segment(msgspec.Struct, frozen=True, order=True):
    """The rows with all of `conditions`, ((column, value), ...); no condition means all rows.

    Equal and ordered by its conditions, in the order they are given.
    """

    conditions: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """ "overall", "origin=JFK" or "origin=JFK & carrier=B6": for people, not for parsing."""
        return " & ".join(f"{column}={value}" for column, value in self.conditions) or "overall"


OVERALL = Segment()
