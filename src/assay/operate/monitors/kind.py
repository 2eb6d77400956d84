"""What every kind of monitor is given, and what it gives back. A kind looks at one window and says what it found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

import msgspec
import pyarrow as pa

from assay.operate.monitors.definition import Monitor
from assay.operate.predictions.columns import empty_table
from assay.record.store import Store

__all__ = ["OVERALL_SEGMENT", "CheckStatus", "Finding", "FindingState", "Kind", "Outcome", "Window"]

FindingState = Literal["ok", "watch", "drift", "uncalibrated", "no_data"]
CheckStatus = Literal["ok", "watch", "alarm", "uncalibrated", "no_data"]
OVERALL_SEGMENT = "all rows"


@dataclass(frozen=True, slots=True)
class Window:
    """The answered predictions of a window, as they were known at `as_of`.

    `rows` has the columns of the prediction log (`operate.predictions.columns`), live answers only, in order of their
    moment; `labels` [rows] is null where none was known, and all are where the kind does not mature. `failed` are the
    rows that no model could answer. `name` is the window's key in the record.
    """

    name: str
    started: datetime
    ended: datetime
    as_of: datetime
    rows: pa.Table
    labels: pa.Array
    failed: pa.Table = field(default_factory=empty_table)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one subject (a column, a metric) in one segment, such as `origin=JFK`.

    `value` is the measured distance, rate or metric, `expected` what chance alone or the reference gives, `bound` from
    where on it is too far; `low` and `high` an interval of the value; `p` adjusted for all that was looked at. `harm`
    ranks: how much it matters for what the model answers, 0 and more. `words` say it to a person. `raised` is what the
    window itself shows: `state` is "watch" until that came often enough (`persistence.settled`).
    """

    subject: str
    measure: str
    state: FindingState
    words: str
    segment: str = OVERALL_SEGMENT
    value: float | None = None
    expected: float | None = None
    bound: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    harm: float | None = None
    rows: int | None = None
    raised: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a check says of its window: the state, one figure for the time line, all findings, and a sentence."""

    status: CheckStatus
    value: float | None
    words: str
    findings: Sequence[Finding] = ()
    detail: dict[str, object] = {}


class Kind(Protocol):
    """A kind of monitor. `matures` says whether windows are looked at only once their labels are mature."""

    @property
    def matures(self) -> bool:
        """Whether windows wait for their labels."""
        ...

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:
        """Look at one window. `earlier` are the states of the monitor's windows before it, oldest first."""
        ...
