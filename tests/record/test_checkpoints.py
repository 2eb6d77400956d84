import time
from pathlib import Path

from assay.record import open_store
from assay.record.checkpoints import Checkpoints
from assay.record.sqlstore import SqlStore
from assay.record.tracking.run_changes import create_run


def _write(store: SqlStore, first: int, count: int) -> None:
    for number in range(first, first + count):
        create_run(store, "0", name=str(number), tags={"k": "x" * 2000})


def _until_copied(store: SqlStore) -> None:
    database = Path(str(store.engine.url.database))
    before, deadline = database.stat().st_mtime_ns, time.monotonic() + 30
    while database.stat().st_mtime_ns == before:
        assert time.monotonic() < deadline, "the log is never copied"
        time.sleep(0.01)


def test_the_log_is_copied_when_nobody_writes(store: SqlStore) -> None:
    checkpoints = Checkpoints(store, every_s=0.05)
    _write(store, 0, 20)
    _until_copied(store)
    checkpoints.close()
    assert len(store.query("run")) == 20


def test_a_large_log_is_copied_while_others_write_and_begins_again(store: SqlStore) -> None:
    checkpoints = Checkpoints(store, large=200_000, every_s=0.01)
    log = Path(f"{store.engine.url.database}-wal")
    largest, written = 0, 20
    _write(store, 0, written)
    while log.stat().st_size >= largest:
        assert written < 10_000, "the log only grows"
        largest = log.stat().st_size
        _write(store, written, 20)
        written += 20
    checkpoints.close()
    assert largest > 200_000
    location = store.location
    store.close()
    again = open_store(location)
    assert len(again.query("run")) == written
    again.close()


def test_another_database_is_left_alone(postgres_store: SqlStore) -> None:
    checkpoints = Checkpoints(postgres_store)
    _write(postgres_store, 0, 3)
    checkpoints.close()
    assert len(postgres_store.query("run")) == 3
