"""Judging from the command line, and verdicts computed once more."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.prove.worlds import ACCURACY, Part, evaluated, world

from assay.cli.main import run
from assay.errors import InvalidInput, NotFound
from assay.prove.gate import gate
from assay.prove.judgement import judge_evaluation
from assay.record.sqlstore import SqlStore

Meddle = Callable[[SqlStore, str], None]
POLICY = 'name = "accuracy"\nsegments = ["segment"]\n[metrics.accuracy]\nmargin = 0.02\n'
HARMED = {"a": Part(3000, -0.1, disagreement=0.12), "b": Part(3000, 0.1, disagreement=0.12)}


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return str(path)


def test_a_file_judges_as_the_policy_in_it(store: SqlStore, policy: str) -> None:
    evaluation = evaluated(store, world(HARMED))
    found = judge_evaluation(store, evaluation.evaluation_id[:8], policy=policy)
    assert found.verdict == "fail"
    assert found.reproduced is None
    assert found.policy_version == ACCURACY.version
    assert [row["id"] for row in store.query("gate")] == [found.gate_id]


def test_a_replay_gives_the_same_to_the_last_bit_and_records_nothing(store: SqlStore) -> None:
    for parts in (HARMED, {"a": Part(3000)}, {"a": Part(100)}):
        recorded = gate(evaluated(store, world(parts)), ACCURACY, store=store)
        before = len(store.query("ledger")), len(store.query("gate"))
        again = judge_evaluation(store, replay=recorded.gate_id)
        assert again.reproduced is True
        assert (again.verdict, again.reasons, again.checks) == (recorded.verdict, recorded.reasons, recorded.checks)
        assert (again.validation_uses, again.decision) == (recorded.validation_uses, recorded.decision)
        assert (len(store.query("ledger")), len(store.query("gate"))) == before


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ("UPDATE gate SET outcome = 'pass'", "verdict"),
        ("UPDATE gate SET checks = '[]'", "checks"),
        ("UPDATE gate SET subject_hash = 'another'", "model"),
        ("UPDATE gate SET policy_version = 'another'", "policy"),
    ],
)
def test_a_verdict_that_was_changed_is_not_reproduced(
    store: SqlStore, meddle: Meddle, change: str, differs: str
) -> None:
    recorded = gate(evaluated(store, world(HARMED)), ACCURACY, store=store)
    meddle(store, change)
    again = judge_evaluation(store, replay=recorded.gate_id)
    assert again.reproduced is False
    assert again.differences == (differs,)
    assert again.verdict == "fail"


def test_a_replay_says_which_versions_differ(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = gate(evaluated(store, world(HARMED)), ACCURACY, store=store)
    detail = json.loads(store.get("gate", {"id": recorded.gate_id})["detail"])
    assert set(detail["versions"]) == {"assay", "numpy", "scipy", "python"}
    assert (detail["seed"], detail["rows"]) == (0, recorded.dataset_hash)
    assert judge_evaluation(store, replay=recorded.gate_id).versions == ()
    now = {**detail["versions"], "numpy": "99.0"}
    monkeypatch.setattr("assay.prove.judgement.computed_with", lambda: now)
    again = judge_evaluation(store, replay=recorded.gate_id)
    assert again.reproduced is True
    assert again.versions == (f"numpy {detail['versions']['numpy']}, now 99.0",)


def test_what_is_not_asked_clearly_is_refused(store: SqlStore, policy: str) -> None:
    with pytest.raises(InvalidInput, match="what is to be judged"):
        judge_evaluation(store)
    with pytest.raises(InvalidInput, match="what is to be judged"):
        judge_evaluation(store, "abc")
    with pytest.raises(InvalidInput, match="neither an evaluation nor a policy"):
        judge_evaluation(store, policy=policy, replay="abc")
    with pytest.raises(NotFound, match="no evaluation whose id begins with 'zz'"):
        judge_evaluation(store, "zz", policy=policy)
    with pytest.raises(NotFound, match="no verdict whose id begins with ''"):
        judge_evaluation(store, replay="")


def test_the_exit_code_is_the_verdict(
    store: SqlStore, policy: str, meddle: Meddle, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = []
    for parts in ({"a": Part(3000)}, HARMED, {"a": Part(100)}):
        evaluation = evaluated(store, world(parts))
        command = ["--store", store.location, "gate", evaluation.evaluation_id, "--policy", policy, "--json"]
        codes.append(run(command))
        verdict = json.loads(capsys.readouterr().out)
    assert codes == [0, 1, 3]
    assert run(["--store", store.location, "gate", "--replay", verdict["gate_id"][:8]]) == 3
    said = capsys.readouterr().out
    assert "the same as recorded with decision 3, to the last bit" in said
    assert "segment=a" in said
    assert "alpha 0.05 (default)" in said
    assert "metrics.accuracy.margin 0.02;" in said
    assert "this is the first verdict on them" in said
    meddle(store, "UPDATE gate SET checks = '[]'")
    assert run(["--store", store.location, "gate", "--replay", verdict["gate_id"]]) == 1
    assert "NOT as recorded with decision 3: checks differ" in capsys.readouterr().out
