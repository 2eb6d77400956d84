"""What is gathered is in the store when the run has ended, whoever writes it."""

import threading
import time
from typing import Any

import pytest

import assay
from assay.build.steps.step_record import StepRecord, record_of
from assay.errors import StoreUnavailable
from assay.record.sqlstore import SqlStore


@assay.step
def same(x: int) -> int:
    return x


def test_a_run_does_not_end_before_another_thread_has_written_its_steps(
    either_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = StepRecord._put
    slow = threading.Event()

    def slowly(record: StepRecord, rows: Any, over: Any) -> None:
        if threading.current_thread().name == "assay-steps" and rows:
            slow.set()
            time.sleep(0.3)
        put(record, rows, over)

    monkeypatch.setattr(StepRecord, "_put", slowly)
    for _ in range(2):
        with assay.start_run(either_store, "e") as run:
            assert [same(1) for _ in range(5)] == [1] * 5
            slow.wait(0.5)
        assert len(either_store.query("step", {"run_id": run.run_id})) == 5
    assert slow.is_set()


def test_remembered_steps_are_in_the_store_within_a_moment_and_while_the_run_goes_on(store: SqlStore) -> None:
    same(1)
    with assay.start_run(store, "e") as run:
        same(1)
        same(1)
        until = time.monotonic() + 10
        while len(store.query("step", {"run_id": run.run_id})) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert len(store.query("step", {"run_id": run.run_id})) == 2


def test_what_a_store_does_not_take_is_kept_for_the_next_time(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*given: object) -> None:
        raise StoreUnavailable("away")

    with assay.start_run(store, "e") as run:
        same(1)
        record = record_of(store)
        with monkeypatch.context() as patch:
            patch.setattr(StepRecord, "_put", away)
            same(1)
            with pytest.raises(StoreUnavailable):
                record.flush()
    assert [row["state"] for row in store.query("step", {"run_id": run.run_id}, order_by=["started"])] == [
        "done",
        "cached",
    ]
