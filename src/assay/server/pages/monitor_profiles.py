"""The profiles behind monitors: what a window looked like, and what it is compared with."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from assay.build.models.training_profile import training_profile_of
from assay.errors import InvalidInput, nearest
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT, Window
from assay.operate.monitors.profiles import loaded_profile, segments_key
from assay.operate.monitors.references import reference_profiles
from assay.operate.predictions.columns import empty_table
from assay.record.clock import moment
from assay.record.models.registry import version_by_id
from assay.record.store import Row, Store
from assay.server.pages.distributions import Pair, pair_of
from assay.stats.drift import TableProfile
from assay.stats.segment import OVERALL, Segment

__all__ = ["ThenAndNow", "then_and_now"]

_BEFORE = 30  # windows that are added up where the monitor compares with none


class ThenAndNow(NamedTuple):
    """A column in a segment, then and now; `columns` and `segments` are what else can be asked for."""

    pair: Pair
    then: str
    now: str
    column: str
    segment: str
    columns: list[str]
    segments: list[str]


def then_and_now(
    store: Store,
    monitor: Monitor,
    window: str,
    *,
    column: str | None,
    segment: str | None,
    rather: Sequence[str] = (),
) -> ThenAndNow | None:
    """The profile of a window beside the sum of those that it is compared with; None where one is missing.

    Where no column is asked for it is the first there is of `rather`. InvalidInput for a column or segment that the
    profiles do not have.
    """
    row = _row_of(store, monitor, window)
    if row is None:
        return None
    now = loaded_profile(store, row)
    found = _training(store, monitor) or _compared(store, monitor, row)
    if found is None:
        return None
    said, then = found
    columns = [name for name in now.columns if name in then.columns]
    if not columns:
        return None
    segments = {_named(one): one for one in now.segments if one in then.segments}
    first = next((name for name in rather if name in columns), None)
    chosen = _chosen(column or first, columns, "column")
    part = segments[_chosen(segment, list(segments), "segment")]
    pair = pair_of(then.column(chosen, part), now.column(chosen, part))
    return ThenAndNow(pair, said, window, chosen, _named(part), columns, list(segments))


def _named(segment: Segment) -> str:
    return OVERALL_SEGMENT if segment == OVERALL else segment.name


def _chosen(asked: str | None, known: list[str], what: str) -> str:
    if not asked:
        return known[0]
    if asked not in known:
        raise InvalidInput(f"there is no {what} {asked!r}", expected=", ".join(known), hint=nearest(asked, known))
    return asked


def _row_of(store: Store, monitor: Monitor, window: str) -> Row | None:
    """The profile of a window, parted as the monitor asks for where there is such a one."""
    where = {"endpoint": monitor.endpoint, "role": "window", "window": window}
    found = store.query("window_profile", where, order_by=["profile_id"])
    return min(found, key=lambda row: row["segments"] != segments_key(monitor), default=None)


def _training(store: Store, monitor: Monitor) -> tuple[str, TableProfile] | None:
    """What the training looked like, for a monitor that compares with it, where it was kept."""
    rows = store.query("model_version", {"mv_id": monitor.mv_id or monitor.version or ""})
    if monitor.definition.kind != "skew" or not rows:
        return None
    kept = training_profile_of(store, version_by_id(store, rows[0]["mv_id"]))
    return None if kept is None else (f"training of version {rows[0]['version']}", kept.whole)


def _compared(store: Store, monitor: Monitor, row: Row) -> tuple[str, TableProfile] | None:
    """The sum of the windows that the monitor compares with; where it has none, of those before this one."""
    started, ended = moment(row["started"]), moment(row["ended"])
    window = Window(row["window"], started, ended, ended, empty_table(), pa.nulls(0, pa.float64()))
    where = {"endpoint": monitor.endpoint, "role": "window", "segments": row["segments"], "ended <=": row["started"]}
    found = reference_profiles(store, monitor, window)
    found = found or store.query("window_profile", where, order_by=["-ended", "profile_id"], limit=_BEFORE)[::-1]
    if not found:
        return None
    said = f"{len(found)} windows from {found[0]['started'][:10]} on" if len(found) > 1 else found[0]["window"]
    return said, TableProfile.total_of([loaded_profile(store, one) for one in found])
