"""Ideas: expected against measured on the frozen benchmark, kept whatever came of them."""

import json
from pathlib import Path

import pytest
from tests.prove.worlds import ACCURACY, Part, add_version, evaluated, pair, world

from assay.build.models.packaging import load_model
from assay.cli.main import run
from assay.errors import InvalidInput, NotFound
from assay.prove.evaluation import evaluate, load_evaluation
from assay.prove.gate import gate
from assay.prove.ideas import add_idea, list_ideas, try_idea
from assay.prove.policy import Guard, Policy
from assay.prove.promotion import promote
from assay.prove.segments import Segments
from assay.record.datasets import snapshot
from assay.record.models.registered_models import rename_registered_model
from assay.record.sqlstore import SqlStore

BETTER = {"a": Part(3000, 0.08, disagreement=0.2), "b": Part(3000, 0.08, disagreement=0.2)}


def with_champion(store: SqlStore, parts: dict[str, Part] | None = None) -> None:
    """`late/2` reads `new` and is the champion, judged beside `late/1`, which reads `old`."""
    table = world(parts or BETTER)
    assert gate(evaluated(store, table), ACCURACY, store=store).verdict == "pass"
    promote(store, "late", 2)


def test_an_idea_waits_until_it_is_tried(store: SqlStore) -> None:
    pair(store)
    made = add_idea(
        store,
        "late",
        " weather as of the hour ",
        technique="join",
        source="a paper",
        metric="auc",
        expected_gain=0.01,
    )
    (found,) = list_ideas(store)
    assert found == made
    assert (found.text, found.technique, found.source) == ("weather as of the hour", "join", "a paper")
    assert (found.metric, found.expected_gain, found.tries) == ("auc", 0.01, [])
    assert list_ideas(store, "late") == [made]


def test_a_try_asks_the_champions_question_of_the_same_rows(store: SqlStore) -> None:
    with_champion(store)
    judged = load_evaluation(store, store.query("evaluation")[0]["evaluation_id"])
    add_version(store, "old")
    idea = add_idea(store, "late", "answer as before", metric="accuracy", expected_gain=0.02)
    tried = try_idea(store, idea.idea_id[:8], candidate="3")
    asked = load_evaluation(store, tried.evaluation_id)
    assert (asked.dataset_hash, asked.dataset_name) == (judged.dataset_hash, judged.dataset_name)
    assert (asked.unit, asked.segments, asked.label) == (judged.unit, judged.segments, judged.label)
    assert (tried.candidate, tried.champion) == ("late/3", "late/2")
    old, new = (judged.table().rows[0], asked.table().rows[0])
    assert old.metric == new.metric == "accuracy"
    assert old.delta is not None
    assert tried.gain == pytest.approx(-old.delta)
    assert tried.low is not None
    assert tried.high is not None
    assert tried.gain is not None
    assert tried.low < tried.gain < tried.high < 0
    assert (tried.outcome, tried.verdict, tried.uses) == ("worse", "fail", 2)
    assert list_ideas(store)[0].tries == [tried]
    assert store.get("gate", {"id": tried.gate_id})["outcome"] == "fail"


def test_what_helps_is_better_and_what_changes_nothing_is_unclear(store: SqlStore) -> None:
    table = world(BETTER)
    old = load_model(store, add_version(store, "old"))
    kept = snapshot(store, "hold-out", table)
    gate(
        evaluate(old, table, label="late", store=store, dataset=kept),
        Policy(name="floor", metrics={"accuracy": Guard(at_least=0.6)}),
        store=store,
    )
    promote(store, "late", 1, override="the first one")
    idea = add_idea(store, "late", "the new way")
    add_version(store, "new")
    add_version(store, "old")
    better, same = (try_idea(store, idea.idea_id, candidate=str(version)) for version in (2, 3))
    assert (better.outcome, better.metric) == ("better", "accuracy")
    assert (same.outcome, same.gain) == ("unclear", 0.0)
    assert [one.candidate for one in list_ideas(store)[0].tries] == ["late/3", "late/2"]


def test_bins_crosses_and_sql_segments_are_asked_again(store: SqlStore) -> None:
    candidate, baseline = pair(store)
    table = world(BETTER).append_column("n", [list(range(6000))])
    segments = Segments(by=["segment", "n"], cross=1, bins={"n": [1000, 3000]}, where={"odd": "n % 2 = 1"})
    judged = evaluate(candidate, table, baseline=baseline, label="late", segments=segments, store=store, threshold=0.3)
    promote(store, "late", 2, override="it is better")
    idea = add_idea(store, "late", "as before")
    tried = try_idea(store, idea.idea_id, candidate="1")
    again = load_evaluation(store, tried.evaluation_id)
    assert again.profile.segment_names() == judged.profile.segment_names()
    assert (tried.verdict, tried.gate_id) == (None, None)
    assert json.loads(store.get("evaluation", {"evaluation_id": tried.evaluation_id})["detail"])["threshold"] == 0.3


def test_a_run_stands_for_the_version_it_registered(store: SqlStore) -> None:
    with_champion(store)
    version = add_version(store, "old")
    assert version.run_id is not None
    idea = add_idea(store, "late", "as before")
    assert try_idea(store, idea.idea_id, candidate=version.run_id[:10]).candidate == "late/3"


def test_ideas_follow_a_model_that_is_renamed(store: SqlStore) -> None:
    pair(store)
    idea = add_idea(store, "late", "weather")
    rename_registered_model(store, "late", "delayed")
    (found,) = list_ideas(store, "delayed")
    assert (found.idea_id, found.model) == (idea.idea_id, "delayed")


def test_what_cannot_be_tried_is_refused_and_nothing_is_kept(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="no model 'late'"):
        add_idea(store, "late", "anything")
    pair(store)
    with pytest.raises(NotFound, match="no model 'lat'") as raised:
        list_ideas(store, "lat")
    assert raised.value.hint == "did you mean 'late'?"
    with pytest.raises(InvalidInput, match="has no text"):
        add_idea(store, "late", "  ")
    with pytest.raises(InvalidInput, match="says little without its metric"):
        add_idea(store, "late", "more", expected_gain=0.1)
    with pytest.raises(InvalidInput, match="no metric 'acuracy'") as wrong:
        add_idea(store, "late", "more", metric="acuracy")
    assert wrong.value.hint == "did you mean 'accuracy'?"
    idea = add_idea(store, "late", "more")
    with pytest.raises(NotFound, match="has no champion"):
        try_idea(store, idea.idea_id, candidate="2")
    promote(store, "late", 2, override="the first one")
    with pytest.raises(NotFound, match="was never evaluated"):
        try_idea(store, idea.idea_id, candidate="1")
    evaluated(
        store, world(BETTER), (load_model(store, add_version(store)), load_model(store, add_version(store, "old")))
    )
    promote(store, "late", 3, override="the next one")
    with pytest.raises(InvalidInput, match="late/3 is the champion"):
        try_idea(store, idea.idea_id, candidate="3")
    with pytest.raises(NotFound, match="no version 9"):
        try_idea(store, idea.idea_id, candidate="9")
    with pytest.raises(InvalidInput, match="which version"):
        try_idea(store, idea.idea_id)
    with pytest.raises(NotFound, match="no idea whose id begins with 'zz'") as unknown:
        try_idea(store, "zz", candidate="1")
    assert unknown.value.hint == "`assay idea list`"
    assert store.query("idea_try") == []


def test_the_commands_show_expected_against_measured(
    store: SqlStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_champion(store)
    add_version(store, "old")
    place = ["--store", str(tmp_path / "store")]
    options = ["--metric", "accuracy", "--expected-gain", "0.02", "--source", "a paper", "--technique", "reading"]
    assert run(["idea", "add", "late", "read it anew", *options, *place]) == 0
    said = capsys.readouterr().out
    assert "read it anew (late)" in said
    idea = said.partition(":")[0]
    assert run(["idea", "list", *place]) == 0
    assert "not tried yet" in capsys.readouterr().out
    assert run(["idea", "try", idea, "--candidate", "3", *place]) == 1
    shown = capsys.readouterr().out
    assert "worse: late/3 against late/2, accuracy -0." in shown
    assert "expected +0.02" in shown
    assert run(["idea", "list", "late", *place]) == 0
    listed = capsys.readouterr().out
    assert "reading: read it anew" in listed
    assert "fail" in listed
    assert run(["idea", "list", "--json", *place]) == 0
    assert json.loads(capsys.readouterr().out)[0]["tries"][0]["outcome"] == "worse"
