"""Cards as files: whole, the same for the same records, and harmless to whoever opens them."""

import csv
import io
import json
from pathlib import Path

import pytest
from tests.steer.cards.card_worlds import FORMULA, CardWorld, fill_cards, say_all

from assay.errors import InvalidInput, StoreUnavailable
from assay.record.csv_text import cell
from assay.record.sqlstore import SqlStore
from assay.steer.cards.commands import card, show_card
from assay.steer.cards.files import as_csv
from assay.steer.cards.model_card import model_card
from assay.steer.cards.printing import as_pdf
from assay.steer.cards.texts import write_text


@pytest.fixture
def made(store: SqlStore) -> CardWorld:
    return fill_cards(store)


def test_each_form_is_written_and_the_same_again(store: SqlStore, made: CardWorld, tmp_path: Path) -> None:
    say_all(store)
    for ending in (".md", ".html", ".csv", ".json"):
        first, second = tmp_path / f"one{ending}", tmp_path / f"two{ending}"
        assert card(store, "late", "2", output=str(first)).files == [str(first)]
        card(store, "late", "2", output=str(second))
        assert first.read_bytes() == second.read_bytes()
    shown = show_card(store, "late", "2")
    assert (tmp_path / "one.md").read_text() == shown.markdown
    assert json.loads((tmp_path / "one.json").read_text())["title"] == "late 2"


def test_no_cell_of_a_csv_file_is_a_formula(store: SqlStore, made: CardWorld) -> None:
    write_text(store, "late", "ethics", "@SUM(A1)", version="2")
    text = as_csv(model_card(store, made.new), store.clock.latest())
    rows = list(csv.reader(io.StringIO(text)))
    cells = [one for row in rows for one in row]
    assert f"'{FORMULA}" in cells, "a param of the run"
    assert "'@SUM(A1)" in cells
    assert not any(one.lstrip()[:1] in ("=", "@", "+", "-") for one in cells)


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1", "-x"])
def test_what_a_spreadsheet_computes_stands_behind_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-1", "+0.5", "-1.5e-3", "a=1", "1-2", "", "−1"])
def test_numbers_and_other_text_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


def test_a_missing_browser_is_named(
    store: SqlStore, made: CardWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInput, match=r"chromium, .* is not on the PATH") as refused:
        card(store, "late", "2", pdf=str(tmp_path / "card.pdf"))
    assert "apt-get install chromium" in str(refused.value)
    monkeypatch.setenv("ASSAY_BROWSER", "no-such-browser")
    with pytest.raises(InvalidInput, match="no-such-browser is not on the PATH"):
        as_pdf("<p>x</p>")
    assert list(tmp_path.glob("*.pdf")) == []
    assert store.query("card") == []


def test_a_browser_that_prints_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "browser"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 0\n")
    broken.chmod(0o755)
    monkeypatch.setenv("ASSAY_BROWSER", str(broken))
    with pytest.raises(StoreUnavailable, match="has printed nothing") as refused:
        as_pdf("<p>x</p>")
    assert "no display" in str(refused.value)


@pytest.mark.browser
def test_a_card_is_printed(store: SqlStore, made: CardWorld, tmp_path: Path) -> None:
    card(store, "late", "2", pdf=str(tmp_path / "card.pdf"))
    content = (tmp_path / "card.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(content) > 20_000
