import base64
import json
import math
import multiprocessing
import random
import time
from pathlib import Path

import pytest

from assay.errors import InvalidInput
from assay.record import open_store
from assay.record.search.finding import search_experiments, search_runs
from assay.record.search.paging import digest, read_token, token
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import create_experiment
from assay.record.tracking.metrics import points_of
from assay.record.tracking.run_changes import create_run, delete_run, log

_OF = digest("runs", "filter", ["metrics.a"])


@pytest.mark.parametrize("value", [1.5, math.inf, -math.inf, 0.1, 5e-324, 3])
def test_a_token_says_exactly_where_it_was(value: float) -> None:
    mark = (((0, value), (1, None), (2, None), (0, "é'")), "run-1")
    assert read_token(token(mark, _OF), _OF, ["number", "number", "text", "text"]) == mark


@pytest.mark.parametrize("text", ["x", "====", "é", "eyJvZmZzZXQiOiAxfQ==", "bnVsbA==", "W10=", "\x00", "9" * 10_000])
def test_what_is_no_token_is_invalid(store: SqlStore, text: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid page token"):
        search_runs(store, token=text)


def _forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    ("values", "row_id"),
    [
        ([[0, "text"]], "a"),
        ([[0, math.nan]], "a"),
        ([[0, True]], 1),
        ([[3, 1.0]], "a"),
        ([[1, 1.0]], "a"),
        ([[0, 1.0]], "a\x00"),
        ([[0, 1.0], [0, 1.0]], "a"),
        ([[0, 1.0]], "\ud800"),
        ("a", "a"),
        ([0], "a"),
        ([[True, None]], "a"),
    ],
)
def test_a_forged_token_is_invalid(values: object, row_id: object) -> None:
    with pytest.raises(InvalidInput, match="Invalid page token"):
        read_token(_forged(_OF, values, row_id), _OF, ["number"])


def test_a_token_belongs_to_its_filter_order_and_scope(store: SqlStore) -> None:
    experiment_id = create_experiment(store, "e").experiment_id
    for name in "abc":
        create_run(store, experiment_id, name=name)
    text = search_runs(store, "run_name != 'x'", limit=1).next_token
    assert text is not None
    assert len(search_runs(store, "run_name != 'x'", token=text).ids) == 2
    for options in (
        {"filter": "run_name != 'y'"},
        {"filter": "run_name != 'x'", "order_by": ["run_name"]},
        {"filter": "run_name != 'x'", "experiment_ids": [experiment_id]},
        {"filter": "run_name != 'x'", "view": "all"},
    ):
        with pytest.raises(InvalidInput, match="of another search"):
            search_runs(store, token=text, **options)
    with pytest.raises(InvalidInput, match="of another search"):
        search_experiments(store, token=text)


def _meddle(place: Path, stop: "multiprocessing.synchronize.Event") -> None:
    """Runs come and go while somebody reads."""
    store = open_store(place)
    rnd = random.Random(3)
    try:
        while not stop.is_set():
            run_id = create_run(store, "0", name="fleeting")
            log(store, run_id, metrics={"a": points_of([(0, 1, rnd.random())])})
            if rnd.random() < 0.8:
                delete_run(store, run_id)
    finally:
        store.close()


@pytest.mark.parametrize("order", [[], ["metrics.a"], ["metrics.a DESC", "run_name"], ["run_name DESC"]])
def test_pages_stay_true_while_another_process_writes_and_deletes(
    tmp_path: Path, store: SqlStore, order: list[str]
) -> None:
    rnd = random.Random(5)
    kept = []
    for number in range(60):
        run_id = create_run(store, "0", name=f"kept-{number % 7}")
        kept.append(run_id)
        if number % 3:
            log(store, run_id, metrics={"a": points_of([(0, 1, rnd.choice([0.1, 0.5, 0.9, math.nan]))])})
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=_meddle, args=(tmp_path / "store", stop))
    process.start()
    try:
        deadline = time.monotonic() + 30
        while len(store.query("run", limit=62)) < 61 and time.monotonic() < deadline:
            time.sleep(0.05)
        for _ in range(3):
            seen: list[str] = []
            text = None
            while True:
                page = search_runs(store, order_by=order, limit=4, token=text)
                seen += page.ids
                text = page.next_token
                if text is None or len(seen) > 5000:
                    break
            assert len(seen) == len(set(seen))
            assert set(kept) <= set(seen)
    finally:
        stop.set()
        process.join(30)
    assert process.exitcode == 0
