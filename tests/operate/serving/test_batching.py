import asyncio
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
from tests.operate.serving.variant_helpers import Place, Slow, rows
from tests.operate.serving_helpers import add_version, predict

from assay.operate.serving.batching import Batches, Overloaded
from assay.operate.serving.engine import Answered, RequestError
from assay.operate.serving.predicting import ModelFailed, Outputs, Predicting
from assay.record.sqlstore import SqlStore


class Model:
    """Stands for a variant: notes how many rows each call has, and waits where it is told to."""

    name = "champion"

    def __init__(self, seconds: float = 0.01) -> None:
        self.seconds = seconds
        self.calls: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()

    def predict(self, rows: list[tuple[Any, ...]]) -> Outputs:
        self.calls.append(len(rows))
        self.may_go.wait(20)
        if ("bad",) in rows:
            raise ModelFailed("bad row")
        return Outputs([float(row[0]) for row in rows], None)


def _as_predicting(model: Model) -> Predicting:
    return cast(Predicting, model)


def test_what_waits_while_the_model_is_busy_is_answered_by_one_call() -> None:
    model = Model()

    async def run() -> list[Outputs]:
        batches = Batches()
        model.may_go.clear()
        first = asyncio.create_task(batches.predict(_as_predicting(model), [(0,)]))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(batches.predict(_as_predicting(model), [(n,), (n,)])) for n in range(1, 6)]
        await asyncio.sleep(0.05)
        assert batches.waiting_rows == 11
        model.may_go.set()
        found = await asyncio.gather(first, *others)
        assert batches.waiting_rows == 0
        batches.close()
        return list(found)

    found = asyncio.run(run())
    assert model.calls == [1, 10]
    assert [one.numbers for one in found] == [[0.0], *([float(n)] * 2 for n in range(1, 6))]


def test_a_row_that_the_model_cannot_bear_harms_no_other_request() -> None:
    model = Model()

    async def run() -> list[Outputs | BaseException]:
        batches = Batches()
        model.may_go.clear()
        tasks = [asyncio.create_task(batches.predict(_as_predicting(model), [(0,)]))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(batches.predict(_as_predicting(model), [row])) for row in [(1,), ("bad",), (3,)]]
        await asyncio.sleep(0.05)
        model.may_go.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        batches.close()
        return found

    first, second, bad, last = asyncio.run(run())
    assert isinstance(first, Outputs)
    assert isinstance(second, Outputs)
    assert isinstance(last, Outputs)
    assert (second.numbers, last.numbers) == ([1.0], [3.0])
    assert isinstance(bad, ModelFailed)


def test_what_cannot_be_answered_in_time_is_refused_at_once() -> None:
    model = Model(seconds=5.0)

    async def run() -> None:
        batches = Batches(most_rows=3)
        with pytest.raises(Overloaded, match="would take 5 s") as refused:
            await batches.predict(_as_predicting(model), [(1,)], deadline_s=2.0)
        assert refused.value.seconds == pytest.approx(5.0)
        with pytest.raises(Overloaded):
            await batches.predict(_as_predicting(model), [(1,)] * 4)
        assert (batches.waiting_rows, model.calls) == (0, [])
        batches.close()

    asyncio.run(run())


def test_a_call_that_does_not_end_is_given_up_and_others_are_answered() -> None:
    stuck, sound = Model(), Model()
    stuck.may_go.clear()

    async def run() -> None:
        batches = Batches(timeout_s=0.1)
        with pytest.raises(ModelFailed, match=r"no answer in 0\.1 s"):
            await batches.predict(_as_predicting(stuck), [(1,)])
        assert (batches.left_behind, batches.is_stuck) == (1, False)
        assert (await batches.predict(_as_predicting(sound), [(7,)])).numbers == [7.0]
        for _ in range(2):
            with pytest.raises(ModelFailed):
                await batches.predict(_as_predicting(stuck), [(1,)])
        assert batches.is_stuck
        with pytest.raises(Overloaded):
            await batches.predict(_as_predicting(sound), [(1,)])
        stuck.may_go.set()
        batches.close()

    asyncio.run(run())


def test_requests_for_a_slow_model_share_its_calls_and_those_for_a_fast_one_do_not_wait(
    store: SqlStore, tmp_path: Path
) -> None:
    place = Place(store, tmp_path / "log", [add_version(store, Slow(0.05))])
    assert place.engine.plan_of(place.engine.table).live[0].is_slow
    began = time.monotonic()
    found = place.ask(*[rows(1) for _ in range(32)])
    assert time.monotonic() - began < 1.0, "one after the other they would take 1.6 s"
    assert all(isinstance(one, Answered) and one.outputs == [0.5] for one in found)
    assert len(place.logged()) == 32
    fast = Place(store, tmp_path / "fast", [add_version(store)])
    assert not fast.engine.plan_of(fast.engine.table).live[0].is_slow


def test_a_request_that_would_come_too_late_is_told_when_to_come_again(store: SqlStore, tmp_path: Path) -> None:
    place = Place(store, tmp_path / "log", [add_version(store, Slow(0.05))])
    request = {"rows": [{"distance": 1.5, "carrier": "AA"}]}
    answer = predict(place.application, request, **{"assay-deadline-ms": "10"})
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert predict(place.application, request, **{"assay-deadline-ms": "soon"}).status == 400
    assert place.engine.counting.counted.refused == 1
    assert place.logged() == []
    hurried = rows(1)
    hurried.deadline_s = 0.01
    (refused,) = place.ask(hurried)
    assert isinstance(refused, RequestError)
    assert refused.retry_after == 1
