"""From the log into the online store: every row that has arrived, once or again, up to the end of the log.

The online table's mark says up to which arrival number all rows are in it, so whatever was interrupted is made up for
by whoever comes next. Where rows were taken out of the log, the table is built anew beside the one that is read.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pyarrow as pa

from assay.build.views.declared.history import ARRIVAL
from assay.build.views.log.log import log_end, log_epoch, logged_rows, no_rows
from assay.build.views.online.store import OnlineTable, Written
from assay.build.views.registry.registered import ViewVersion
from assay.progress import tell
from assay.record.store import Store

__all__ = ["apply_log", "apply_rows"]

_AT_ONCE = 65_536  # rows
_HELD = 1 << 26  # bytes of rows that may still count, before they are written


def apply_rows(
    store: Store, version: ViewVersion, table: OnlineTable, rows: pa.Table, now_us: Callable[[], int]
) -> Written:
    """Write rows that have just been logged, and what others have logged and not written, if there is such.

    Returns what became of these rows alone; where others wrote them meanwhile they count as older.
    """
    if not rows.num_rows:
        return Written()
    first, last = rows[ARRIVAL][0].as_py(), rows[ARRIVAL][-1].as_py()
    epoch = log_epoch(store, version)
    mark = table.mark()
    if (mark["arrival"], mark["epoch"]) == (first - 1, epoch) if mark is not None else (first, epoch) == (0, 0):
        return table.write(rows, now_us(), {"arrival": last, "epoch": epoch})
    written = table.write(rows, now_us())
    apply_log(store, version, table, now_us)
    return written


def apply_log(store: Store, version: ViewVersion, table: OnlineTable, now_us: Callable[[], int]) -> Written:
    """Write all that has arrived since the table's mark; returns what became of it."""
    written = Written()
    while True:
        epoch = log_epoch(store, version)
        mark = table.mark()
        if (mark["epoch"] if mark is not None else 0) == epoch:
            written = _sum(written, _applied(store, version, table, epoch, now_us))
        else:
            with table.rebuilt(partial(_is_of, epoch)) as fresh:
                written = _applied(store, version, fresh, epoch, now_us)
        if log_epoch(store, version) == epoch:
            return written


def _applied(store: Store, version: ViewVersion, table: OnlineTable, epoch: int, now_us: Callable[[], int]) -> Written:
    mark = table.mark()
    begin = mark["arrival"] if mark is not None else -1
    if mark is None:  # before any row, so that of each it can be told what it was made of
        table.write(no_rows(version), now_us(), {"arrival": begin, "epoch": epoch})
    end = log_end(store, version)
    written, seen, unusable, last = Written(), 0, 0, begin
    held = no_rows(version)
    for rows in logged_rows(store, version, after=begin):
        few, without_use = table.few(rows, now_us())
        held = pa.concat_tables([held, few])
        seen, unusable, last = seen + rows.num_rows, unusable + without_use, rows[ARRIVAL][-1].as_py()
        if held.nbytes > _HELD:
            held, _ = table.few(held, now_us())
            if held.nbytes > _HELD // 2:
                written = _sum(written, _written(table, held, now_us, {"arrival": last, "epoch": epoch}))
                held = held.slice(0, 0)
        tell("writing online", (last - begin) / max(1, end - begin), version.reference)
    if last > begin:
        held, _ = table.few(held, now_us())
        written = _sum(written, _written(table, held, now_us, {"arrival": last, "epoch": epoch}))
    older = seen - unusable - written.applied - written.waiting
    return Written(seen, written.applied, written.waiting, older, unusable)


def _written(table: OnlineTable, rows: pa.Table, now_us: Callable[[], int], mark: Mapping[str, Any]) -> Written:
    """Written in pieces, as the keys of each are in memory one by one; the mark comes with the last."""
    written = Written()
    for first in range(0, max(1, rows.num_rows), _AT_ONCE):
        is_last = first + _AT_ONCE >= rows.num_rows
        done = table.write(rows.slice(first, _AT_ONCE), now_us(), mark if is_last else None)
        written = _sum(written, done)
    return written


def _is_of(epoch: int, mark: Mapping[str, Any]) -> bool:
    return bool(mark["epoch"] == epoch)


def _sum(one: Written, other: Written) -> Written:
    return Written(*[getattr(one, name) + getattr(other, name) for name in Written.__struct_fields__])
