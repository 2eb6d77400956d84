"""Rows that are pushed: checked, logged, served by their time; many of them put together; an entity erased."""

import multiprocessing
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.build.views import materialize_children as children

from assay.build.data.checks import in_range
from assay.build.data.expectations import Expectations
from assay.build.views.arriving.push import Pushed, push
from assay.build.views.declared.aggregates import mean
from assay.build.views.declared.history import ARRIVAL, CREATED
from assay.build.views.declared.view import feature_view
from assay.build.views.log.log import log_parts, logged_rows
from assay.build.views.online.store import OnlineStore, open_online
from assay.build.views.registry.registered import ViewVersion, register
from assay.errors import InvalidInput, NotFound
from assay.record.sqlstore import SqlStore
from assay.server.native import run_operation

AT = datetime(2026, 1, 1, tzinfo=UTC)
AT_US = int(AT.timestamp()) * 1_000_000
NOW_US = AT_US + 3_600_000_000


LARGE = pa.table({"customer": pa.array([2**63], pa.uint64()), "at": [AT], "amount": [1.0], "word": ["a"]})


def spend(store: SqlStore, **more: Any) -> ViewVersion:
    rows = {"customer": [1], "at": pa.array([AT], pa.timestamp("us", "UTC")), "amount": [1.0], "word": ["a"]}
    if more.get("created"):
        rows["seen"] = rows["at"]
    return register(store, feature_view("spend", entity="customer", time="at", source=pa.table(rows), **more))


def row(customer: object = 1, amount: object = 2.0, at: object = AT, word: object = "x") -> dict[str, object]:
    return {"customer": customer, "at": at, "amount": amount, "word": word}


def served(store: SqlStore, version: ViewVersion, customer: int = 1, now_us: int = NOW_US) -> Any:
    online = open_online(store)
    (found,) = online.table(version).read([(customer,)], now_us)
    online.close()
    return None if found.row is None else found.row[3]


def test_a_pushed_row_is_logged_and_served(store: SqlStore) -> None:
    version = spend(store)
    assert push("spend", row(), store=store, now_us=NOW_US) == Pushed("spend@1", 1, 1, 0, 0, 0)
    assert served(store, version) == 2
    (rows,) = logged_rows(store, version)
    assert rows.select(["customer", "amount", "word", CREATED]).to_pylist() == [
        {"customer": 1, "amount": 2.0, "word": "x", CREATED: NOW_US}
    ]


def test_late_rows_equal_ones_and_rows_of_the_future_are_counted_apart(store: SqlStore) -> None:
    version = spend(store)
    push(version, row(), store=store, now_us=NOW_US)
    rows = [row(at="2025-12-31"), row(at="2026-01-01T02:00:00Z", amount=9), row(customer=None)]
    assert push(version, rows, store=store, now_us=NOW_US + 1) == Pushed("spend@1", 3, 0, 1, 1, 1)
    assert (served(store, version), served(store, version, now_us=2 * NOW_US)) == (2, 9)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"customer": 1, "at": AT, "amount": 1.0}, "no column 'word'"),
        ({**row(), "wrod": "x"}, "no column 'wrod'.*did you mean 'word'"),
        (row(amount="2"), "the column 'amount'"),
        (row(word=3), "the column 'word'"),
        (row(customer="1"), "the column 'customer'"),
        (row(at="yesterday"), "'at' is 'yesterday'"),
        (row(at=None), "1 rows .* have no time in 'at'"),
        (pa.table({"customer": ["1"], "at": [AT], "amount": [1.0], "word": ["a"]}), "'customer' of spend@1 is"),
        (pa.table({"customer": [1], "at": [AT], "amount": ["1.0"], "word": ["a"]}), "'amount' of spend@1 is string"),
        (pa.table({"customer": [1], "at": [1], "amount": [1.0], "word": ["a"]}), "the time 'at'"),
        (LARGE, "whole numbers of 64 bits"),
    ],
)
def test_rows_that_are_not_the_views_are_refused_and_nothing_is_logged(
    store: SqlStore, rows: object, message: str
) -> None:
    version = spend(store)
    with pytest.raises(InvalidInput) as refused:
        push(version, [row(), rows] if isinstance(rows, dict) and len(rows) > 3 else rows, store=store)
    assert re.search(message, str(refused.value), re.DOTALL), str(refused.value)
    assert log_parts(store, version) == []
    assert served(store, version) is None


def test_the_checks_of_the_view_hold_for_pushed_rows(store: SqlStore) -> None:
    version = spend(store, checks=Expectations((in_range("amount", 0, 10),)))
    push(version, row(), store=store)
    with pytest.raises(InvalidInput, match=r"1 of 2 rows for spend@1 break"):
        push(version, [row(), row(amount=11)], store=store)
    assert sum(part.rows for part in log_parts(store, version)) == 1


def test_a_created_column_comes_with_the_rows(store: SqlStore) -> None:
    version = spend(store, created="seen")
    seen = "2026-01-01T00:30:00+00:00"
    assert push(version, [{**row(), "seen": seen}, {**row(), "seen": None}], store=store, now_us=NOW_US).unusable == 1
    (rows,) = logged_rows(store, version)
    assert rows[CREATED].to_pylist() == [AT_US + 1_800_000_000, None]


def test_a_view_of_aggregates_takes_the_columns_that_it_reads(store: SqlStore) -> None:
    rows = pa.table({"customer": [1], "at": pa.array([AT], pa.timestamp("us", "UTC")), "amount": [1.0]})
    view = feature_view("week", entity="customer", time="at", source=rows, features={"m": mean("amount", over="7d")})
    version = register(store, view)
    push(version, [{"customer": 1, "at": AT, "amount": 3}], store=store)
    (logged,) = logged_rows(store, version)
    assert logged["amount"].to_pylist() == [3.0]


def test_an_unknown_view_is_not_found(store: SqlStore) -> None:
    spend(store)
    with pytest.raises(NotFound, match="no feature view 'spent'"):
        push("spent", row(), store=store)


def test_what_another_process_logged_and_did_not_write_online_is_made_up_for(store: SqlStore) -> None:
    version = spend(store)

    class Gone(OnlineStore):
        def table(self, version: ViewVersion) -> Any:
            raise KeyboardInterrupt

    shelf = open_online(store).shelf
    with pytest.raises(KeyboardInterrupt):
        push(version, row(customer=7, amount=7), store=store, online=Gone(shelf, 0), now_us=NOW_US)
    assert served(store, version, 7) is None
    push(version, row(), store=store, now_us=NOW_US)
    assert (served(store, version, 7), served(store, version)) == (7, 2)


def test_many_small_pushes_become_few_parts_with_the_same_numbers(store: SqlStore) -> None:
    version = spend(store)
    online = open_online(store)
    for number in range(300):
        push(version, row(customer=number % 9, amount=number), store=store, online=online, now_us=NOW_US + number)
    online.close()
    parts = log_parts(store, version)
    assert len(parts) < 140
    assert parts[0].first_arrival == 0
    rows = pa.concat_tables(logged_rows(store, version))
    assert rows[ARRIVAL].to_pylist() == rows["amount"].to_pylist() == list(range(300))
    assert rows[CREATED].to_pylist() == [NOW_US + number for number in range(300)]
    later = pa.concat_tables(logged_rows(store, version, after=100))
    assert later[ARRIVAL].to_pylist() == list(range(101, 300))


def test_pushes_of_several_processes_lose_nothing(store: SqlStore) -> None:
    version = spend(store)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([children.__name__])
    workers = [context.Process(target=children.push_some, args=(store.location, 1000 * one, 40)) for one in range(3)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert [one.exitcode for one in workers] == [0, 0, 0]
    rows = pa.concat_tables(logged_rows(store, version))
    assert sorted(rows["amount"].to_pylist()) == [1000 * one + number for one in range(3) for number in range(40)]
    assert rows[ARRIVAL].to_pylist() == list(range(120))
    newest = {key: max(n for n in np.asarray(rows["amount"]) if n % 3 == key) for key in range(3)}
    assert {key: served(store, version, key, 2 * NOW_US) for key in range(3)} == newest


def test_rows_come_as_json_over_the_api_of_a_server(store: SqlStore) -> None:
    version = spend(store)
    body = b'{"view": "spend", "rows": [{"customer": 1, "at": "2026-01-01T00:00:00Z", "amount": 4, "word": "w"}]}'
    found = run_operation(store, "features put", body)
    assert (found.rows, found.applied) == (1, 1)
    assert served(store, version, now_us=2 * NOW_US) == 4
    with pytest.raises(InvalidInput, match="rows of features put"):
        run_operation(store, "features put", b'{"view": "spend", "rows": [1]}')


def test_the_rows_of_a_file_are_pushed_from_the_command_line(
    store: SqlStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from assay.cli.main import run

    spend(store)
    pq.write_table(pa.Table.from_pylist([row(), row(customer=2)]), tmp_path / "rows.parquet")
    assert run(["features", "push", "spend", str(tmp_path / "rows.parquet"), "--store", store.location]) == 0
    assert capsys.readouterr().out.split() == ["2", "rows", "of", "spend@1", "logged", "served", "now", "2"]
    text = '{"customer": 3, "at": "2026-01-01", "amount": 1, "word": null}'
    assert run(["features", "put", "spend", text, "--store", store.location]) == 0
    assert "1 rows of spend@1 logged" in capsys.readouterr().out
    assert run(["features", "put", "spend", "3", "--store", store.location]) == 2
    assert "not a list of JSON objects" in capsys.readouterr().err
    assert run(["features", "materialize", "--store", store.location]) == 0
    assert "spend@1" in capsys.readouterr().out
    assert run(["features", "erase", "spend", "--entity", "customer=1", "--store", store.location]) == 0
    assert "the source is not touched" in capsys.readouterr().out
