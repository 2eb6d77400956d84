"""The card of a version: filled from records, asked of people, read by other tools."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from huggingface_hub import DatasetCard, ModelCard
from tests.steer.cards.card_worlds import FORMULA, HOSTILE, CardWorld, fill_cards

from assay.build.data.splits import split
from assay.prove.promotion import promote
from assay.record import open_store
from assay.record.datasets import find_dataset
from assay.record.sqlstore import SqlStore
from assay.steer.cards.commands import show_card
from assay.steer.cards.dataset_card import dataset_card
from assay.steer.cards.document import Document, Section
from assay.steer.cards.model_card import model_card
from assay.steer.cards.pages import as_page
from assay.steer.cards.texts import write_text


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlStore, CardWorld]]:
    store = open_store(tmp_path_factory.mktemp("cards") / "store")
    yield store, fill_cards(store)
    store.close()


def section(document: Document, key: str) -> Section:
    return next(one for one in document.sections if one.key == key)


def test_the_sections_are_those_of_model_cards(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    titles = [one.title for one in model_card(store, made.new).sections]
    assert titles == [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ]


def test_what_records_know_is_filled_and_linked(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    document = model_card(store, made.new)
    facts = {one.name: one for one in section(document, "details").facts}
    assert facts["Version"].value == "2"
    assert facts["Version"].link == "/models/late/2"
    assert facts["Run"].link == f"/runs/{made.new.run_id}"
    assert facts["Answers for it"].value == "bo"
    assert facts["Description"].value == HOSTILE
    (evaluated,) = section(document, "evaluation").tables
    assert evaluated.links == [f"/evaluations/{made.evaluation_id}"]
    assert evaluated.rows[0][1] == "hold-out"
    assert evaluated.rows[0][3] == "2,260"
    (read,) = section(document, "training").tables
    assert read.rows[0][0] == "hold-out"
    assert read.rows[0][-1] == "yes", "it was judged on rows that its run read"


def test_quantities_are_by_segment_with_intervals(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    tables = {one.title: one for one in section(model_card(store, made.new), "quantities").tables}
    assert list(tables) == ["All rows", "By segment", "Other datasets, all rows"]
    by_segment = tables["By segment"]
    assert {row[0] for row in by_segment.rows} == {f"segment={name}" for name in ("a", "b", HOSTILE, FORMULA)}
    assert by_segment.headings[:3] == ["segment", "rows", "accuracy"]
    assert all(re.fullmatch(r"0\.\d{4} \(0\.\d{4} to [01]\.\d{4}\)", row[2]) for row in by_segment.rows)
    assert tables["Other datasets, all rows"].rows[0][0] == "july"


def test_a_version_that_was_never_judged_says_so(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    document = model_card(store, made.old)
    assert "It was never evaluated." in section(document, "caveats").notes
    at = store.clock.latest()
    states = {key: section(document, key).coverage(at) for key in ("evaluation", "quantities", "factors")}
    assert set(states.values()) == {"empty"}
    assert "model-index" not in document.front


def test_the_hugging_face_hub_reads_the_front_matter(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    write_text(store, "late", "licence", "Apache-2.0")
    card = ModelCard(show_card(store, "late", "2").markdown)
    data: Any = card.data
    assert data.license == "apache-2.0"
    assert data.datasets == ["hold-out"]
    assert "roc_auc" in data.metrics
    assert data.model_name == "late"
    assert {one.dataset_name for one in data.eval_results} == {"hold-out", "july"}
    accuracy = next(
        one for one in data.eval_results if one.metric_type == "accuracy" and one.dataset_type == "hold-out"
    )
    shown = section(model_card(store, made.new), "quantities").tables[0].rows[0][2]
    assert f"{accuracy.metric_value:.4f}" == shown.split()[0]
    assert accuracy.dataset_revision == find_dataset(store, "hold-out").hash
    again: Any = ModelCard(card.content).data
    assert again.to_dict() == data.to_dict(), "written by the hub's library, it is the same"


def test_a_licence_in_words_is_another_one(filled: tuple[SqlStore, CardWorld]) -> None:
    store, _ = filled
    write_text(store, "late", "licence", "For our own use only\nask first", version="1")
    data: Any = ModelCard(show_card(store, "late", "1").markdown).data
    assert (data.license, data.license_name) == ("other", "for-our-own-use-only")


def test_a_dataset_card_is_read_by_the_hub_too(filled: tuple[SqlStore, CardWorld]) -> None:
    store, _ = filled
    data: Any = DatasetCard(show_card(store, "hold-out", dataset=True).markdown).data
    assert data.pretty_name == "hold-out"
    assert data.size_categories == ["1K<n<10K"]
    features = {one["name"]: one["dtype"] for one in data.get("dataset_info")["features"]}
    assert features == {"late": "int8", "segment": "string", "unit": "string", "old": "double", "new": "double"}


def test_a_dataset_card_has_columns_checks_and_what_came_of_it(filled: tuple[SqlStore, CardWorld]) -> None:
    store, _ = filled
    document = dataset_card(store, find_dataset(store, "hold-out"))
    (columns,) = section(document, "columns").tables
    values = {row[0]: row for row in columns.rows}
    assert values["segment"][3] == "4"
    assert "a (1,500)" in values["segment"][5]
    assert values["unit"][5] == "", "values of a column that tells rows apart are not shown"
    (checks,) = section(document, "checks").tables
    assert [row[1] for row in checks.rows] == ["pass", "pass"]
    runs = section(document, "uses").tables[0]
    assert any("late/2" in row[2] for row in runs.rows)
    assert document.hash == dataset_card(store, find_dataset(store, "hold-out")).hash


def test_splits_of_a_dataset_are_named(store: SqlStore) -> None:
    parts = split(pa.table({"x": list(range(200))}), test=0.25).record(store, "rows")
    document = dataset_card(store, parts["train"])
    (table,) = section(document, "parts").tables
    assert table.title == "Split rows, random"
    assert [row[0] for row in table.rows] == ["train", "test"]
    assert [row[3] for row in table.rows] == ["yes", "no"]


def test_the_same_records_give_the_same_card(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    first, second = (model_card(store, made.new) for _ in range(2))
    assert first.content == second.content
    at = store.clock.latest()
    assert as_page(first, at) == as_page(second, at)
    assert msgspec.json.decode(first.content, type=Document) == first


def test_the_card_says_nothing_that_follows_from_an_approval(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    before = model_card(store, made.new).hash
    promote(store, "late", made.new.version)
    assert model_card(store, made.new).hash == before


def test_no_stored_script_runs_in_the_page(filled: tuple[SqlStore, CardWorld], tmp_path: Path) -> None:
    store, made = filled
    write_text(store, "late", "ethics", HOSTILE, version="2")
    page = as_page(model_card(store, made.new), store.clock.latest(), root="http://assay:5000")
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4, "name of the run, description, segment, and what a person said"
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert 'href="javascript' not in page
