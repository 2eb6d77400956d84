"""Who works at what a row stands for: a lease in two of its columns, taken over from one that has died when it is over.

Leases compare wall clocks of machines, which must agree to within a few seconds.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from assay.errors import Conflict
from assay.record.clock import iso
from assay.record.store import Row, Store

__all__ = ["take_lease"]


def take_lease(
    store: Store,
    kind: str,
    key: Mapping[str, object],
    row: Row,
    holder: str,
    length: timedelta,
    *,
    now: datetime | None = None,
    columns: tuple[str, str] = ("lease", "lease_until"),
    besides: Mapping[str, object] | None = None,
) -> bool:
    """Whether `holder` has the lease of the row, which was just read: it keeps it for `length`, or takes it.

    False where another has it. One that has more than half of its length left is not written again. `columns` hold who
    has it and until when; what is in `besides` is written with them.
    """
    who, until = columns
    moment = now or store.clock.now()
    if row[who] not in (None, holder) and row[until] > iso(moment):
        return False
    if row[who] == holder and row[until] >= iso(moment + length / 2):
        return True
    taken = {who: holder, until: iso(moment + length), **(besides or {})}
    try:
        store.amend(kind, key, taken, expect={who: row[who], until: row[until]})
    except Conflict:
        return False
    return True
