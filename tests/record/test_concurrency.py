"""Several processes work on one store at the same time."""

import subprocess
import sys
from pathlib import Path

import pytest

from assay.record import ledger, open_store, soundness
from assay.record.sqlstore import SqlStore

RUNS = 200

LOGGER = """
import sys
from assay.record import ledger, open_store, start_run
store = open_store(sys.argv[1], blobs=sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[4])):
    with start_run(store, sys.argv[3], str(number)) as run:
        run.params({"number": number, "who": sys.argv[3]})
        run.metrics({"loss": 1 / (number + 1), "auc": 0.75})
    if number % 20 == 0:
        ledger.decide(store, "note", sys.argv[3], {"number": number})
"""

OPENER = """
import sys
from assay.record import open_store
import assay.record.migrations, alembic.command, sqlalchemy.dialects.sqlite
print("ready", flush=True)
sys.stdin.readline()
for location in sys.argv[2:]:
    store = open_store(location, blobs=sys.argv[1])
    store.append_many("store_meta", [{"key": "opened", "value": "yes"}], skip_existing=True)
    store.close()
"""


def _at_once(script: str, arguments: list[list[str]], timeout_s: float = 120) -> None:
    """Start a process for each list of arguments, let all of them begin together, and wait until they are done."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, *some],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for some in arguments
    ]
    try:
        for process in processes:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            _, errors = process.communicate(timeout=timeout_s)
            assert (process.returncode, errors) == (0, "")
    finally:
        for process in processes:
            with process:  # closes its pipes
                process.kill()


def _check_runs(store: SqlStore, who: list[str]) -> None:
    runs = store.query("run")
    experiments = {row["name"]: row["experiment_id"] for row in store.query("experiment")}
    assert {row["status"] for row in runs} == {"finished"}
    for name in who:
        mine = {row["run_id"]: row["name"] for row in runs if row["experiment_id"] == experiments[name]}
        assert sorted(mine.values(), key=int) == [str(number) for number in range(RUNS)]
        params = store.query("run_param", {"key": "number", "run_id in": list(mine)})
        assert {row["run_id"]: row["value"] for row in params} == mine
        metrics = store.query("run_metric", {"key": "loss", "run_id in": list(mine)})
        assert {row["run_id"]: row["value"] for row in metrics} == {key: 1 / (int(n) + 1) for key, n in mine.items()}
    assert len(store.query("run_metric")) == 2 * RUNS * len(who)
    assert ledger.verify(store).entries == RUNS // 20 * len(who)
    assert soundness.check(store).problems == []


@pytest.mark.slow
def test_two_processes_log_400_runs_into_sqlite(store: SqlStore, tmp_path: Path) -> None:
    location = str(tmp_path / "store")
    _at_once(LOGGER, [[location, str(tmp_path / "blobs"), name, str(RUNS)] for name in ("ann", "bob")])
    _check_runs(store, ["ann", "bob"])


@pytest.mark.slow
def test_two_processes_log_400_runs_into_postgres(
    postgres_with_store: str, postgres_store: SqlStore, tmp_path: Path
) -> None:
    _at_once(LOGGER, [[postgres_with_store, str(tmp_path / "blobs"), name, str(RUNS)] for name in ("ann", "bob")])
    _check_runs(postgres_store, ["ann", "bob"])


def test_four_processes_open_new_sqlite_stores_at_once(tmp_path: Path) -> None:
    locations = [str(tmp_path / f"store {number}") for number in range(8)]
    _at_once(OPENER, [[str(tmp_path / "blobs"), *locations]] * 4)
    for location in locations:
        with_one = open_store(location)
        assert soundness.check(with_one).sound
        assert len(with_one.query("store_meta")) == 1
        with_one.close()


def test_four_processes_open_a_new_postgres_store_at_once(postgres: str, tmp_path: Path) -> None:
    _at_once(OPENER, [[str(tmp_path / "blobs"), postgres]] * 4)
    opened = open_store(postgres, blobs=tmp_path / "blobs")
    assert soundness.check(opened).sound
    assert len(opened.query("store_meta")) == 1
    opened.close()
