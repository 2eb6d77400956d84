"""Processes that write the same keys of an online store, one of them killed: nothing is lost, and none fails."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from tests.build.views.online import online_writer
from tests.build.views.online.online_writer import KEYS, NOW, tables, writes

from assay.build.views.online.rows import Answered
from assay.build.views.online.sqlite_shelf import SqliteShelf
from assay.build.views.online.store import OnlineStore, open_online
from assay.errors import MissingExtra, StoreUnavailable
from assay.record.sqlstore import SqlStore

_ROOT = Path(__file__).parents[3]
_KEYS = [(f"k{place}",) for place in range(KEYS)]


def started(file: Path, seed: int, rows: int) -> subprocess.Popen[str]:
    command = [sys.executable, online_writer.__file__, str(file), str(seed), str(rows)]
    environment = {**os.environ, "PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT}"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def answers(store: OnlineStore) -> list[list[Answered]]:
    return [table.read(_KEYS, NOW) for table in tables(store)]


def at_once(folder: Path, parts: list[pa.Table]) -> list[list[Answered]]:
    """What one write of all rows gives."""
    with OnlineStore(SqliteShelf(folder / "at_once.db"), 0) as store:
        for table in tables(store):
            table.write(pa.concat_tables(parts), NOW)
        return answers(store)


def test_processes_that_write_the_same_keys_leave_what_one_write_of_all_rows_leaves(tmp_path: Path) -> None:
    processes = [started(tmp_path / "online.db", seed, 150) for seed in (1, 2)]
    with OnlineStore(SqliteShelf(tmp_path / "online.db"), 0) as store:
        while any(process.poll() is None for process in processes):
            answers(store)  # a reader is never refused
            time.sleep(0.01)
        for process in processes:
            process.communicate()
        assert [process.returncode for process in processes] == [0, 0]
        assert answers(store) == at_once(tmp_path, [part for seed in (1, 2) for part in writes(seed, 150)])


def test_of_a_writer_that_is_killed_all_is_there_that_it_was_told_and_it_goes_on_from_its_mark(tmp_path: Path) -> None:
    file = tmp_path / "online.db"
    parts = writes(7, 300)
    for after in (1, 5):
        process = started(file, 7, 300)
        assert process.stdout is not None
        told = 0
        while told < after:
            told = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        told = max([told, *map(int, process.stdout.read().split())])
        process.wait()
        process.stdout.close()
        with OnlineStore(SqliteShelf(file), 0) as store:
            for table in tables(store):
                mark = table.mark()
                assert mark is not None
                assert mark["writes"] >= told  # a mark is never ahead of its rows: what is below it is there
                for part in parts[: mark["writes"]]:
                    assert table.write(part, NOW).older == part.num_rows
    with OnlineStore(SqliteShelf(file), 0) as store:
        for table in tables(store):
            for part in parts:
                table.write(part, NOW)
        assert answers(store) == at_once(tmp_path, parts)


def test_who_opens_and_reads_waits_for_no_writer(tmp_path: Path) -> None:
    """Opening a file that has its tables takes no lock."""
    file = tmp_path / "online.db"
    with OnlineStore(SqliteShelf(file), 0) as store:
        (table, _) = tables(store)
        table.write(writes(1, 10)[0], NOW)
        expected = answers(store)
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    begin = time.monotonic()
    with OnlineStore(SqliteShelf(file), 0) as store:
        assert answers(store) == expected
    assert time.monotonic() - begin < 30  # a lock would have been waited for 120 seconds
    writer.close()


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "online.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        SqliteShelf(tmp_path / "online.db")


def test_rows_of_dropped_generations_are_taken_away(tmp_path: Path) -> None:
    """Those of a process that died between the swap and that, when the next one drops some."""
    with OnlineStore(SqliteShelf(tmp_path / "online.db"), 0) as store:
        (table, _) = tables(store)
        for part in writes(1, 50):
            table.write(part, NOW)
        with sqlite3.connect(tmp_path / "online.db") as connection:
            connection.execute("UPDATE generation SET current = NULL")
        connection.close()
        assert [one.row for one in table.read(_KEYS, NOW)] == [None] * KEYS
        table.write(writes(2, 10)[0], NOW)
        table.drop()
        with sqlite3.connect(tmp_path / "online.db") as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
            assert connection.execute("SELECT count(*) FROM generation").fetchone() == (0,)
        connection.close()


@pytest.mark.parametrize(
    ("package", "address", "extra"), [("redis", "redis://h", "redis"), ("psycopg", "postgresql://h/d", "postgres")]
)
def test_a_place_whose_package_is_missing_says_how_to_install_it(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, package: str, address: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'assay-mlops\[{extra}\]'"):
        open_online(store, address)
