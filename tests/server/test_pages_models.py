"""Pages of models, versions, evaluations and decisions, on a world whose verdict is known."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.prove.worlds import ACCURACY, Part, evaluated, world

from assay.build.models.compile_command import compile_model
from assay.prove.evaluation import Evaluation
from assay.prove.gate import gate
from assay.prove.promotion import promote
from assay.record import open_store
from assay.record.audit.anchors import anchor
from assay.record.audit.personal import commit_personal
from assay.record.ledger import decide
from assay.record.models.aliases import clear_alias, set_alias
from assay.record.models.registered_models import create_registered_model
from assay.record.sqlstore import SqlStore
from assay.server.pages import routes

Told = tuple[SqlStore, Evaluation, TestClient]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    store = open_store(tmp_path_factory.mktemp("models") / "store")
    table = world({"north": Part(3_000, 0.03), "south": Part(3_000, 0.03)})
    evaluation = evaluated(store, table)
    gate(evaluation, ACCURACY, store=store)
    promote(store, "late", 1, override="the first one")
    promote(store, "late", 2)
    set_alias(store, "late", "mine", 1, reason="<b>to look at</b>")
    clear_alias(store, "late", "mine")
    create_registered_model(store, "empty one", description="<b>nothing</b>", tags={"team": "<u>a</u>"})
    yield store, evaluation, TestClient(Starlette(routes=routes(store)))
    store.close()


def test_models_are_listed_with_aliases_and_the_verdict_on_the_newest(told: Told) -> None:
    page = told[2].get("/models").text
    assert '<a class="mark strong" href="/models/late/2">champion → 2</a>' in page
    assert 'class="verdict-word pass"' in page
    assert 'href="/models/empty%20one"' in page


def test_a_model_shows_where_its_aliases_pointed_and_why(told: Told) -> None:
    page = told[2].get("/models/late").text
    assert "&lt;b&gt;to look at&lt;/b&gt;" in page
    assert "<td>nothing</td><td>version 1</td>" in page
    assert '<span class="mark strong">live</span>' in page
    empty = told[2].get("/models/empty%20one").text
    assert "It has no version yet." in empty
    assert "&lt;b&gt;nothing&lt;/b&gt;" in empty
    assert "team: &lt;u&gt;a&lt;/u&gt;" in empty


def test_a_version_shows_its_lineage_evaluations_decisions_and_seal(told: Told) -> None:
    _, evaluation, client = told
    page = client.get("/models/late/2").text
    assert "Lineage from left to right: " in page
    assert f'href="/evaluations/{evaluation.evaluation_id}"' in page
    assert 'href="/ledger#entry-' in page
    assert "All files are as they were sealed." in client.get("/models/late/2?check=1").text
    assert "MLmodel</a>" in page


def test_a_version_says_whether_it_is_compiled_with_the_proof_or_the_reason(told: Told) -> None:
    store, _, client = told
    report = compile_model(store, "late", "2")
    page = client.get("/models/late/2").text
    if report.outcome == "compiled":
        assert f"rows of training and {report.parity.border:,} at borders" in page if report.parity else False
    else:
        assert f"not compiled: {report.reason}" in page


def test_files_of_a_version_are_shown_and_downloaded(told: Told) -> None:
    client = told[2]
    assert "flavors" in client.get("/models/late/2/files/MLmodel").text
    answer = client.get("/models/late/2/files/model.pkl?raw=save")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert client.get("/models/late/2/files/nothing").status_code == 404
    assert client.get("/models/late/9").status_code == 404


def test_a_sealed_file_that_was_altered_is_named(told: Told) -> None:
    store, _, client = told
    version = store.query("model_version", {"model": "late", "version": 1})[0]
    blob = store.blobs.path(store.blobs.manifest(version["hash"])["requirements.txt"])
    before = blob.read_bytes()
    blob.chmod(0o644)
    blob.write_bytes(b"other")
    try:
        assert "requirements.txt of late/1 is missing or does not match" in client.get("/models/late/1?check=1").text
    finally:
        blob.write_bytes(before)


def test_an_evaluation_stands_in_the_frame_of_the_site_with_its_verdict_in_words(told: Told) -> None:
    _, evaluation, client = told
    page = client.get(f"/evaluations/{evaluation.evaluation_id}").text
    assert "<h2>Verdict: pass</h2>" in page
    assert 'aria-current="page">Evaluations</a>' in page
    assert page.count("<h1") == 1
    assert page.count("<main") == 1
    assert evaluation.evaluation_id[:8] in client.get("/evaluations").text
    assert client.get(f"/evaluations/{evaluation.evaluation_id[:8]}").status_code == 200


def test_decisions_are_listed_and_their_chain_is_checked(told: Told) -> None:
    client = told[2]
    page = client.get("/ledger").text
    assert 'href="/models/late/2">late/2</a>' in page
    assert "the first one" in page
    assert "is sound" in client.get("/ledger?check=1").text


def test_decisions_say_up_to_when_they_can_be_verified(told: Told, tmp_path: Path) -> None:
    store, _, client = told
    assert "No anchor yet: whoever owns this store could rewrite all of it" in client.get("/ledger").text
    made = anchor(store, file=str(tmp_path / "anchors.jsonl"))[0]
    page = client.get("/ledger").text
    assert f'Verifiable up to <time datetime="{made.ts}"' in page
    assert f"the chain up to entry {made.seq} was noted then in a file elsewhere" in page
    assert str(tmp_path) not in page
    decide(store, "note", "late/1", {"reason": commit_personal(store, "carl", "words", "<i>unwell</i>")})
    assert "&lt;i&gt;unwell&lt;/i&gt;" in client.get("/ledger").text


def test_datasets_are_listed_by_name_and_content(told: Told) -> None:
    _, evaluation, client = told
    page = client.get("/datasets").text
    assert 'href="/datasets?name=hold-out"' in page
    assert evaluation.dataset_hash[:12] in page
    assert "6,000" in page
