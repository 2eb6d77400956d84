"""What each command prints, for people and as JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import CommandLine

from assay.record.location import open_store
from assay.record.sqlstore import SqlStore

READING = [["runs"], ["models"], ["ledger", "list"], ["ledger", "verify"], ["doctor"], ["show"]]


def _run_id(assay: CommandLine, name: str) -> str:
    (found,) = [one["run_id"] for one in assay("runs", "--json").document if one["name"].startswith(name)]
    return str(found)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_json_is_one_document_and_nothing_else_is_said(assay: CommandLine, command: list[str]) -> None:
    arguments = [*command, _run_id(assay, "train")] if command == ["show"] else command
    after = assay(*arguments, "--json")
    assert (after.code, after.err) == (0, "")
    assert isinstance(after.document, list | dict)
    before = assay("--json", *arguments)
    assert before == after, "options of every command may stand before it as well"


def test_runs_lists_newest_first_with_their_facts(assay: CommandLine) -> None:
    documents = assay("runs", "--json").document
    assert [one["name"] for one in documents] == ["run", "broken", "run", "train [bold]small[/bold]"]
    assert documents[-1]["metrics"] == {"auc": 0.75, "rows": 336776}
    out = assay("runs").out
    for one in documents:
        row = next(line for line in out.splitlines() if one["run_id"][:8] in line)
        for fact in ("name", "experiment", "kind", "status"):
            assert one[fact] in row
    assert "auc 0.75  rows 336776" in out, "whole numbers in full"
    assert [one["name"] for one in assay("runs", "--json", "--experiment", "prices").document] == ["broken"]
    assert len(assay("runs", "--json", "--limit", "2").document) == 2
    assert assay("runs", "--experiment", "none").out == "nothing yet\n"
    assert assay("runs", "--experiment", "none", "--json").document == []


def test_show_prints_all_that_a_run_recorded(assay: CommandLine) -> None:
    run_id = _run_id(assay, "train")
    said = assay("show", run_id[:10])
    detail = assay("show", run_id, "--json").document
    assert detail["params"] == {"learning_rate": "0.125", "depth": "[red][/] :warning: deep"}
    assert [one["state"] for one in detail["steps"]] == ["done", "cached"]
    assert [child["name"] for child in detail["children"]] == ["run"]
    facts = [
        run_id,
        *[text for pair in detail["params"].items() for text in pair],
        *("team", "ground", "nightly", "0.75", "336776", "orders", "train [bold]small[/bold]"),
        *detail["inputs"].values(),
        *detail["outputs"].values(),
        *[text for one in detail["steps"] for text in (one["name"], one["state"], one["key"][:12])],
        detail["children"][0]["run_id"][:8],
        f"{detail['packages']} packages",
    ]
    assert [fact for fact in facts if fact not in said.out] == []


def test_show_tells_why_a_run_failed(assay: CommandLine) -> None:
    said = assay("show", _run_id(assay, "broken"))
    assert said.code == 0, "the question was answered"
    assert "ArithmeticError: no [such] number" in said.out


def test_models_lists_versions_with_aliases(assay: CommandLine) -> None:
    documents = assay("models", "--json").document
    assert [(one["version"], one["aliases"]) for one in documents] == [(2, []), (1, ["champion"])]
    out = assay("models", "--model", "delays").out
    for one in documents:
        row = next(line for line in out.splitlines() if one["hash"][:12] in line)
        assert row.split()[:2] == ["delays", str(one["version"])]
        assert ("champion" in row) == (one["version"] == 1)


def test_ledger_list_has_the_newest_first_and_can_be_narrowed(assay: CommandLine) -> None:
    documents = assay("ledger", "list", "--json").document
    assert [(one["seq"], one["kind"]) for one in documents] == [(2, "promotion"), (1, "override")]
    out = assay("ledger", "list").out
    for one in documents:
        row = next(line for line in out.splitlines() if one["hash"][:12] in line)
        assert row.split()[:3] == [str(one["seq"]), one["kind"], "delays/1"]
        assert "the first one" in row
    assert [one["seq"] for one in assay("ledger", "list", "--kind", "override", "--json").document] == [1]
    assert len(assay("ledger", "list", "--limit", "1", "--json").document) == 1


def test_ledger_verify_says_that_the_chain_is_sound(assay: CommandLine) -> None:
    found = assay("ledger", "verify", "--json").document
    assert (found["sound"], found["entries"], found["problems"]) == (True, 2, [])
    said = assay("ledger", "verify").out.splitlines()
    assert said[0] == f"sound: 2 decisions in an unbroken chain, head {found['head'][:12]}"
    assert said[1].startswith("  note: no anchor: whoever owns the store could rewrite the whole chain unnoticed")


def test_ledger_verify_ends_with_1_for_an_edited_entry(
    assay: CommandLine, meddle: Callable[[SqlStore, str], None]
) -> None:
    store = open_store(assay.place)
    meddle(store, "DROP TRIGGER ledger_no_update")
    meddle(store, "UPDATE ledger SET body = replace(body, 'the first one', 'my friend') WHERE seq = 1")
    store.close()
    said = assay("ledger", "verify")
    assert said.code == 1
    assert "NOT SOUND: 2 decisions" in said.out
    assert "entry 1 was edited: its content does not match its hash" in said.out
    said = assay("ledger", "verify", "--json")
    assert (said.code, said.document["sound"]) == (1, False)
    assert assay("doctor").code == 1


def test_doctor_ends_with_1_for_a_damaged_blob(assay: CommandLine) -> None:
    assert assay("doctor").out == assay("doctor").out
    found = assay("doctor", "--json").document
    assert (found["sound"], found["runs"], found["ledger_entries"], found["predictions"]) == (True, 4, 2, 4)
    assert assay("doctor").out == f"sound: 4 runs, {found['blobs']} blobs, 2 decisions, 4 predictions\n"
    store = open_store(assay.place)
    (artifact,) = store.query("artifact", {"name": "orders"})
    store.blobs.path(artifact["blob"]).write_bytes(b"something else")
    store.close()
    said = assay("doctor")
    assert said.code == 1
    assert said.out.startswith("NOT SOUND: 4 runs")
    expected = f"  problem: blob {artifact['blob'][:12]} does not match its hash: dataset orders needs it"
    assert expected in said.out.splitlines()
    assert assay("doctor", "--mend").code == 1, "what is lost is not mended"


def test_doctor_mends_what_interrupted_processes_left(assay: CommandLine) -> None:
    (segment,) = (assay.place / "predictions/delays").glob("*.log")
    segment.write_bytes(segment.read_bytes() + b"torn")
    said = assay("doctor")
    assert said.code == 0
    assert f"  note: predictions of delays: {segment.name}" in said.out
    said = assay("doctor", "--mend")
    assert said.code == 0
    assert f"  mended: {segment.name}: 4 bytes of an unfinished record cut off after 4 records" in said.out
    assert assay("doctor", "--json").document["notes"] == []


def test_promote_and_rollback_say_what_they_did(assay: CommandLine) -> None:
    refused = assay.refused("promote", "delays", "2", code=1)
    assert refused.splitlines() == [
        "assay: delays/2 has no verdict against the champion, version 1",
        "  try: evaluate it and let the gate judge, or --override REASON",
    ]
    said = assay("promote", "delays", "2", "--override", "I [know] why")
    assert said.code == 0
    assert said.out.startswith("delays/2 is the champion instead of version 1 (decision 4, routing revision 2)")
    assert "I [know] why" in said.out
    back = assay("rollback", "delays", "--reason", "it was wrong", "--json").document
    assert (back["version"], back["previous_version"], back["cause"]) == (1, 2, "incident")
    assert back["reason"] == "it was wrong"
    assert assay("rollback", "delays", "--to", "2").out.startswith("delays/2 is the champion instead of version 1")
    assert assay("ledger", "verify").code == 0


def test_wide_output_is_not_cut_or_folded_in_a_pipe(assay: CommandLine) -> None:
    long = " ".join(["a reason that goes on"] * 40)
    assay("promote", "delays", "2", "--override", long)
    for said in (assay("ledger", "list"), assay.process("ledger", "list")):
        assert (said.code, said.err) == (0, "")
        assert long in said.out
        assert "…" not in said.out
        assert "\x1b" not in said.out, "no colours in a pipe"


def test_what_a_report_needs_and_is_not_there_is_said(assay: CommandLine, tmp_path: Path) -> None:
    message = assay.refused("report", "delays", "--output", str(tmp_path / "report.html"))
    assert "delays" in message
    assert not (tmp_path / "report.html").exists()


def test_a_process_prints_the_same_as_a_call(assay: CommandLine) -> None:
    for command in (["runs"], ["models", "--json"], ["ledger", "verify"]):
        assert assay.process(*command) == assay(*command)


def test_json_stays_whole_when_a_name_holds_anything(assay: CommandLine) -> None:
    from assay.record.tracking.runs import start_run

    store = open_store(assay.place)
    name = 'é "quoted" \n<script> ☂ [/]'
    with start_run(store, "odd", name):
        pass
    store.close()
    assert assay("runs", "--experiment", "odd", "--json").document[0]["name"] == name
    assert json.loads(assay.process("runs", "--experiment", "odd", "--json").out)[0]["name"] == name
    assert "<script> ☂ [/]" in assay("runs", "--experiment", "odd").out
