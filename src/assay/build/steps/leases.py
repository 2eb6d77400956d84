"""Who computes a step now: a lease that its process renews, so that nobody computes the same at the same time.

A lease is over when its attempt has a row in the record, when nobody has renewed it in time, or when its process is
known to be dead: one of this machine that is no longer there. Renewing compares wall clocks of machines, which must
agree to within a few seconds.
"""

import functools
import os
from datetime import timedelta
from pathlib import Path

from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.store import Row, Store

__all__ = ["LEASE_S", "expiry", "is_dead", "lease_row", "place"]

LEASE_S = 30.0
_OWNER = [new_id()]
os.register_at_fork(after_in_child=lambda: _OWNER.__setitem__(0, new_id()))


def lease_row(store: Store, key: str, step_id: str, run_id: str, name: str) -> Row:
    """The lease of an attempt that begins now, in this process."""
    return {
        "key": key,
        "step_id": step_id,
        "run_id": run_id,
        "name": name,
        "owner": _OWNER[0],
        "place": place(),
        "pid": os.getpid(),
        "started": iso(store.clock.now()),
        "expires": expiry(store),
    }


def expiry(store: Store) -> str:
    """Until when a lease that is renewed now is good."""
    return iso(store.clock.now() + timedelta(seconds=LEASE_S))


def is_dead(lease: Row, now: str) -> bool:
    """Whether nobody can be at it any more: expired, or its process is gone."""
    if lease["expires"] < now:
        return True
    if lease["owner"] == _OWNER[0] or not lease["place"] or lease["place"] != place():
        return False
    return not Path(f"/proc/{lease['pid']}").exists() or _is_zombie(lease["pid"])


@functools.lru_cache(maxsize=1)
def place() -> str:
    """What tells processes that may look at each other: this boot of this machine, and the container; else nothing."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _is_zombie(pid: int) -> bool:
    """Killed, while its parent has not asked about it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except (OSError, IndexError):
        return False
