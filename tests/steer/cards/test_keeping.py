"""Cards on record: G13 and DOC-1 of the specification; what people say has an owner, a date and an end."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.steer.cards.card_worlds import CardWorld, fill_cards, say_all

from assay.errors import AssayError, InvalidInput, NotFound, Refused
from assay.prove.promotion import promote, rollback
from assay.record import soundness
from assay.record.clock import Clock
from assay.record.identity import Actor
from assay.record.sqlstore import SqlStore
from assay.steer.cards.commands import card, diff_cards, list_cards, show_card
from assay.steer.cards.keeping import card_rows, card_state
from assay.steer.cards.texts import MODEL_PARTS, write_text


@pytest.fixture
def made(store: SqlStore) -> CardWorld:
    return fill_cards(store)


def tier(store: SqlStore, word: str, model: str = "late") -> None:
    store.append("approval_rule", {"model": model, "tier": word, "detail": "{}"})


def test_g13_a_card_is_out_of_date_when_other_content_answers(store: SqlStore, made: CardWorld) -> None:
    assert card(store, "late", "2").state.state == "not serving"
    promote(store, "late", 2)
    assert card(store, "late", "2").state.state == "current"
    promote(store, "late", 1, override="a drill of the test")
    (listed,) = list_cards(store)
    assert listed.state == "out of date"
    assert listed.why == "late/1 answers, and this card describes late/2"
    rollback(store, "late")
    assert list_cards(store)[0].state == "current"


def test_g13_a_card_is_out_of_date_when_its_version_has_other_content(store: SqlStore, made: CardWorld) -> None:
    card(store, "late", "2")
    store.amend("model_version", {"mv_id": made.new.mv_id}, {"hash": made.old.hash})
    (row,) = card_rows(store, "model", made.new.mv_id)
    assert card_state(store, row).state == "out of date"


def test_doc1_a_card_is_complete_for_its_risk_tier(store: SqlStore, made: CardWorld) -> None:
    tier(store, "low")
    state = card(store, "late", "2").state
    assert (state.tier, state.complete) == ("low", False)
    assert state.missing == ["licence", "contact", "intended-use", "out-of-scope"]
    for part in state.missing:
        write_text(store, "late", part, "Said.")
    assert card(store, "late", "2").state.complete
    store.amend("approval_rule", {"model": "late"}, {"tier": "high"})
    state = list_cards(store)[0]
    assert not state.complete
    assert set(state.missing) == {
        "users",
        "factors",
        "metrics",
        "evaluation-data",
        "training-data",
        "ethics",
        "caveats",
    }


def test_doc1_without_a_tier_all_is_asked_for_and_records_count_too(store: SqlStore, made: CardWorld) -> None:
    say_all(store)
    assert card(store, "late", "2").state.complete
    state = card(store, "late", "1").state
    assert state.tier is None
    assert state.missing == [
        "records of evaluation data", "records of training data", "records of quantitative analyses",
    ]  # fmt: skip


def test_a_tier_for_all_models_counts_where_one_has_none(store: SqlStore, made: CardWorld) -> None:
    tier(store, "medium", model="")
    assert card(store, "late", "2").state.tier == "medium"


def test_the_same_card_again_is_the_same_row(store: SqlStore, made: CardWorld) -> None:
    first = card(store, "late", "2").state
    assert card(store, "late", "2").state.card_id == first.card_id
    write_text(store, "late", "ethics", "Nobody is harmed.")
    second = card(store, "late", "2").state
    assert second.card_id != first.card_id
    assert second.hash != first.hash
    assert [row["card_id"] for row in card_rows(store, "model", made.new.mv_id)] == [second.card_id, first.card_id]
    assert card_rows(store, "model", made.new.mv_id)[0]["content_hash"] == made.new.hash


def test_what_was_said_ends(store: SqlStore, made: CardWorld) -> None:
    say_all(store)
    written = card(store, "late", "2").state
    assert written.complete
    (row,) = card_rows(store, "model", made.new.mv_id)
    later = store.clock.now() + timedelta(weeks=53)
    assert set(card_state(store, row, at=later).missing) == set(MODEL_PARTS)
    store.clock = Clock(later)
    assert "That was until" in show_card(store, "late", "2").markdown
    assert show_card(store, "late", "2").hash == written.hash, "time alone makes no other card"


def test_a_word_for_a_version_goes_before_that_for_the_model(store: SqlStore, made: CardWorld) -> None:
    write_text(store, "late", "caveats", "Of all versions.")
    write_text(store, "late", "caveats", "Of the second.", version="2", owner="bo", valid_until="4w")
    assert "Of the second." in show_card(store, "late", "2").markdown
    assert "Of all versions." in show_card(store, "late", "1").markdown
    (kept,) = store.query("card_text", {"subject_kind": "version"})
    assert kept["owner"] == "bo"
    assert kept["actor"] == "ana"


def test_a_refused_word_changes_nothing(store: SqlStore, made: CardWorld) -> None:
    refusals: list[tuple[type[AssayError], str, dict[str, object]]] = [
        (InvalidInput, "did you mean 'licence'", {"section": "license"}),
        (InvalidInput, "0 characters", {"text": "  "}),
        (InvalidInput, "a day to come", {"valid_until": "2020-01-01"}),
        (InvalidInput, "a day to come", {"valid_until": "soon"}),
        (InvalidInput, "the owner is", {"owner": " "}),
        (NotFound, "did you mean 'late'", {"name": "lat"}),
        (NotFound, "has no version 9", {"version": "9"}),
        (InvalidInput, "no numbered version", {"version": "1", "dataset": True}),
        (NotFound, "no dataset", {"dataset": True}),
    ]
    for kind, words, changed in refusals:
        given = {"name": "late", "section": "licence", "text": "MIT", **changed}
        with pytest.raises(kind, match=words):
            write_text(store, **given)  # type: ignore[arg-type]
    store.actor = Actor("robot", "service")
    with pytest.raises(Refused, match="is a service"):
        write_text(store, "late", "licence", "MIT")
    assert store.query("card_text") == []


def test_a_difference_is_said_in_words(store: SqlStore, made: CardWorld) -> None:
    card(store, "late", "2")
    assert diff_cards(store, "late", "2").changes == []
    write_text(store, "late", "ethics", "Nobody is harmed.")
    assert diff_cards(store, "late", "2").changes == [
        "Ethical considerations: ethics was said by ana: Nobody is harmed."
    ]
    found = diff_cards(store, "late", "1", "2")
    assert found.before == "late/1 now"
    assert found.after.startswith("late/2 of ")
    assert "Model details: Version was 1, is now 2" in found.changes
    assert "Caveats and recommendations: gone: It was never evaluated." in found.changes
    assert any(one.startswith("Quantitative analyses: By segment, 4 rows are new") for one in found.changes)
    with pytest.raises(NotFound, match="no card of late/1 was written"):
        diff_cards(store, "late", "1")


def test_values_that_changed_are_told_by_row_and_metric(store: SqlStore, made: CardWorld) -> None:
    other = fill_cards(store, difference=0.05).new
    changes = diff_cards(store, "late", "2", str(other.version)).changes
    assert any(
        one.startswith("Quantitative analyses: By segment, segment=a: accuracy was 0.") and ", is now 0." in one
        for one in changes
    )


def test_nothing_is_written_where_a_file_cannot_be(store: SqlStore, made: CardWorld, tmp_path: Path) -> None:
    for given, words in (
        ({"output": str(tmp_path / "card.docx")}, r"ends with \.md, \.html, \.csv, \.json"),
        ({"output": str(tmp_path / "nowhere" / "card.md")}, "a folder that exists"),
        ({"pdf": str(tmp_path / "card.md")}, r"ends with \.pdf"),
        ({"dataset": "hold-out"}, "whose card is it"),
        ({"output": str(tmp_path / "card.md"), "url": "javascript:x"}, "begins with http"),
    ):
        with pytest.raises(InvalidInput, match=words):
            card(store, "late", "2", **given)
    with pytest.raises(InvalidInput, match="whose card is it"):
        card(store)
    assert store.query("card") == []


def test_the_store_is_sound_with_cards_and_says_where_one_is_gone(store: SqlStore, made: CardWorld) -> None:
    written = card(store, "late", "2").state
    assert soundness.check(store).problems == []
    store.blobs.path(store.get("card", {"card_id": written.card_id})["blob"]).unlink()
    assert any("the card of late/2 needs it" in one for one in soundness.check(store).problems)
