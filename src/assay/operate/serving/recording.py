"""From what a variant said to the rows of the log."""

import time
from collections.abc import Sequence
from typing import Literal

from assay.operate.predictions.prediction import LookedUp, Prediction
from assay.operate.routing.assignment import Assigned
from assay.operate.routing.table import RoutingTable
from assay.operate.serving.predicting import Outputs, Predicting, Rows
from assay.record.clock import from_us

__all__ = ["Part", "TextClock", "Work"]

_NOTHING = Outputs([], None)


class Part:
    """What one variant said to some rows of a request: those at `places`, as the model took them. `failure` is None
    unless it failed; then there are no outputs.
    """

    __slots__ = ("failure", "looked_up", "model_ns", "outputs", "places", "predicting", "rows")

    def __init__(self, predicting: Predicting, places: Sequence[int], rows: Rows) -> None:
        self.predicting = predicting
        self.places = places
        self.rows = rows
        self.looked_up: list[LookedUp] = []
        self.outputs = _NOTHING
        self.failure: str | None = None
        self.model_ns = 0

    def key(self, role: str) -> tuple[str, str, int, str, str]:
        """Under what it is counted."""
        version = self.predicting.version
        return self.predicting.name, version.model, version.version, role, "error" if self.failure else "ok"


class Work:
    """A request as the log sees it: who asked for what, and when."""

    __slots__ = ("assigned", "event_ts", "flags", "ids", "request_id", "table", "ts", "units")

    def __init__(
        self,
        table: RoutingTable,
        assigned: list[Assigned],
        ids: list[str],
        units: list[str | None],
        event_ts: str | None,
        request_id: str,
        ts: str,
        flags: list[dict[str, str] | None] | None = None,
    ) -> None:
        self.table = table
        self.assigned = assigned
        self.ids = ids
        self.units = units
        self.event_ts = event_ts
        self.request_id = request_id
        self.ts = ts
        self.flags = flags

    def records(self, part: Part, role: Literal["live", "shadow"], latency_us: int) -> list[Prediction]:
        """The rows of the log for what a variant said. A shadow sees every request, whoever answered it."""
        table, predicting = self.table, part.predicting
        version, split, outputs = predicting.version, table.split, part.outputs
        is_live = role == "live"
        records = []
        for position, place in enumerate(part.places):
            one = self.assigned[place]
            records.append(
                Prediction(  # by position: with 28 names it takes ten times as long, as long as writing it
                    self.ids[place],
                    self.ts,
                    self.event_ts,
                    self.request_id,
                    place,
                    table.endpoint,
                    version.model,
                    version.version,
                    version.mv_id,
                    role,
                    self.units[place],
                    one.propensity if is_live else 1.0,
                    part.rows[position],
                    None if part.failure else outputs.numbers[position],
                    "error" if part.failure else "ok",
                    part.failure,
                    latency_us,
                    part.looked_up[position] if part.looked_up else None,
                    predicting.name,
                    table.revision,
                    one.reason if is_live else "only",
                    split.experiment if split else None,
                    split.phase if split else None,
                    split.salt if split else None,
                    split.hash_version if split else None,
                    one.bucket,
                    outputs.scores[position] if outputs.scores else None,
                    self.flags[place] if self.flags else None,
                )
            )
        return records


class TextClock:
    """The wall clock in the text form of `record.clock`; what stays the same for a second is written once."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def now(self) -> str:
        """The time now."""
        second, microsecond = divmod(time.time_ns() // 1000, 1_000_000)
        if second != self._second:
            self._second, self._text = second, from_us(second * 1_000_000)[:-7]
        return f"{self._text}{microsecond:06d}Z"
