"""Cards, the dossier and regimes in a terminal and as JSON."""

import json
from pathlib import Path

import pytest
from tests.steer.cards.card_worlds import fill_cards

from assay.cli.main import run
from assay.record import open_store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ASSAY_ACTOR", "eve")
    store = open_store(tmp_path / "store")
    fill_cards(store)
    store.close()
    return str(tmp_path / "store")


def said(capsys: pytest.CaptureFixture[str], place: str, *words: str) -> str:
    assert run([*words, "--store", place]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_cards_are_told_in_words(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, place, "card", "late", "2", "-o", str(tmp_path / "card.md"))
    assert "state not serving: nothing of late answers" in text
    assert "nobody has said one: all is asked for" in text
    assert f"written to {tmp_path / 'card.md'}" in text
    assert "said by eve, valid until" in said(capsys, place, "card", "write", "late", "licence", "MIT")
    assert "1 changes Model details: licence was said by eve: MIT" in said(capsys, place, "card", "diff", "late", "2")
    assert said(capsys, place, "card", "ls").count("late/2") == 1
    assert said(capsys, place, "card", "show", "late").startswith("--- license: mit")
    shown = json.loads(_json(capsys, place, "card", "ls"))
    assert shown[0]["complete"] is False


def test_the_dossier_and_regimes_are_told_in_words(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "point 7 of all models, said by eve" in said(capsys, place, "dossier", "write", "7", "EN 1")
    assert "by a person" in said(capsys, place, "dossier", "annex-iv", "late")
    counts = json.loads(_json(capsys, place, "dossier", "annex-iv", "late"))["counts"]
    assert counts["person"] == 1
    assert "eu-ai-act-12" in said(capsys, place, "regimes", "ls")
    assert "not verified" in said(capsys, place, "regimes", "show", "eu-ai-act-72")


def test_what_is_wrong_ends_with_2(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["card", "nobody"], ["card"], ["dossier", "write", "2z", "x"], ["regimes", "show", "nothing"]):
        assert run([*words, "--store", place]) == 2
        assert capsys.readouterr().out == ""


def _json(capsys: pytest.CaptureFixture[str], place: str, *words: str) -> str:
    assert run([*words, "--json", "--store", place]) == 0
    return capsys.readouterr().out
