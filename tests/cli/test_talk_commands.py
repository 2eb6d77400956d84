"""Comments, questions, decision records and notices as typed and as printed."""

from pathlib import Path

import pytest
from tests.cli.conftest import CommandLine

from assay.record.alerts.incident_commands import report_incident
from assay.record.location import open_store
from assay.record.models.registered_models import create_registered_model
from assay.record.people import grant_role


@pytest.fixture
def talk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line on a store with a model and two people, as whom `ASSAY_ACTOR` says."""
    monkeypatch.setenv("ASSAY_ACTOR", "ann")
    store = open_store(tmp_path / "store")
    create_registered_model(store, "churn")
    grant_role(store, "ann", "owner")
    grant_role(store, "bob", "operations")
    store.close()
    return CommandLine(tmp_path / "store", capsys)


def test_a_question_is_asked_listed_answered_and_decided_on(talk: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = talk("ask", "model:churn", "For [bold]minors[/]? @carl", "--to", "operations", "--json").document
    assert (asked["kind"], asked["to"], asked["unknown"]) == ("question", ["role:operations"], ["carl"])
    listed = talk("comment", "ls", "model:churn", "--open").out
    assert "For [bold]minors[/]? @carl" in listed
    assert "open" in listed
    monkeypatch.setenv("ASSAY_ACTOR", "bob")
    assert "ann asks you about model:churn" in talk("notices").out
    assert "answer: No." in talk("comment", "model:churn", "No.", "--answers", asked["comment_id"][:8]).out
    assert "answered by bob" in talk("comment", "ls").out
    assert "nobody here is called carl" in talk("comment", "model:churn", "@carl?").out
    made = talk("decide", "Not for minors", "--from", asked["comment_id"][:8], "--outcome", "no", "--kind", "risk")
    assert "is evidence for it" in made.out
    assert "model:churn" in talk("decide", "ls").out
    assert "superseded by" not in talk("decide", "show", "1").out
    assert talk("decide", "supersede", "1", "For all", "--outcome", "yes", "--json").document["decision"] == 2
    assert "superseded by" in talk("decide", "show", "1").out
    assert [one["title"] for one in talk("decide", "ls", "--json").document] == ["For all"]


def test_notices_are_listed_read_and_measured(talk: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(talk.place)
    report_incident(store, "all wrong", model="churn")
    store.close()
    assert talk("notices", "--read").out.count("did it") == 1, "who opened it knows"
    assert "ux has to know of incident.opened" in talk("notify", "rule", "incident.opened", "ux", "--within", "1d").out
    assert "here" in talk("notify", "rules", "--event", "incident.opened").out
    monkeypatch.setenv("ASSAY_ACTOR", "bob")
    (mine,) = talk("notices", "--json").document
    assert (mine["roles"], mine["subject"][:9]) == (["operations"], "incident:")
    assert "read 20" in talk("notices", "read", mine["notice_id"][:8]).out
    assert talk("notices").out == "nothing yet\n"
    measured = talk("notices", "measure").out
    assert "COMM-1: 100% of 1 governance events" in measured
    assert talk("notices", "measure", "--json").document["share"] == 1.0
    assert "For operations" in talk("notices", "digest", "operations").out


def test_what_is_typed_wrong_is_said_with_what_was_meant(talk: CommandLine) -> None:
    assert "try: model:churn" in talk.refused("comment", "modle:churn", "x")
    assert "did you mean 'owner'?" in talk.refused("ask", "model:churn", "x", "--to", "ownr")
    assert "expected: --context TEXT" in talk.refused("decide", "t", "--outcome", "x")
    assert "nobody here is called" in talk.refused("notices", "digest", "zoe")
    assert "the quiet hours are" in talk.refused("notify", "rule", "gate.failed", "ux", "--quiet", "late")
    assert "no role 'boss'" in talk.refused("notify", "add", "x", "/tmp/x", "--form", "file", "--to", "role:boss")
