"""`assay show`: what attempts took and printed, and what a person is asked."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from assay.build.steps.pipeline import pipeline
from assay.build.steps.step import step
from assay.build.steps.waiting import answer, wait_for
from assay.cli.main import main
from assay.errors import NotFound, Waiting
from assay.record.clock import Clock
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import show_run

TRIES: list[int] = []


class Tries:
    """How often `loud` was tried; no part of its key."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return (Tries, ())

    def again(self) -> int:
        TRIES.append(1)
        return len(TRIES)


COUNTED = Tries()


@step(retries=1, backoff=0)
def loud(lines: int) -> int:
    tried = COUNTED.again()
    print(f"try {tried}: \x1b[31mred\x1b[0m")
    if tried == 1:
        raise OSError("away")
    for number in range(lines):
        print(f"line {number} of many")
    return lines


@step
def silent(x: int) -> int:
    return x


@pipeline
def noisy(lines: int) -> int:
    return silent(loud(lines))


@pipeline
def asking(found: float) -> bool:
    silent(1)
    return bool(wait_for("May it go out?", evidence={"score": found}, deadline=timedelta(days=3)))


def command(store: SqlStore, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["--store", store.location, *words])
    return int(ended.value.code or 0)


@pytest.fixture
def run_id(store: SqlStore) -> str:
    TRIES.clear()
    assert noisy.options(store=store)(1000) == 1000
    return str(store.query("run")[0]["run_id"])


def test_each_attempt_says_how_it_ended_where_and_what_it_took(store: SqlStore, run_id: str) -> None:
    first, second, last = show_run(store, run_id).steps
    assert [(one.name, one.state, one.exit, one.attempt, one.has_log) for one in (first, second, last)] == [
        ("loud", "failed", "raised", 1, True),
        ("loud", "done", "returned", 2, True),
        ("silent", "done", "returned", 1, False),
    ]
    assert first.reason == "attempt 1 of 2: OSError: away"
    assert second.executor == "threads"
    assert second.worker is not None
    assert second.worker.startswith("thread ")
    assert second.cpu_s is not None
    assert show_run(store, run_id).logs == []


def test_what_a_step_printed_is_read_by_its_name_or_its_key(store: SqlStore, run_id: str) -> None:
    short, long = show_run(store, run_id, log="loud").logs
    assert (short.attempt, short.state, short.text) == (1, "failed", "try 1: \x1b[31mred\x1b[0m\n")
    assert store.query("step", {"name": "loud", "state": "done"})[0]["log_blob"], "a long one is a blob"
    assert long.text.splitlines()[1:] == [f"line {number} of many" for number in range(1000)]
    assert show_run(store, run_id, log=short.key[:6]).logs == [short, long]
    with pytest.raises(NotFound, match="silent printed nothing"):
        show_run(store, run_id, log="silent")
    with pytest.raises(NotFound, match="no step 'lout'") as raised:
        show_run(store, run_id, log="lout")
    assert raised.value.hint == "--log loud"


def test_the_command_shows_steps_and_their_logs(
    store: SqlStore, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(store, "show", run_id[:8]) == 0
    shown = capsys.readouterr().out
    assert "failed: raised" in shown
    assert "attempt 1 of 2: OSError: away" in shown
    assert "--log STEP" in shown
    assert command(store, "show", run_id[:8], "--log", "loud") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("loud ")
    assert ", attempt 1, failed, " in printed[0]
    assert printed[1] == "try 1: red"
    assert printed[-1] == "line 999 of many"
    assert command(store, "show", run_id[:8], "--log", "loud", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["logs"]) == 2


@pytest.fixture
def waiting(store: SqlStore) -> Callable[[], str]:
    def ask() -> str:
        with pytest.raises(Waiting):
            asking.options(store=store)(0.9)
        return str(store.query("run", {"status": "waiting"})[0]["run_id"])

    return ask


def test_a_run_that_waits_shows_its_question_and_how_to_answer(
    store: SqlStore, waiting: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = waiting()
    asked = show_run(store, run_id).question
    assert asked is not None
    assert (asked.question, asked.evidence, asked.is_late) == ("May it go out?", {"score": 0.9}, False)
    assert asked.how == f"assay answer {run_id[:8]} yes --comment '...'"
    assert command(store, "show", run_id) == 0
    shown = capsys.readouterr().out
    assert "May it go out?" in shown
    assert '{"score": 0.9}' in shown
    assert asked.how in shown
    answer(store, run_id, "no")
    assert show_run(store, run_id).question is None
    assert asking.options(store=store).resume(run_id) is False


def test_after_the_deadline_nobody_is_told_to_answer(
    store: SqlStore,
    waiting: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_id = waiting()
    monkeypatch.setattr(Clock, "now", lambda _: datetime.now(UTC) + timedelta(days=4))
    asked = show_run(store, run_id).question
    assert asked is not None
    assert asked.is_late
    command(store, "show", run_id)
    shown = capsys.readouterr().out
    assert "over: start the pipeline anew" in shown
    assert "assay answer" not in shown
