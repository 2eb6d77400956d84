"""Times inside the join: whole microseconds since 1970 in UTC, whatever zone and unit a column has."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import column
from assay.build.data.split_times import is_time
from assay.errors import InvalidInput
from assay.record.clock import Clock, iso

__all__ = ["as_microseconds", "latest_us", "moment_text"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def latest_us(clock: Clock) -> int:
    """The moment up to which things are known, in microseconds."""
    return (clock.latest() - _EPOCH) // timedelta(microseconds=1)


def as_microseconds(table: pa.Table, name: str, of: str) -> pa.ChunkedArray:
    """A column of times as int64 microseconds, null where there is none.

    Times without a zone are UTC, dates are midnight UTC, nanoseconds are rounded down. InvalidInput for other columns.
    """
    values = column(table, name)
    kind = values.type
    if pa.types.is_null(kind):
        return values.cast(pa.int64())
    if not is_time(kind):
        raise InvalidInput(
            f"the time {name!r} of {of} is of type {kind}",
            expected="timestamps or dates",
            hint=f"cast it, as in pc.cast(table[{name!r}], pa.timestamp('us', 'UTC'))",
        )
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return _floor_thousandth(values.cast(pa.int64()))
    zone = getattr(kind, "tz", None)
    try:
        return values.cast(pa.timestamp("us", zone)).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"the time {name!r} of {of}: {error}", expected="years from -290000 to 290000") from error


def moment_text(microseconds: int) -> str:
    """A moment as ISO 8601 in UTC; years that dates do not have as microseconds since 1970."""
    try:
        return iso(_EPOCH + timedelta(microseconds=microseconds))
    except OverflowError:
        return f"{microseconds:,} microseconds after 1970"


def _floor_thousandth(whole: pa.ChunkedArray) -> pa.ChunkedArray:
    """Division of Arrow's integers goes towards zero, which before 1970 is up."""
    toward_zero = pc.divide(whole, 1000)
    went_up = pc.greater(pc.multiply(toward_zero, 1000), whole)
    return pc.subtract(toward_zero, went_up.cast(pa.int64()))
