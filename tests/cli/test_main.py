"""Errors, exit codes and pipes of the command line."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import event
from tests.cli.conftest import ROOT, CommandLine

from assay import __version__
from assay.cli.main import main, run
from assay.errors import AssayError, Tampered
from assay.operation import OPERATIONS, Operation
from assay.record import location
from assay.record.location import open_store
from assay.record.migrations import HEAD
from assay.record.sqlstore import SqlStore, make_engine
from assay.record.store import Store
from assay.record.tracking.runs import start_run


class Judged(msgspec.Struct, frozen=True):
    verdict: str


@pytest.fixture
def becomes(assay: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Store], Any]], None]:
    """Put a function in the place of the operation `runs`."""
    assay("runs")

    def replace(function: Callable[[Store], Any]) -> None:
        def runs(store: Store) -> Any:
            """List runs."""
            return function(store)

        monkeypatch.setitem(OPERATIONS, "runs", Operation("runs", runs, False))

    return replace


# --- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rnus"], "assay: there is no command 'rnus'; did you mean 'runs'?"),
        (["ledger", "verfy"], "assay: there is no command 'verfy'; did you mean 'verify'?"),
        (
            ["ledger", "xyz"],
            "assay: there is no command 'xyz'; there are anchor, checkpoint, erase, export, key, list, verify",
        ),
        (["runs", "--limti", "3"], "--limit"),
        (["runs", "--jsno"], "--json"),
        (["--jsno", "runs"], "--json"),
        (["runs", "--limit", "many"], "assay: Invalid value for '--limit': 'many' is not a valid integer."),
        (["promote", "delays", "two"], "assay: Invalid value for 'VERSION': 'two' is not a valid integer."),
        (["promote", "delays"], "assay: Missing argument 'VERSION'."),
        (["models", "more"], "assay: Got unexpected extra argument (more)"),
        (["runs", "--store"], "assay: Option '--store' requires an argument."),
    ],
)
def test_a_mistake_of_usage_is_named_with_the_nearest_spelling(
    assay: CommandLine, arguments: list[str], line: str
) -> None:
    message = assay.refused(*arguments)
    assert line in message.splitlines()[0]
    assert message.splitlines()[-1].startswith("  try: assay ")
    assert message.endswith("--help\n")


def test_an_unlike_command_gets_the_list(assay: CommandLine) -> None:
    assert "there is no command 'xxxxxxxx'; there are " in assay.refused("xxxxxxxx")


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["ledger"]):
        assert run(arguments) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("Usage: assay")
        assert "Commands:" in shown.err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"assay {__version__}\n"


def test_main_ends_the_process_with_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["assay", "--version"])
    for arguments, code in ((None, 0), (["rnus"], 2)):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == code


# --- what is not there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [["runs"], ["show", "a"], ["models"], ["ledger", "verify"], ["doctor"], ["serve", "x"], ["rollback", "x"]],
)
def test_where_no_store_is_nothing_is_made(
    nowhere: CommandLine, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nowhere.refused(*command).splitlines() == [
        "assay: there is no store here",
        f"  where: {nowhere.place}",
        "  try: `assay demo` makes one, or name it with --store",
    ]
    assert not nowhere.place.exists()
    monkeypatch.setattr(location, "FOLDER", ".assay-of-nobody")  # above this folder may be a store of somebody's
    assert run(command) == 2, "without --store, in a folder without one"
    assert list(Path.cwd().iterdir()) == []


def test_a_store_is_found_by_environment_and_in_the_folder(
    assay: CommandLine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSAY_STORE", str(assay.place))
    assert run(["runs"]) == 0
    monkeypatch.delenv("ASSAY_STORE")
    assay.place.rename(assay.place.parent / ".assay")
    (assay.place.parent / "below").mkdir()
    monkeypatch.chdir(assay.place.parent / "below")
    assert run(["runs"]) == 0


def test_a_file_is_no_store(nowhere: CommandLine) -> None:
    nowhere.place.write_text("not a store")
    assert "there is no store here" in nowhere.refused("runs")
    assert "the store's files cannot be used" in nowhere.refused("demo")
    assert nowhere.place.read_text() == "not a store"


def test_a_folder_with_another_database_is_no_store(nowhere: CommandLine) -> None:
    nowhere.place.mkdir()
    (nowhere.place / "assay.db").write_bytes(b"not a database" * 100)
    assert "the store's database file is damaged" in nowhere.refused("runs")


def test_another_address_is_refused(nowhere: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--store", "mysql://host/db", "runs"]) == 2
    assert "expected: a folder or postgresql://..." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "zzz"], ["no run whose id begins with 'zzz'", "  try: `assay runs` lists them"]),
        (["show", ""], ["no run whose id begins with ''"]),
        (["models", "--model", "delay"], ["no model 'delay'", "  try: did you mean 'delays'?"]),
        (["promote", "delays", "9"], ["model 'delays' has no version 9", "  try: it has the versions 1, 2"]),
        (["promote", "prices", "1"], ["model 'prices' has no version 1"]),
        (["rollback", "prices"], ["model 'prices' has no champion to roll back"]),
        (["rollback", "delays"], ["delays/1"]),
        (["serve", "delay"], ["there is no endpoint 'delay'", "  try: did you mean 'delays'?"]),
        (["serve", "delays", "--host", "0.0.0.0"], ["cannot listen on '0.0.0.0': the server has no authentication"]),
        (["runs", "--limit", "0"], ["limit is 0", "  expected: 1 or more"]),
        (["ledger", "list", "--limit", "-3"], ["limit is -3", "  expected: 1 or more"]),
        (["demo", "--seed", "-1"], ["seed is -1", "  expected: 0 or more"]),
        (["demo", "--report", "/no/such/folder/x.html"], ["the report cannot be written"]),
        (["demo", "--report", "/"], ["the report cannot be written"]),
        (["demo", "--journal", "/no/such/folder/journal"], ["the journal cannot be written"]),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(assay: CommandLine, arguments: list[str], said: list[str]) -> None:
    message = assay.refused(*arguments)
    for line in said:
        assert line in message


def test_an_ambiguous_beginning_of_an_id_asks_for_more(assay: CommandLine) -> None:
    store = open_store(assay.place)
    row = store.query("run", limit=1)[0]
    for end in "ab":
        store.append("run", {**row, "run_id": f"twin-{end}"})
    store.close()
    assert assay.refused("show", "twin").splitlines() == [
        "assay: more than one run begins with 'twin'",
        "  try: give more characters of the id",
    ]
    assert assay("show", "twin-a").code == 0


def test_a_port_in_use_is_said(assay: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        message = assay.refused("serve", "delays", "--port", port)
    assert message.splitlines() == [
        f"assay: another process listens on 127.0.0.1:{port}",
        "  try: stop it, or choose another port: --port 0 takes any free one",
    ]


# --- stores that cannot be used ---------------------------------------------------------------------------------------


def _bytes_of(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("command", [["runs"], ["demo"], ["doctor", "--mend"], ["promote", "delays", "2"]])
def test_a_newer_store_is_refused_and_left_as_it_is(
    assay: CommandLine, meddle: Callable[[SqlStore, str], None], command: list[str]
) -> None:
    store = open_store(assay.place)
    store.close()
    meddle(store, "UPDATE alembic_version SET version_num = '9999'")
    before = _bytes_of(assay.place)
    message = assay.refused(*command)
    assert message.splitlines()[0] == f"assay: the store has schema version 9999, this Assay knows up to {HEAD}"
    assert "try: pip install --upgrade assay-mlops" in message
    assert _bytes_of(assay.place) == before


def test_a_full_disk_is_said_and_nothing_is_changed(assay: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(url: sa.URL) -> sa.Engine:
        engine = make_engine(url)

        @event.listens_for(engine, "connect")
        def _no_page_more(connection: Any, _: object) -> None:
            connection.execute("PRAGMA max_page_count = 1").close()

        return engine

    before = assay("ledger", "list", "--json").out, assay("models", "--json").out
    with monkeypatch.context() as patch:
        patch.setattr(location, "make_engine", full)
        message = assay.refused("promote", "delays", "2", "--override", "because " * 20_000)
    assert message.splitlines()[0].startswith("assay: the disk is full")
    assert "free some space and repeat" in message
    assert (assay("ledger", "list", "--json").out, assay("models", "--json").out) == before
    assert assay("doctor").code == 0


def test_a_server_that_does_not_answer_is_said(nowhere: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--store", "postgresql://nobody:secret@127.0.0.1:9/none", "runs"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("assay: the database does not answer")
    assert "secret" not in message
    assert len(message.splitlines()) <= 5


# --- faults -----------------------------------------------------------------------------------------------------------


def test_what_nobody_foresaw_ends_with_4_and_a_short_message(
    assay: CommandLine, becomes: Callable[[Callable[[Store], Any]], None]
) -> None:
    def fail(_: Store) -> None:
        raise ZeroDivisionError("division\nby zero\n" * 50)

    becomes(fail)
    assert assay.refused("runs", code=4).splitlines() == [
        "assay: internal error: ZeroDivisionError: division",
        "  try: the same with --debug, and report what it shows",
    ]
    assert "ZeroDivisionError: division" in assay.refused("runs", "--json", code=4)

    def silent(_: Store) -> None:
        raise ZeroDivisionError

    becomes(silent)
    assert assay.refused("runs", code=4).startswith("assay: internal error: ZeroDivisionError")


def test_a_long_message_keeps_what_was_wrong_and_its_end(
    assay: CommandLine, becomes: Callable[[Callable[[Store], Any]], None]
) -> None:
    def fail(_: Store) -> None:
        raise AssayError("\n".join(["the server could not be started", *map(str, range(20))]))

    becomes(fail)
    assert assay.refused("runs").splitlines() == ["assay: the server could not be started", "16", "17", "18", "19"]


@pytest.mark.parametrize(("error", "code"), [(ZeroDivisionError("x"), 4), (Tampered("x"), 2)])
def test_debug_shows_the_traceback_and_the_code_stays(
    assay: CommandLine, becomes: Callable[[Callable[[Store], Any]], None], error: Exception, code: int
) -> None:
    def fail(_: Store) -> None:
        raise error

    becomes(fail)
    for arguments in (["runs", "--debug"], ["--debug", "runs"]):
        said = assay(*arguments)
        assert (said.code, said.out) == (code, "")
        assert said.err.startswith("Traceback (most recent call last):")
        assert f"{type(error).__name__}: x" in said.err
    assert assay("models", "--debug").err == ""


def test_ctrl_c_is_one_message_and_130(assay: CommandLine, becomes: Callable[[Callable[[Store], Any]], None]) -> None:
    def interrupted(store: Store) -> None:
        with start_run(store, "long"):
            raise KeyboardInterrupt

    becomes(interrupted)
    said = assay("runs")
    assert (said.code, said.out) == (130, "")
    assert said.err.strip() == "interrupted: what was recorded stays, a run that was going on is marked as killed"
    store = open_store(assay.place)
    experiment = store.query("experiment", {"name": "long"})[0]["experiment_id"]
    assert [row["status"] for row in store.query("run", {"experiment_id": experiment})] == ["killed"]
    store.close()


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("fail", 1), ("inconclusive", 3)])
def test_a_verdict_is_the_exit_code(
    assay: CommandLine, becomes: Callable[[Callable[[Store], Any]], None], verdict: str, code: int
) -> None:
    becomes(lambda _: Judged(verdict))
    said = assay("runs", "--json")
    assert (said.code, said.document, said.err) == (code, {"verdict": verdict}, "")
    assert f"verdict   {verdict}" in assay("runs").out


def test_an_operation_without_a_result_prints_nothing(
    assay: CommandLine, becomes: Callable[[Callable[[Store], Any]], None]
) -> None:
    becomes(lambda _: None)
    for arguments in (["runs"], ["runs", "--json"]):
        said = assay(*arguments)
        assert (said.code, said.out, said.err) == (0, "", "")


# --- pipes and signals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["runs"], ["runs", "--json"], ["ledger", "verify"]], ids=" ".join)
def test_a_reader_that_goes_away_is_no_fault(assay: CommandLine, arguments: list[str]) -> None:
    process = subprocess.Popen(assay.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 0


def test_head_gets_its_lines(assay: CommandLine) -> None:
    command = ["sh", "-c", '"$@" | head -n 1', "sh", *assay.command("runs", "--json")]
    said = assay.process(command=command)
    assert (said.code, said.out, said.err) == (0, "[\n", "")


def test_a_closed_reader_keeps_the_verdict(assay: CommandLine, meddle: Callable[[SqlStore, str], None]) -> None:
    store = open_store(assay.place)
    store.close()
    meddle(store, "UPDATE ledger_head SET seq = 7")
    process = subprocess.Popen(assay.command("ledger", "verify"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 1


def test_a_server_of_the_command_line_announces_itself_and_ends_with_a_signal(assay: CommandLine) -> None:
    command = assay.command("serve", "delays", "--port", "0", "--json")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        decoder = msgspec.json.Decoder()
        while True:
            try:
                ready = decoder.decode("".join(lines))
                break
            except msgspec.DecodeError:
                lines.append(process.stdout.readline())
        assert ready["endpoint"] == "delays"
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, rest, errors) == (0, "", ""), "one document in all"


def test_an_interrupted_demo_leaves_its_run_as_killed(nowhere: CommandLine) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        nowhere.command("demo", "--fast"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        deadline = time.monotonic() + 60
        while not _running(nowhere.place):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert errors.strip() == "interrupted: what was recorded stays, a run that was going on is marked as killed"
    store = open_store(nowhere.place)
    assert store.query("run", order_by=["started"])[-1]["status"] == "killed"
    store.close()
    assert nowhere("doctor").code == 0


def _running(place: Path) -> bool:
    if not (place / "assay.db").is_file():
        return False
    try:
        store = open_store(place, create=False)
    except AssayError:  # it is being made
        return False
    try:
        return bool(store.query("run", {"status": "running"}))
    finally:
        store.close()
