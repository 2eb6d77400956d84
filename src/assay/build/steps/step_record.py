"""What steps write into a store, and when.

An attempt that was computed is in the store before its result is given to anybody, in the order blob, then row. Rows
of results that were remembered say nothing that could not be said again: they are gathered, and written with the next
attempt, at the end of the run, or within 100 ms by a thread of the process, which also renews leases. A commit costs
about as much as everything else of a remembered step together.
"""

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from assay.build.steps import leases
from assay.errors import AssayError
from assay.record.canonical import digest_bytes
from assay.record.clock import iso
from assay.record.identity import ordered_id
from assay.record.store import Row, Sql, Store
from assay.record.tracking.runs import before_end, printable

__all__ = ["Attempt", "Found", "Held", "Keyed", "StepRecord", "record_of"]

_GATHER_S = 0.05
_SEEN_S = 30.0
_INLINE_LOG = 4096
_DONE = (
    "SELECT output, run_id, started FROM step WHERE key = :key AND state = 'done' "
    "ORDER BY started DESC, step_id DESC LIMIT 1"
)
_CLAIM = (
    "SELECT found.output, found.run_id, found.started AS found_started, lease.key, lease.step_id, lease.run_id, "
    "lease.name, lease.owner, lease.place, lease.pid, lease.started, lease.expires FROM (SELECT 1) AS one "
    "LEFT JOIN (SELECT output, run_id, started FROM step WHERE key = :key AND state = 'done' "
    "ORDER BY started DESC, step_id DESC LIMIT 1) AS found ON 1 = 1 LEFT JOIN lease ON lease.key = :key"
)
_LEASE_COLUMNS = ("key", "step_id", "run_id", "name", "owner", "place", "pid", "started", "expires")


@dataclass(frozen=True, slots=True)
class Keyed:
    """A call of a step by what decides its result: `components`, `code` and `inputs` are JSON.

    `components` names the code by its hash; many calls have the same.
    """

    name: str
    key: str
    components: str
    code: str
    inputs: str


@dataclass(frozen=True, slots=True)
class Found:
    """A result that is in the store, as JSON, and the run that computed it; `started` where its age counts."""

    output: str | None
    run_id: str
    started: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody computes it now."""

    run_id: str
    pid: int


class Attempt:
    """One row of the record: begins now, ends when it is recorded."""

    __slots__ = ("clock", "keyed", "number", "run_id", "started", "step_id")

    def __init__(self, keyed: Keyed, run_id: str, started: datetime, number: int | None = None) -> None:
        self.keyed = keyed
        self.run_id = run_id
        self.number = number
        self.step_id = ordered_id()
        self.started = started
        self.clock = time.perf_counter()

    def row(
        self,
        state: str,
        *,
        output: str | None = None,
        reason: str | None = None,
        exit: str | None = None,
        seconds: float | None = None,
        executor: str | None = None,
        worker: str | None = None,
        log: str = "",
        cpu_s: float | None = None,
        memory_mb: float | None = None,
    ) -> Row:
        """The row, ending now; `code` is no column, and is kept beside it."""
        took = time.perf_counter() - self.clock if seconds is None else seconds
        return {
            "step_id": self.step_id,
            "run_id": self.run_id,
            "name": self.keyed.name,
            "key": self.keyed.key,
            "components": self.keyed.components,
            "code": self.keyed.code,
            "state": state,
            "started": iso(self.started),
            "ended": iso(self.started + timedelta(seconds=took)),
            "seconds": took,
            "inputs": self.keyed.inputs,
            "output": output,
            "reason": printable(reason)[:500] if reason is not None else None,
            "attempt": self.number,
            "executor": executor,
            "worker": worker,
            "exit": exit,
            "log": log or None,
            "log_blob": None,
            "cpu_s": cpu_s,
            "memory_mb": memory_mb,
        }


class StepRecord:
    """Rows of the steps of one store. Safe to use from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = weakref.ref(store)
        self._lock = threading.Lock()  # never held while the store is asked
        self._gathered: list[Row] = []
        self._writing = 0  # threads that have taken what was gathered, and have not kept it yet
        self._known: set[str] = set()  # code that is in the store
        self._running: dict[str, str] = {}  # step_id -> key
        self._over: list[str] = []  # leases to be taken away when something is written
        self._runs: dict[str, float] = {}  # runs that go on -> when a sign of life was written

    @property
    def store(self) -> Store:
        """The store, which lives as long as anybody calls steps in it."""
        found = self._store()
        assert found is not None
        return found

    def begin(self, keyed: Keyed, run_id: str, number: int | None = None) -> Attempt:
        """An attempt that begins now."""
        return Attempt(keyed, run_id, self.store.clock.now(), number)

    def remembered(self, key: str) -> Found | None:
        """The latest result of that key."""
        rows = self.store.tuples(Sql(_DONE, {"key": key}))
        return Found(*rows[0]) if rows else None

    def claim(self, attempt: Attempt, *, anew: bool = False) -> Found | Held | None:
        """Take the right to compute; None where it is ours now. With `anew` a result that is there does not count.

        Whoever died at it is recorded as lost.
        """
        return self.settle([], [(attempt, anew)])[0]

    def end(self, attempt: Attempt, row: Row) -> None:
        """Write how an attempt ended. When this returns, it is kept, and its lease is over."""
        self.settle([(attempt, row)], [])

    def settle(
        self, ends: Sequence[tuple[Attempt, Row]], claims: Sequence[tuple[Attempt, bool]]
    ) -> list[Found | Held | None]:
        """Both for many, in one commit: what ended first, so that what it left is there for whoever claims."""
        with self.store.transaction(), self.store.unguarded():
            if ends:
                self._write([row for _, row in ends])
            answers = [self._answer(attempt, anew) for attempt, anew in claims]
            ours = [attempt for (attempt, _), answer in zip(claims, answers, strict=True) if answer is None]
            store = self.store
            store.put_many(
                "lease",
                [leases.lease_row(store, one.keyed.key, one.step_id, one.run_id, one.keyed.name) for one in ours],
            )
        with self._lock:
            for attempt, _ in ends:
                if self._running.pop(attempt.step_id, None) is not None:
                    self._over.append(attempt.step_id)
            self._running |= {one.step_id: one.keyed.key for one in ours}
        if ours:
            _keeper.watch(self)
        return answers

    def _answer(self, attempt: Attempt, anew: bool) -> Found | Held | None:
        """What stands against computing it now, inside the transaction of the claim."""
        store = self.store
        output, run_id, started, *held = store.tuples(Sql(_CLAIM, {"key": attempt.keyed.key}))[0]
        if run_id is not None and not anew:
            return Found(output, run_id, started)
        lease = dict(zip(_LEASE_COLUMNS, held, strict=True))
        if lease["key"] is None or store.query("step", {"step_id": lease["step_id"]}, limit=1):
            return None
        if not leases.is_dead(lease, iso(store.clock.now())):
            return Held(lease["run_id"], lease["pid"])
        self._write([_lost(lease, attempt)])
        return None

    def gather(self, row: Row) -> None:
        """Keep a row of a remembered result for the next time something is written."""
        with self._lock:
            self._gathered.append(row)
        _keeper.watch(self)

    def abandon(self, attempts: Sequence[Attempt]) -> None:
        """Give up leases of attempts that will not end: others may compute the same."""
        with self._lock:
            for attempt in attempts:
                if self._running.pop(attempt.step_id, None) is not None:
                    self._over.append(attempt.step_id)

    def flush(self) -> None:
        """Write what was gathered, and take away leases that are over."""
        if self._gathered or self._over or self._writing:
            self._write([], tidy=True)

    @contextlib.contextmanager
    def going_on(self, run_id: str) -> Iterator[None]:
        """Signs of life of a run are written while the block goes on."""
        with self._lock:
            self._runs[run_id] = time.monotonic()
        _keeper.watch(self)
        try:
            yield
        finally:
            with self._lock:
                self._runs.pop(run_id, None)

    @property
    def is_alive(self) -> bool:
        """Whether anybody still has the store."""
        return self._store() is not None

    @property
    def is_busy(self) -> bool:
        """Whether something is to be renewed."""
        return bool(self._running or self._runs)

    def renew(self) -> None:
        """Renew the leases of this process, and say that its runs go on."""
        store, now = self.store, time.monotonic()
        with self._lock:
            running = list(self._running)
            runs = [run_id for run_id, said in self._runs.items() if now - said >= _SEEN_S]
            self._runs |= dict.fromkeys(runs, now)
        if running:
            store.amend_all("lease", {"step_id in": running}, {"expires": leases.expiry(store)})
        if runs:
            store.amend_all("run", {"run_id in": runs, "status": "running"}, {"seen": iso(store.clock.now())})

    def forget(self) -> None:
        """After a fork: what was gathered is the parent's to write."""
        self._lock = threading.Lock()
        self._gathered, self._running, self._over, self._runs, self._writing = [], {}, [], {}, 0

    def _write(self, rows: list[Row], *, tidy: bool = False) -> None:
        """Write rows with what was gathered, which is taken only when nobody else can write any more.

        So whoever finds nothing gathered, but somebody writing, has only to wait for the right to write as well.
        """
        gathered: list[Row] = []
        over: list[str] = []
        taken = False
        try:
            with self.store.transaction(), self.store.unguarded():
                with self._lock:
                    gathered, self._gathered = self._gathered, []
                    if tidy or len(self._over) >= _MOST_OVER:
                        over, self._over = self._over, []
                    self._writing += 1
                    taken = True
                self._put([*gathered, *rows], over)
        except BaseException:
            with self._lock:
                self._gathered = gathered + self._gathered
                self._over += over
                self._known.clear()  # what was thought to be there may have been undone
            raise
        finally:
            if taken:
                with self._lock:
                    self._writing -= 1

    def _put(self, rows: list[Row], over: list[str]) -> None:
        store = self.store
        fresh = {row["code"] for row in rows} - self._known
        kept = [{name: row[name] for name in row if name != "code"} | _kept_log(store, row["log"]) for row in rows]
        if fresh:
            listed = [{"hash": digest_bytes(text.encode()), "detail": text} for text in fresh]
            store.append_many("step_code", listed, skip_existing=True)
        store.append_many("step", kept)
        if over:
            store.remove("lease", {"step_id in": over})
        self._known |= fresh


_MOST_OVER = 500


def _kept_log(store: Store, log: str | None) -> dict[str, str | None]:
    """A short text as it is, a longer one as a blob with its first lines beside it."""
    if log is None:
        return {}
    text = log.replace("\0", "").encode(errors="replace").decode()
    if len(text) <= _INLINE_LOG:
        return {"log": text}
    return {"log": None, "log_blob": store.blobs.put(text.encode())}


def _lost(lease: Row, attempt: Attempt) -> Row:
    """What is left to say about an attempt whose process died."""
    return {
        **attempt.row("failed", exit="lost", seconds=0.0),
        "step_id": lease["step_id"],
        "run_id": lease["run_id"],
        "started": lease["started"],
        "ended": lease["expires"],
        "attempt": None,
        "reason": f"lost: process {lease['pid']} ended before the step did",
    }


class _Keeper:
    """The thread of the process that writes what was gathered and renews leases."""

    def __init__(self) -> None:
        self.records: weakref.WeakSet[StepRecord] = weakref.WeakSet()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def watch(self, record: StepRecord) -> None:
        """See to that record soon."""
        self.records.add(record)
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._keep, name="assay-steps", daemon=True)
                    self._thread.start()

    def flush(self) -> None:
        """Write what was gathered for every store."""
        for record in self._alive():
            record.flush()

    def _alive(self) -> list[StepRecord]:
        return [record for record in list(self.records) if record.is_alive]

    def _keep(self) -> None:
        renewed = time.monotonic()
        while True:
            busy = any(record.is_busy for record in self._alive())
            self._wake.wait(leases.LEASE_S / 6 if busy else None)
            self._wake.clear()
            time.sleep(_GATHER_S)
            due = time.monotonic() - renewed >= leases.LEASE_S / 6
            for record in self._alive():
                with contextlib.suppress(AssayError):  # a store that is away is asked again
                    record.flush()
                    if due:
                        record.renew()
            renewed = time.monotonic() if due else renewed


_records: "weakref.WeakKeyDictionary[Store, StepRecord]" = weakref.WeakKeyDictionary()
_keeper = _Keeper()
_making = threading.Lock()


def record_of(store: Store) -> StepRecord:
    """The record of a store in this process."""
    found = _records.get(store)
    if found is None:
        with _making:
            found = _records.setdefault(store, StepRecord(store))
    return found


def _after_fork() -> None:
    global _keeper, _making
    for record in list(_records.values()):
        record.forget()
    _keeper, _making = _Keeper(), threading.Lock()


def _flush_all() -> None:
    _keeper.flush()


os.register_at_fork(after_in_child=_after_fork)
before_end(_flush_all)


@atexit.register
def _at_exit() -> None:
    with contextlib.suppress(AssayError):
        _keeper.flush()
