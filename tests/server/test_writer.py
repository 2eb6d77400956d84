import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from assay.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from assay.record.sqlstore import SqlStore
from assay.record.store import Store
from assay.record.tracking import run_changes
from assay.record.tracking.log_many import Logged
from assay.record.tracking.metrics import history, latest, points_of
from assay.server.writer import Writer


@pytest.fixture
def writer(either_store: SqlStore) -> Iterator[Writer]:
    found = Writer(either_store)
    yield found
    found.close()


def _tag(run_id: str, value: str) -> Any:
    return lambda store: run_changes.log(store, run_id, tags={"t": value})


def _together(writer: Writer, *pieces: Any) -> list[Any]:
    """Results or errors of pieces that wait beside each other."""

    async def run() -> list[Any]:
        blocked = threading.Event()
        first = asyncio.ensure_future(writer.do(lambda _: blocked.wait(10)))
        await asyncio.sleep(0.05)
        waiting = [asyncio.ensure_future(writer.do(piece)) for piece in pieces]
        await asyncio.sleep(0.05)
        blocked.set()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(run())


def test_a_piece_that_is_refused_does_not_hurt_the_others(writer: Writer, either_store: SqlStore) -> None:
    run_id = run_changes.create_run(either_store, "0", name="r")

    def half(store: Store) -> None:
        run_changes.log(store, run_id, tags={"half": "x"})
        raise InvalidInput("no")

    def bug(_: Store) -> None:
        raise ZeroDivisionError

    results = _together(writer, _tag(run_id, "one"), half, bug, lambda _: 42)
    assert results[0] is None
    assert isinstance(results[1], InvalidInput)
    assert isinstance(results[2], ZeroDivisionError)
    assert results[3] == 42
    tags = {row["key"]: row["value"] for row in either_store.query("run_tag", {"run_id": run_id})}
    assert (tags["t"], "half" in tags) == ("one", False)


def test_points_of_many_runs_are_kept_together(writer: Writer, either_store: SqlStore) -> None:
    run_ids = [run_changes.create_run(either_store, "0", name=f"r{n}") for n in range(3)]
    run_changes.update_run(either_store, run_ids[1], status="finished")
    run_changes.delete_run(either_store, run_ids[2])
    points = {"m": points_of([(1, 1, 0.5)])}
    results = _together(
        writer,
        Logged(run_ids[0], points, "mark"),
        Logged(run_ids[0], {"m": points_of([(2, 2, 0.25), (1, 1, 0.5)]), "n": points_of([(0, 0, np.nan)])}, "mark"),
        Logged(run_ids[1], points, "mark"),
        Logged(run_ids[1], points, "refuse"),
        Logged(run_ids[2], points, "mark"),
        Logged("nope", points, "mark"),
        Logged(run_ids[0], {"m": points_of([(1, -1, 0.5)])}, "mark"),
        _tag(run_ids[0], "after"),
    )
    assert results[:3] == [None, None, None]
    assert [type(result) for result in results[3:7]] == [Conflict, InvalidInput, NotFound, InvalidInput]
    assert history(either_store, run_ids[0], "m").value.tolist() == [0.5, 0.25]
    assert latest(either_store, [run_ids[0]])[run_ids[0]]["m"].count == 2
    assert len(history(either_store, run_ids[1], "m")) == 0
    assert history(either_store, run_ids[1], "m", late=True).value.tolist() == [0.5]


def test_a_store_that_fails_is_told_to_all_who_wait_and_nothing_is_kept(writer: Writer, either_store: SqlStore) -> None:
    run_id = run_changes.create_run(either_store, "0", name="r")

    def fail(_: Store) -> None:
        raise StoreUnavailable("the disk is full")

    results = _together(writer, _tag(run_id, "one"), fail, _tag(run_id, "two"))
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert not either_store.query("run_tag", {"run_id": run_id, "key": "t"})
    assert _together(writer, _tag(run_id, "three")) == [None]


def test_pieces_that_fail_together_are_done_one_by_one(writer: Writer, either_store: SqlStore) -> None:
    run_ids = [run_changes.create_run(either_store, "0", name=f"r{n}") for n in range(2)]
    poison = {"a\x00b" if either_store.backend == "postgresql" else "\ud800": points_of([(1, 1, 0.5)])}
    results = _together(writer, Logged(run_ids[0], {"m": points_of([(1, 1, 0.5)])}), Logged(run_ids[1], poison))
    assert results[0] is None
    assert isinstance(results[1], Exception)
    assert history(either_store, run_ids[0], "m").value.tolist() == [0.5]


def test_what_waits_is_done_before_the_end(either_store: SqlStore) -> None:
    run_id = run_changes.create_run(either_store, "0", name="r")
    writer = Writer(either_store)

    async def run() -> None:
        waiting = [asyncio.ensure_future(writer.do(_tag(run_id, str(n)))) for n in range(50)]
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, writer.close)
        await asyncio.gather(*waiting)

    asyncio.run(run())
    assert either_store.get("run_tag", {"run_id": run_id, "key": "t"})["value"] == "49"
