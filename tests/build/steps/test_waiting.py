"""Questions to a person: where the run stops, what an answer is for, and when it no longer holds."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.build.steps.projects import Project

import assay
from assay.build.steps.pipeline import Pipeline
from assay.build.steps.waiting import answer
from assay.cli.main import main
from assay.errors import InvalidInput, NotFound, Refused, TimedOut, Waiting
from assay.record.clock import Clock
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import show_run

FILES: dict[str, str | bytes] = {
    "flow.py": """
        from pathlib import Path
        import assay
        @assay.step
        def train(path: Path) -> int:
            with open(path.parent / "ran", "a") as file: file.write("train\\n")
            return len(path.read_text())
        @assay.step
        def publish(size: int) -> str:
            return f"published {size}"
        @assay.pipeline
        def release(path: Path) -> str:
            size = train(path)
            said = assay.wait_for("Does it look right?", evidence={"size": size}, deadline=DEADLINE)
            return publish(size) if said else "kept back"
        DEADLINE = None
    """
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    made = Project(tmp_path / "project", monkeypatch)
    made.folder.mkdir()
    made.write(FILES)
    (tmp_path / "data.csv").write_text("1,2")
    yield made
    made.forget()


@pytest.fixture
def release(project: Project, store: SqlStore) -> Callable[[], Pipeline[[Path], str]]:
    """The pipeline as a fresh process would import it."""

    def made() -> Pipeline[[Path], str]:
        found = project.function("flow", "release")
        assert isinstance(found, Pipeline)
        return found.options(store=store)

    return made


Release = Callable[[], Pipeline[[Path], str]]


def asked(release: Release, tmp_path: Path, store: SqlStore) -> str:
    """Run until the question; the id of the run."""
    with pytest.raises(Waiting) as raised:
        release()(tmp_path / "data.csv")
    (run,) = store.query("run", order_by=["-started"], limit=1)
    assert raised.value.what == f"run {run['run_id'][:8]} waits for an answer: Does it look right?"
    assert raised.value.hint is not None
    assert f"assay answer {run['run_id'][:8]} yes" in raised.value.hint
    return str(run["run_id"])


def test_a_run_waits_for_an_answer_and_goes_on_with_it(release: Release, store: SqlStore, tmp_path: Path) -> None:
    run_id = asked(release, tmp_path, store)
    assert store.get("run", {"run_id": run_id})["status"] == "waiting"
    assert [one.state for one in show_run(store, run_id).steps] == ["done", "waiting"]
    with pytest.raises(Waiting):
        release().resume(run_id)
    said = answer(store, run_id[:8], "yes", comment="looked at it")
    assert (said.question, said.answer, said.pipeline) == ("Does it look right?", "yes", "flow.release")
    assert release().resume(run_id) == "published 3"
    assert store.get("run", {"run_id": run_id})["status"] == "finished"
    assert (tmp_path / "ran").read_text().split() == ["train"]
    (entry,) = store.query("ledger", {"kind": "answer"})
    body = json.loads(entry["body"])
    assert (body["subject"], body["detail"]["comment"]) == (run_id, "looked at it")
    assert assay.verify(store).sound


def test_a_no_is_the_pipelines_to_judge(release: Release, store: SqlStore, tmp_path: Path) -> None:
    run_id = asked(release, tmp_path, store)
    answer(store, run_id, "no")
    assert release().resume(run_id) == "kept back"


def test_an_answer_does_not_hold_for_what_has_changed_since(
    release: Release, store: SqlStore, tmp_path: Path, project: Project
) -> None:
    run_id = asked(release, tmp_path, store)
    answer(store, run_id, "yes")
    project.edit("flow.py", "return len(path.read_text())", "return len(path.read_text()) + 1")
    with pytest.raises(Waiting):
        release().resume(run_id)
    rows = store.query("step", {"run_id": run_id, "name": "wait_for"}, order_by=["started"])
    assert [row["state"] for row in rows] == ["done", "waiting"]
    assert rows[1]["reason"].endswith("(asked again: what it rests on has changed since it was answered)")
    answer(store, run_id, "yes")
    assert release().resume(run_id) == "published 4"


def test_a_branch_that_changed_is_recorded_as_another_graph(
    release: Release, store: SqlStore, tmp_path: Path, project: Project
) -> None:
    run_id = asked(release, tmp_path, store)
    (tmp_path / "data.csv").write_text("1,2,3")
    project.edit("flow.py", 'else "kept back"', 'else "held"')
    with pytest.raises(Waiting):
        release().resume(run_id)
    states = [row["state"] for row in store.query("step", {"run_id": run_id, "name": "wait_for"}, order_by=["started"])]
    assert states == ["cancelled", "waiting"]
    (change,) = store.query("history", {"subject_id": run_id, "what": "pipeline"})
    assert change["before"] != change["after"] == store.get("run", {"run_id": run_id})["pipeline_hash"]
    answer(store, run_id, "no")
    assert release().resume(run_id) == "held"


def test_after_the_deadline_no_answer_is_taken(
    release: Release, store: SqlStore, tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit("flow.py", "DEADLINE = None", "from datetime import timedelta\nDEADLINE = timedelta(hours=1)")
    run_id = asked(release, tmp_path, store)
    now = Clock().now()
    monkeypatch.setattr(Clock, "now", lambda _: now + timedelta(hours=2))
    with pytest.raises(Refused, match="had to be answered by"):
        answer(store, run_id, "yes")
    with pytest.raises(TimedOut, match="nobody answered"):
        release().resume(run_id)
    run = store.get("run", {"run_id": run_id})
    assert run["status"] == "failed"
    assert run["reason"].startswith("TimedOut: nobody answered")


def test_what_makes_no_sense_is_refused(release: Release, store: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="outside a pipeline"):
        assay.wait_for("?")
    for question, deadline, said in ((" ", None, "is empty"), ("?", datetime(2026, 1, 1), "has no time zone")):

        @assay.pipeline
        def wrong(question: str = question, deadline: datetime | None = deadline) -> None:
            assay.wait_for(question, deadline=deadline)

        with pytest.raises(InvalidInput, match=said):
            wrong.options(store=store)()

    @assay.pipeline
    def inner() -> bool:
        return bool(assay.wait_for("?"))

    @assay.pipeline
    def outer() -> bool:
        return inner()

    with pytest.raises(InvalidInput, match=r"inner asks a person while another one runs it"):
        outer.options(store=store)()
    run_id = asked(release, tmp_path, store)
    with pytest.raises(InvalidInput, match="the answer is 'yess'") as raised:
        answer(store, run_id, "yess")
    assert raised.value.hint == "yes"
    with pytest.raises(NotFound):
        answer(store, "nothing", "yes")
    answer(store, run_id, "yes")
    with pytest.raises(InvalidInput, match="waits for no answer"):
        answer(store, run_id, "no")


def test_a_person_answers_at_the_command_line(
    release: Release, store: SqlStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = asked(release, tmp_path, store)
    with pytest.raises(SystemExit) as ended:
        main(["--store", store.location, "answer", run_id[:8], "yes", "--comment", "fine", "--json"])
    assert ended.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["run_id"], said["answer"], said["comment"]) == (run_id, "yes", "fine")
