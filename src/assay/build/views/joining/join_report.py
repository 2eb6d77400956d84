"""What a join did, counted: which label rows found a value in each view, and what would look wrong to a careful reader.

The rules of the join are checked on every result, and one that is broken is an error.
"""

from collections.abc import Mapping

import msgspec
import numpy as np

from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.matching import EXPIRED, MISSING, NOTHING, NULL_KEY, PRESENT, Matched, Mode
from assay.build.views.matching.wanted import Wanted
from assay.errors import AssayError

__all__ = ["JoinReport", "ViewMatch", "check_rules", "view_match"]

_FOR_EVER = np.iinfo(np.int64).max
_FEW = 0.01  # of the rows that a view might match: fewer matches look like a fault of the history


class ViewMatch(msgspec.Struct, frozen=True):
    """Label rows by what a view gave them.

    `later` counts rows whose value was written after the label time (in event time, of views with a created column),
    `ties` rows for which created or the order of writing had to decide. `rate_before` is the share of present rows in
    the training set that was recorded last with this view. `in_event_time` is how many rows would match in event time,
    counted only where in knowledge time almost none did.
    """

    view: str
    rows: int
    present: int
    missing: int
    expired: int
    null_key: int
    ties: int
    later: int | None
    delay_us: int
    strict: bool
    ttl_us: int | None
    rate_before: float | None = None
    in_event_time: int | None = None

    @property
    def rate(self) -> float | None:
        """Share of rows that are present; None without rows."""
        return self.present / self.rows if self.rows else None

    @property
    def looks_like_a_backfill(self) -> bool:
        """Whether almost no row matches in knowledge time, and many would in event time."""
        return self.in_event_time is not None and self.present < _FEW * self.in_event_time

    @property
    def remarks(self) -> list[str]:
        """What to know about it, a sentence each."""
        said = []
        if self.later:
            said.append(
                f"{self.later:,} of {self.rows:,} rows use a value written after the label time"
                f' (as_of="known" takes what was known then)'
            )
        if self.looks_like_a_backfill:
            said.append(
                f"{self.present:,} of {self.rows:,} rows match in knowledge time, {self.in_event_time:,} in event time:"
                f' the history looks like a backfill; use as_of="event", or leave out `created` and declare `delay`'
            )
        if self.ties:
            said.append(f"for {self.ties:,} rows several have the same time: created or the order of writing decided")
        return said


class JoinReport(msgspec.Struct, frozen=True):
    """What a training set is made of: `as_of` and `time` as they were asked for, and each view."""

    as_of: str
    time: str
    rows: int
    views: list[ViewMatch]

    def __str__(self) -> str:
        lines = [f"{self.rows:,} rows as of {self.time} in {'event' if self.as_of == 'event' else 'knowledge'} time"]
        for one in self.views:
            counts = {"present": one.present, "missing": one.missing, "expired": one.expired, "null key": one.null_key}
            listed = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count or word == "present")
            lines.append(f"{one.view}: {listed}{_share(one)}")
            lines += [f"  {remark}" for remark in one.remarks]
        return "\n".join(lines)


def view_match(
    reference: str,
    view: FeatureView,
    mode: Mode,
    found: Matched,
    *,
    rate_before: float | None = None,
    in_event_time: int | None = None,
) -> ViewMatch:
    """The counts of one view."""
    counts = np.bincount(found.status, minlength=4).tolist()
    return ViewMatch(
        view=reference,
        rows=len(found.status),
        present=counts[PRESENT],
        missing=counts[MISSING],
        expired=counts[EXPIRED],
        null_key=counts[NULL_KEY],
        ties=found.ties,
        later=found.later if mode == "event" and view.created is not None else None,
        delay_us=view.delay_us,
        strict=view.strict,
        ttl_us=view.ttl_us,
        rate_before=rate_before,
        in_event_time=in_event_time,
    )


def check_rules(wanted: Wanted, found: Matched, view: FeatureView, mode: Mode) -> None:
    """AssayError where a result breaks a rule of the join: other rows, a value from the future or too old."""
    count = len(wanted.t)
    if not count == found.values.num_rows == len(found.status) == len(found.ts):
        raise _broken(view, f"gave {found.values.num_rows:,} rows for {count:,}")
    used = found.ts != NOTHING
    t, ts = wanted.t[used], found.ts[used]
    seen = ts + view.delay_us
    broken: Mapping[str, np.ndarray] = {
        "used a row without a key or a time": used & ~wanted.known,
        "used a row from the future": _at(used, seen >= t if view.strict else seen > t),
        "used a row older than its ttl": _at(used, t - ts > (_FOR_EVER if view.ttl_us is None else view.ttl_us)),
        "used a row that is not present": used & (found.status != PRESENT),
    }
    if mode == "known":
        created = found.created[used]
        late = (created >= t if view.strict else created > t) | (created == NOTHING)
        broken = {**broken, "used a row that was not known then": _at(used, late)}
    for what, rows in broken.items():
        if rows.any():
            raise _broken(
                view, f"{what} for {int(rows.sum()):,} label rows, the first of them row {int(rows.argmax())}"
            )


def _at(used: np.ndarray, broken: np.ndarray) -> np.ndarray:
    whole = np.zeros(len(used), bool)
    whole[np.flatnonzero(used)[broken]] = True
    return whole


def _broken(view: FeatureView, what: str) -> AssayError:
    return AssayError(
        f"the join with {view.name!r} {what}", hint="this is a fault of Assay; nothing was kept, please report it"
    )


def _share(one: ViewMatch) -> str:
    if one.rate is None:
        return ""
    before = f", {100 * one.rate_before:.1f} % last time" if one.rate_before is not None else ""
    return f" ({100 * one.rate:.1f} %{before})"
