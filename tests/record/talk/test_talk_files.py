"""What was said and decided leaves in files that others read, and comes in once."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.record.talk.talk_world import START, acting, begin

from assay.errors import InvalidInput
from assay.record import open_store
from assay.record.ledger import entries, verify
from assay.record.models.registered_models import create_registered_model
from assay.record.sqlstore import SqlStore
from assay.record.talk.deciding import record_decision, show_record, supersede_record
from assay.record.talk.exporting import export_records, export_talk
from assay.record.talk.importing import Imported, import_talk
from assay.record.talk.talking import ask_about, comment_on, list_comments


@pytest.fixture
def other(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_store(tmp_path / "other")
    store.clock.advance(START)
    create_registered_model(store, "churn")
    yield store
    store.close()


@pytest.fixture
def said(store: SqlStore, tmp_path: Path) -> str:
    begin(store, ann="owner", bob="validator")
    asked = ask_about(acting(store, "ann"), "model:churn", "For minors?", to="bob")
    comment_on(acting(store, "bob"), "model:churn", "No.", answers=asked.comment_id)
    comment_on(acting(store, "bob"), "model:churn", "=HYPERLINK(1)\n@ann")
    first = record_decision(acting(store, "ann"), "Keep", context="c", outcome="o", about="model:churn")
    supersede_record(acting(store, "ann"), first.record_id, "Retire", outcome="r")
    path = str(tmp_path / "said.jsonl")
    export_talk(store, path)
    return path


def test_what_is_brought_over_is_as_it_was_said_and_comes_in_once(store: SqlStore, other: SqlStore, said: str) -> None:
    assert import_talk(other, said) == Imported(comments=3, decision_records=2, known=0, elsewhere=0)
    assert import_talk(other, said) == Imported(comments=0, decision_records=0, known=5, elsewhere=0)
    assert import_talk(store, said).known == 5
    assert list_comments(other) == list_comments(store)
    assert [row["source"] for row in other.query("comment")] == ["imported"] * 3
    brought = {row["title"]: row["record_id"] for row in other.query("decision_record")}
    assert show_record(other, brought["Keep"]).superseded_by == brought["Retire"]
    for record_id in brought.values():
        assert show_record(other, record_id).said == show_record(store, record_id).said
    assert [one.detail["imported"] for one in entries(other)] == [True, True]
    assert verify(other).sound
    assert other.query("notice") == [], "what was said elsewhere is nobody's news"
    again = Path(said).with_name("again.jsonl")
    export_talk(other, str(again))
    for line, before in zip(again.read_text().splitlines(), Path(said).read_text().splitlines(), strict=True):
        assert {**json.loads(line), "subject_id": ""} == {**json.loads(before), "subject_id": ""}


def test_a_question_that_was_answered_there_since_is_answered_here(
    store: SqlStore, other: SqlStore, tmp_path: Path
) -> None:
    begin(store, ann="owner", bob="validator")
    asked = ask_about(acting(store, "ann"), "model:churn", "For minors?", to="bob")
    path = str(tmp_path / "one.jsonl")
    export_talk(store, path)
    import_talk(other, path)
    comment_on(acting(store, "bob"), "model:churn", "No.", answers=asked.comment_id)
    export_talk(store, path, overwrite=True)
    assert import_talk(other, path).comments == 1
    assert list_comments(other, open_=True) == []


def test_what_was_said_of_records_that_are_not_here_is_kept_and_counted(tmp_path: Path, said: str) -> None:
    empty = open_store(tmp_path / "empty")
    found = import_talk(empty, said)
    assert (found.comments, found.elsewhere) == (3, 5)
    assert {one.subject for one in list_comments(empty)} == {"model:churn"}
    empty.close()


@pytest.mark.parametrize(
    ("field", "value"),
    [("ts", "yesterday"), ("ts", "2026-01-01"), ("text", "\x1b"), ("actor", ""), ("kind", "shout"), ("what", "x")],
)
def test_a_file_with_one_wrong_line_changes_nothing(other: SqlStore, said: str, field: str, value: str) -> None:
    lines = Path(said).read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), field: value})
    Path(said).write_text("\n".join(lines))
    with pytest.raises(InvalidInput) as refused:
        import_talk(other, said)
    assert refused.value.where == f"{said}, line 3"
    assert other.query("comment") == []
    Path(said).write_text("not json\n")
    with pytest.raises(InvalidInput):
        import_talk(other, said)


def test_no_cell_of_a_table_is_a_formula(store: SqlStore, said: str, tmp_path: Path) -> None:
    assert store.query("comment")
    path = tmp_path / "said.csv"
    export_talk(store, str(path))
    rows = list(csv.DictReader(io.StringIO(path.read_text(), newline="")))
    assert [row["text"] for row in rows if "HYPERLINK" in row["text"]] == ["'=HYPERLINK(1)\n@ann"]
    assert not [cell for row in rows for cell in row.values() if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert said.endswith(".jsonl")


def test_files_that_are_there_stay_unless_that_is_said(store: SqlStore, said: str, tmp_path: Path) -> None:
    for path in (said, str(tmp_path / "x.txt"), str(tmp_path / "none" / "x.csv")):
        with pytest.raises(InvalidInput):
            export_talk(store, path)
    done = export_records(store, str(tmp_path / "adr"))
    assert done.decision_records == 2
    assert [path.name for path in sorted((tmp_path / "adr").iterdir())] == ["0001-keep.md", "0002-retire.md"]
    assert "superseded by" in (tmp_path / "adr" / "0001-keep.md").read_text()
    with pytest.raises(InvalidInput, match=r"0001-keep\.md is there already"):
        export_records(store, str(tmp_path / "adr"))
