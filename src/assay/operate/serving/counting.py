"""What one worker has answered: counters and histograms of latency, cheap enough to stand in every request."""

import contextlib
import os
import time
from bisect import bisect_left
from pathlib import Path

import msgspec

from assay.build.models.served_model import FormCounts

__all__ = ["BOUNDS_S", "Counted", "Counting", "Series", "SharedCounts", "summed"]

# Upper bounds of the latency histogram in seconds; what took longer is in the last bucket.
BOUNDS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BOUNDS_NS = tuple(round(bound * 1e9) for bound in BOUNDS_S)


class Series(msgspec.Struct):
    """Requests to one variant in one role with one status (`ok` or `error`).

    `requests` and `rows` count; `total_ns` is from the last byte of each request to the end of its predictions,
    `model_ns` the part of it in the queue and in the model. `buckets` has one count for each of
    `BOUNDS_S`, and one for what took longer. `last_ms` is when the last request was answered, since 1970.
    """

    variant: str
    model: str
    version: int
    role: str
    status: str
    requests: int = 0
    rows: int = 0
    total_ns: int = 0
    model_ns: int = 0
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    last_ms: int = 0


class Counted(msgspec.Struct):
    """All counts of a worker, or of several together.

    `answers` are HTTP answers by status. `refused` counts requests that were turned away for the load,
    `shadow_rows_lost` rows that a shadow did not see for it. `reasons` counts rows by why they had their variant,
    `signature` values that broke the signature, by column, kind and what was done, with tabs between them. Rows were
    given to the log, written there, or lost; `waiting_rows` wait for a slow model. `forms` are the compiled forms of
    versions. Rows of the log were compacted, or
    went because they were too old; `log_keeping_failures` counts how often neither could be done.
    """

    series: list[Series] = msgspec.field(default_factory=list)
    answers: dict[str, int] = msgspec.field(default_factory=dict)
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    signature: dict[str, int] = msgspec.field(default_factory=dict)
    refused: int = 0
    shadow_rows_lost: int = 0
    log_accepted: int = 0
    log_written: int = 0
    log_lost: int = 0
    waiting_rows: int = 0
    forms: list[FormCounts] = msgspec.field(default_factory=list)
    log_compacted_rows: int = 0
    log_pruned_rows: int = 0
    log_keeping_failures: int = 0


class Counting:
    """Counts for one worker; for one thread."""

    def __init__(self) -> None:
        self.counted = Counted()
        self._series: dict[tuple[str, str, int, str, str], Series] = {}

    def add(
        self,
        key: tuple[str, str, int, str, str],
        rows: int,
        total_ns: int,
        model_ns: int,
    ) -> None:
        """A request: `key` is variant, model, version, role and status."""
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series(*key)
            self.counted.series.append(series)
        series.requests += 1
        series.rows += rows
        series.total_ns += total_ns
        series.model_ns += model_ns
        series.buckets[bisect_left(_BOUNDS_NS, total_ns)] += 1
        series.last_ms = time.time_ns() // 1_000_000

    def answered(self, status: int) -> None:
        """An HTTP answer."""
        self._more(self.counted.answers, str(status), 1)

    def turned_away(self) -> None:
        """A request that was answered 503 before it was read, because too many waited."""
        self.counted.refused += 1
        self.answered(503)

    def signature(self, column: str, kind: str, action: str, values: int) -> None:
        """Values that broke the signature and what became of them."""
        self._more(self.counted.signature, f"{column}\t{kind}\t{action}", values)

    def reason(self, reason: str, rows: int) -> None:
        """Rows that had their variant for this reason."""
        self._more(self.counted.reasons, reason, rows)

    @staticmethod
    def _more(counts: dict[str, int], key: str, number: int) -> None:
        counts[key] = counts.get(key, 0) + number


def summed(parts: list[Counted]) -> Counted:
    """The counts of several workers together."""
    total = Counted()
    series: dict[tuple[str, str, int, str, str], Series] = {}
    forms: dict[tuple[str, int], FormCounts] = {}
    for part in parts:
        for one in part.series:
            key = (one.variant, one.model, one.version, one.role, one.status)
            known = series.setdefault(key, Series(*key))
            known.requests += one.requests
            known.rows += one.rows
            known.total_ns += one.total_ns
            known.model_ns += one.model_ns
            known.last_ms = max(known.last_ms, one.last_ms)
            known.buckets = [a + b for a, b in zip(known.buckets, one.buckets, strict=True)]
        for form in part.forms:
            whole_form = forms.setdefault((form.model, form.version), FormCounts(form.model, form.version))
            whole_form.answered += form.answered
            whole_form.fallbacks += form.fallbacks
            whole_form.compared += form.compared
            whole_form.differences += form.differences
        for whole, own in (
            (total.answers, part.answers),
            (total.reasons, part.reasons),
            (total.signature, part.signature),
        ):
            for name, count in own.items():
                whole[name] = whole.get(name, 0) + count
        total.refused += part.refused
        total.shadow_rows_lost += part.shadow_rows_lost
        total.log_accepted += part.log_accepted
        total.log_written += part.log_written
        total.log_lost += part.log_lost
        total.waiting_rows += part.waiting_rows
        total.log_compacted_rows += part.log_compacted_rows
        total.log_pruned_rows += part.log_pruned_rows
        total.log_keeping_failures += part.log_keeping_failures
    total.series, total.forms = list(series.values()), list(forms.values())
    return total


class SharedCounts:
    """The counts of all workers of a server, each in a file of its own in `folder`; None for a server of one process.

    Those of a worker that has died stay, so no counter goes back. `name` is that of the file, by default the process
    id.
    """

    def __init__(self, folder: Path | None, *, name: str = "") -> None:
        self._folder = folder
        self._own = folder / f"{name or os.getpid()}.json" if folder else None

    def keep(self, counted: Counted) -> None:
        """Let the other workers know; call it now and then."""
        if self._own is not None:
            new = self._own.with_suffix(".new")
            with contextlib.suppress(OSError):  # a full disk keeps nobody from being answered
                new.write_bytes(msgspec.json.encode(counted))
                new.replace(self._own)

    def whole(self, counted: Counted) -> Counted:
        """The counts of all workers, of others as they were at most a second ago."""
        if self._folder is None or self._own is None:
            return counted
        others = [file for file in self._folder.glob("*.json") if file != self._own]
        return summed([counted, *(msgspec.json.decode(file.read_bytes(), type=Counted) for file in others)])
