"""G15 of the specification: every point of Annex IV with one of three states of coverage, evidence and no claims."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser
from tests.page_browser import ANY_IMPACT, fits, grave, opened
from tests.steer.cards.card_worlds import FORMULA, HOSTILE, CardWorld, fill_cards
from tests.steer.dossier.dossier_worlds import fill_dossier

from assay.errors import InvalidInput, NotFound
from assay.prove.promotion import promote
from assay.record import open_store, soundness
from assay.record.canonical import digest_file
from assay.record.clearing.leaving import Leaving
from assay.record.clearing.reachable import reachable
from assay.record.clock import Clock
from assay.record.models.registry import find_version
from assay.record.sqlstore import SqlStore
from assay.steer.cards.commands import card
from assay.steer.cards.document import Document, Section
from assay.steer.cards.files import as_csv
from assay.steer.cards.markdown import as_markdown
from assay.steer.cards.pages import as_page
from assay.steer.dossier.dossier import annex_iv, coverage_of, dossier_of
from assay.steer.dossier.points import POINTS
from assay.steer.dossier.saying import write_point

ROOT = Path(__file__).parents[3]
ANNEX = ["1", "2a", "2b", "2c", "2d", "2e", "2f", "2g", "2h", "3", "4", "5", "6", "7", "8", "9"]
CLAIM = re.compile(r"\bcompl(y|ies|ied|ying|iant|iance)\b(?!\W*/)", re.IGNORECASE)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlStore, CardWorld]]:
    store = open_store(tmp_path_factory.mktemp("dossier") / "store")
    yield store, fill_dossier(store)
    store.close()


def point(document: Document, key: str) -> Section:
    return next(one for one in document.sections if one.key == key)


def cells(section: Section, title: str) -> list[list[str]]:
    return next(table.rows for table in section.tables if table.title == title)


def test_g15_every_point_is_there_with_one_of_three_states(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    assert list(POINTS) == ANNEX
    for version in (made.old, made.new):
        document = dossier_of(store, version)
        points = coverage_of(document, store)
        assert [one.point for one in points] == ANNEX
        assert {one.coverage for one in points} <= {"records", "person", "empty"}
        for one in points:
            assert re.fullmatch(r"filled from records(, and by .+)?|filled by .+ on \d+ \w+ \d{4}|empty", one.words)


def test_g15_it_is_evidence_and_never_a_claim(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    at = store.clock.latest()
    for version in (made.old, made.new):
        document = dossier_of(store, version)
        for text in (as_markdown(document, at), as_page(document, at), as_csv(document, at)):
            assert text.count("is evidence for") >= len(ANNEX)
            assert not re.search(r"complies with", text, re.IGNORECASE)


def test_g15_no_template_and_no_sentence_of_the_code_claims_anything() -> None:
    sources = [*ROOT.glob("src/assay/steer/**/*.html"), *ROOT.glob("src/assay/steer/dossier/*")]
    sources += [*ROOT.glob("src/assay/steer/cards/*.py"), ROOT / "src/assay/cli/cards.py"]
    assert len(sources) > 25
    for path in sources:
        if path.is_file() and path.suffix in (".py", ".html", ".toml") and path.name != "texts.py":
            found = [one[0] for one in CLAIM.finditer(path.read_text()) if one[0].lower() != "compliance"]
            assert found == [], path.name


def test_records_fill_the_points_that_they_are_evidence_for(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    document = dossier_of(store, made.new)
    points = {one.point: one for one in coverage_of(document, store)}
    assert [key for key in ANNEX if points[key].coverage == "empty"] == ["7", "8"]
    facts = {fact.name: fact.value for fact in point(document, "1").facts}
    assert facts["Decision it drives"] == "which passengers are warned"
    assert facts["Objective"].startswith("Fewer missed flights")
    assert cells(point(document, "2b"), "Decision records")[0][:4] == [
        "On model_choice", "model_choice", "accepted", "Why model_choice",
    ]  # fmt: skip
    (rows,) = cells(point(document, "2d"), "Datasets")
    assert rows[:4] == ["hold-out", made_hash(store), "2,260", "training and judging"]
    assert cells(point(document, "2d"), "Checks")[0][2] == "2 pass"
    assert cells(point(document, "2e"), "Approvals")[0][:4] == ["approve", "bo", "validator", "ana"]
    assert cells(point(document, "2f"), "Triggers")[0][:2] == ["weekly", "schedule"]
    assert cells(point(document, "2h"), "Tests of security")[0][:2] == ["pen test", "pass"]
    assert [row[0] for row in cells(point(document, "3"), "Monitors")] == ["inputs", "slow"]
    assert cells(point(document, "4"), "Decision records")[0][1] == "metric_choice"
    assert cells(point(document, "5"), "Decision records")[0][1] == "risk"
    assert cells(point(document, "6"), "Deployments")[0][:2] == ["2", "late"]
    assert cells(point(document, "6"), "Incidents")[0][0] == "Wrong answers"


def made_hash(store: SqlStore) -> str:
    return str(store.query("artifact", {"name": "hold-out"})[0]["hash"])[:12]


def test_reports_are_dated_and_signed_or_not(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    reports = cells(point(dossier_of(store, made.new), "2g"), "Test reports")
    signed = {row[1]: row[-1] for row in reports}
    assert signed["evaluation"].startswith("dora on ")
    assert signed["verdict"] == "not signed"
    assert all(row[-2] for row in reports), "each is dated"


def test_the_monitoring_plan_shows_which_categories_nobody_watches(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    plan = point(dossier_of(store, made.new), "9")
    watched = dict(row[:2] for row in cells(plan, "By category of NIST AI 800-4"))
    assert watched == {
        "functionality": "inputs",
        "operational": "slow",
        "human factors": "nothing is watched",
        "security": "nothing is watched",
        "compliance": "nothing is watched",
        "large-scale impacts": "nothing is watched",
    }
    assert cells(plan, "What is watched")[0][:5] == ["inputs", "drift", "all", "1d", "2 of 3 windows"]
    facts = {fact.name: fact.value for fact in plan.facts}
    assert facts["Reviewed every"] == "12w"
    assert facts["Who reviews it"] == "carla"
    assert cells(plan, "What opens a review of the objective") == [
        ["missed flights", "its floor of 60 is passed"],
        ["complaints", "its limit of 12.5 a month is passed"],
        ["mix of users", "over 0.1 of them moved, by origin"],
        ["stop rule", "not worth it twice"],
    ]


def test_people_fill_points_for_all_models_or_one(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    write_point(store, "7", "EN 1 in part.")
    write_point(store, "2(e)", "Two people on duty.", model="late")
    points = {one.point: one for one in coverage_of(dossier_of(store, made.new), store)}
    assert (points["7"].coverage, points["7"].by) == ("person", "ana")
    assert points["7"].words.startswith("filled by ana on ")
    assert points["2e"].coverage == "records"
    assert ", and by ana on " in points["2e"].words
    write_point(store, "7", "EN 2.", model="late", owner="bo")
    assert "EN 2." in as_markdown(dossier_of(store, made.new), store.clock.latest())


def test_what_people_said_of_a_point_ends(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    write_point(store, "8", "Signed in May.", valid_until="1w")
    store.clock = Clock(store.clock.now() + timedelta(weeks=2))
    try:
        document = dossier_of(store, made.new)
        assert {one.point: one for one in coverage_of(document, store)}["8"].coverage == "empty"
        assert "has to be said again" in as_markdown(document, store.clock.latest())
    finally:
        store.clock = Clock()


def test_a_file_is_kept_with_what_was_said(store: SqlStore, tmp_path: Path) -> None:
    paper = tmp_path / "declaration.pdf"
    paper.write_bytes(b"%PDF-1.7 signed")
    said = write_point(store, "8", "The declaration.", file=str(paper))
    assert said.file == digest_file(paper)
    assert f"declaration.pdf, SHA-256 {said.file}" in said.text
    assert store.blobs.get(str(said.file)) == b"%PDF-1.7 signed"
    assert said.file in reachable(store, Leaving()), "gc keeps it"
    assert soundness.check(store).problems == []


def test_what_cannot_be_said_changes_nothing(store: SqlStore, tmp_path: Path) -> None:
    for given, kind, words in (
        ({"point": "2j"}, InvalidInput, "did you mean '2"),
        ({"text": "The system complies with Annex IV."}, InvalidInput, "the text says 'complies with'"),
        ({"text": " "}, InvalidInput, "0 characters"),
        ({"model": "none"}, NotFound, "no model 'none'"),
        ({"file": str(tmp_path / "gone.pdf")}, InvalidInput, "cannot be read"),
    ):
        with pytest.raises(kind, match=words):
            write_point(store, **{"point": "7", "text": "x", **given})
    assert store.query("card_text") == []
    assert store.query("artifact") == []


def test_the_same_store_at_the_same_time_gives_the_same_bytes(
    filled: tuple[SqlStore, CardWorld], tmp_path: Path
) -> None:
    store, _ = filled
    store.clock = Clock(store.clock.now())
    try:
        for ending in (".md", ".html", ".csv", ".json"):
            files = [tmp_path / f"{name}{ending}" for name in "ab"]
            found = [annex_iv(store, "late", output=str(file)) for file in files]
            assert files[0].read_bytes() == files[1].read_bytes()
            assert found[0].hash == found[1].hash
            assert sum(found[0].counts.values()) == len(ANNEX)
            assert msgspec.json.decode(msgspec.json.encode(found[0]))["points"][0]["coverage"] == "records"
    finally:
        store.clock = Clock()


def test_nothing_that_is_stored_runs(filled: tuple[SqlStore, CardWorld]) -> None:
    store, made = filled
    at = store.clock.latest()
    document = dossier_of(store, made.new)
    page = as_page(document, at, root="http://assay:5000")
    assert "<script" not in page
    assert HOSTILE.split("<")[-1] in page.replace("&gt;", ">")
    rows = as_csv(document, at)
    assert f",{FORMULA}" not in rows
    assert "\n=" not in rows


def test_a_dossier_is_of_the_champion_or_the_newest_version(store: SqlStore) -> None:
    fill_cards(store)
    assert annex_iv(store, "late").version == 2
    promote(store, "late", 1, override="for the test")
    assert annex_iv(store, "late").version == 1
    assert annex_iv(store, "late", "2").version == 2
    assert find_version(store, "late", "champion").version == 1
    with pytest.raises(NotFound, match="no model"):
        annex_iv(store, "lat")


@pytest.mark.browser
def test_the_files_fit_a_phone_and_a_desk_and_axe_finds_nothing(
    browser: Browser, filled: tuple[SqlStore, CardWorld], tmp_path: Path
) -> None:
    store, _ = filled
    card(store, "late", output=str(tmp_path / "card.html"))
    annex_iv(store, "late", output=str(tmp_path / "dossier.html"))
    for name in ("card", "dossier"):
        for width, theme in ((360, "dark"), (1280, "light")):
            address = (tmp_path / f"{name}.html").as_uri()
            with opened(browser, address, width=width, theme=theme, offline=True) as page:
                assert fits(page), f"{name} at {width} px"
                assert grave(page, ANY_IMPACT) == [], f"{name} at {width} px, {theme}"
