"""What is new in the sources of views, into their logs and from there online. Run twice it adds nothing.

Incremental by arrival, never by the times in the rows: late rows come too. In batches, so that memory does not grow
with the source; killed at any moment and run again it gives what it would have given at once.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import numpy as np

from assay.build.views.arriving.accepting import Acceptance
from assay.build.views.arriving.agreement import Agreement, agreement, record_agreement
from assay.build.views.arriving.applying import apply_log
from assay.build.views.arriving.source_log import Taken, gone_arrivals, take_source
from assay.build.views.declared.history import ARRIVAL
from assay.build.views.declared.moments import latest_us
from assay.build.views.declared.view import FeatureView
from assay.build.views.log.freshness import Freshness, freshness
from assay.build.views.log.log import last_about_source
from assay.build.views.log.log_rewriting import compact, take_out
from assay.build.views.online.store import Written, open_online
from assay.build.views.registry.registered import ViewVersion, find_view, view_of, view_versions
from assay.build.views.registry.source_rows import SourceRows
from assay.errors import Conflict, InvalidInput
from assay.operation import operation
from assay.record.store import Store

__all__ = ["Materialization", "Materialized", "materialize", "materialize_view"]

_PAUSE_S = 0.2
_TRIES = 100


class Materialization(msgspec.Struct, frozen=True):
    """What a run did, view by view; `failed` says by view what was wrong with those that could not be done."""

    views: list["Materialized"]
    failed: dict[str, str] = {}

    @property
    def sound(self) -> bool:
        """Whether all could be done, and online and offline agree wherever they were compared."""
        differ = any(one.agreement is not None and one.agreement.differing for one in self.views)
        return not differ and not self.failed


class Materialized(msgspec.Struct, frozen=True):
    """What a run did to a version of a view. `source` is what was new, `written` what became of it online.

    `gone` rows are logged and no longer in the source: they count until a rebuild leaves them out, which `left_out`
    counts. `agreement` compares online with offline; None where nothing was written or it was not asked for.
    """

    view: str
    source: Taken
    gone: int
    left_out: int
    written: Written
    agreement: Agreement | None
    fresh: Freshness
    seconds: float


@operation("features materialize", local=True)
def materialize(
    store: Store,
    views: list[str] | None = None,
    *,
    online: Annotated[str | None, "File, redis:// or postgresql:// of the online store, if not the usual one"] = None,
    rebuild: Annotated[bool, "Leave out what the sources no longer hold, and build the online table anew"] = False,
    sample: Annotated[int, "Entities for which online is compared with offline after something was written"] = 200,
) -> Materialization:
    """Bring what is new in the sources of views online: those named, as VIEW or VIEW@VERSION, or all of them.

    Rows are new if the source did not hold them the last time, however old they are. What has gone from a source is
    told and counts on, until `--rebuild` leaves it out. Killed and run again it goes on.

    Raises NotFound for an unknown view, InvalidInput for a source that cannot be read or breaks the view's checks; of
    several views the others are done, and the result says what failed.
    """
    named = [find_view(store, one) for one in views] if views else _newest(store)
    how: dict[str, Any] = {"online": online, "rebuild": rebuild, "sample": sample}
    done, failed = [], {}
    for one in named:
        try:
            done.append(materialize_view(store, one, view_of(one), **how))
        except InvalidInput as error:  # a source that is away, or rows that break a check, keep no other view back
            if len(named) == 1:
                raise
            failed[one.reference] = str(error)
    return Materialization(done, failed)


def materialize_view(
    store: Store,
    version: ViewVersion,
    view: FeatureView,
    *,
    online: str | None = None,
    rebuild: bool = False,
    sample: int = 200,
    now_us: Callable[[], int] | None = None,
) -> Materialized:
    """Do it for one version of a view. `now_us` tells the time, by default by the store's clock."""
    if sample < 0:
        raise InvalidInput(f"sample is {sample}", expected="0 or more")
    clock = now_us or (lambda: latest_us(store.clock))
    started = time.perf_counter()
    opened = open_online(store, online)
    try:
        table = opened.table(version)
        try:
            taken = _taken(store, version, view, clock)
        except InvalidInput:
            apply_log(store, version, table, clock)  # the batches before the one that is refused have come
            raise
        left_out = _left_out(store, version, clock()) if rebuild else 0
        written = apply_log(store, version, table, clock)
        found = None
        if sample and (written.applied or written.waiting or rebuild):
            found = agreement(store, version, view, table, clock(), sample)
            record_agreement(store, version, found)
    finally:
        opened.close()
    compact(store, version)
    return Materialized(
        version.reference,
        taken,
        len(gone_arrivals(store, version)),
        left_out,
        written,
        found,
        freshness(store, version, clock()),
        time.perf_counter() - started,
    )


def _taken(store: Store, version: ViewVersion, view: FeatureView, clock: Callable[[], int]) -> Taken:
    """Where another process logs the same source, what it leaves is taken."""
    for _ in range(_TRIES):
        known = last_about_source(store, version)
        acceptance = Acceptance(store, version, view)
        try:
            found = take_source(store, version, SourceRows(view, store), clock, acceptance.accept)
        except Conflict:
            if last_about_source(store, version) == known:
                raise
            time.sleep(_PAUSE_S)
            continue
        acceptance.record()
        return found
    raise Conflict(f"others log the source of {version.reference} without a pause", hint="run it again")


def _left_out(store: Store, version: ViewVersion, now_us: int) -> int:
    gone = gone_arrivals(store, version)
    count, _ = take_out(store, version, lambda rows: np.isin(rows[ARRIVAL].to_numpy(), gone), "rebuilt", now_us)
    return count


def _newest(store: Store) -> list[ViewVersion]:
    found = {version.name: version for version in reversed(view_versions(store))}
    if not found:
        raise InvalidInput("no feature view is registered", hint="`assay features register FILE.py` registers views")
    return list(found.values())
