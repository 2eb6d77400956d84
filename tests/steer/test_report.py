"""The report as a document: every number on it is a number of the summary, and nothing of it is missing."""

import importlib
import itertools
import json
import os
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from tests.steer.summaries import full_turn, only_champion

from assay.errors import InvalidInput, NotFound, StoreUnavailable
from assay.record.sqlstore import SqlStore
from assay.steer.facts import FORMATS, Facts
from assay.steer.loop import LoopSummary
from assay.steer.report import render, write_report

report_module = importlib.import_module("assay.steer.report")  # `assay.steer.report` is the operation
VOID = {"meta", "link", "br", "line", "path", "circle", "rect"}
SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


class Page(HTMLParser):
    """Text of a page: what stands in `<data>` with its path, and all other text a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.data: list[tuple[str, str, str]] = []
        self.other: list[str] = []
        self.summary = ""
        self.headings: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop()[0] == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self.open]
        if not tags:
            return
        attributes = self.open[-1][1]
        if tags[-1] == "data":
            self.data.append((attributes["data-path"] or "", attributes["value"] or "", data))
        elif tags[-1] == "script":
            self.summary += data
        elif tags[-1] != "style" and not any("tick" in (a.get("class") or "").split() for _, a in self.open):
            self.other.append(data)


def at(content: object, path: str) -> object:
    for part in path.split("."):
        key = part.replace("~1", ".").replace("~0", "~")
        content = content[int(key)] if isinstance(content, list) else content[key]  # type: ignore[index]
    return content


def number(shown: str) -> tuple[float, float]:
    """The number a reader sees, and half a unit of its last digit."""
    text = shown.replace(",", "").replace("−", "-")
    mantissa, _, power = text.partition(" × 10")
    scale = 10.0 ** int(power.translate(SUPERSCRIPT) or 0)
    decimals = len(mantissa.partition(".")[2])
    return float(mantissa) * scale, 0.5000001 * scale * 10.0**-decimals


def all_parts(summary: LoopSummary) -> list[LoopSummary]:
    """The summary, and variants of which each has lost a part or carries an unusual value."""
    change = msgspec.structs.replace
    assert summary.refused is not None
    assert summary.decay is not None
    tie = change(summary.refused, verdict="inconclusive", failed_segments=0, segment="overall", reasons=[], change="")
    empty = [change(watch, days=[], alarm_day=None) for watch in summary.watches]
    lost: list[dict[str, object]] = [
        {},
        {"decay": None, "watches": []},
        {"decay": change(summary.decay, alarm_day=None, e_value=3.2e11), "watches": summary.watches[:1]},
        {"watches": empty},
        {"retrained": None},
        {"refused": None},
        {"refused": tie},
        {"promoted": None},
        {"promoted": None, "decay": None, "watches": [], "refused": tie},
        {"rollback_seconds": None, "deployments": []},
        {"runs": [], "ledger": []},
        {"champion": change(summary.champion, verdict="inconclusive"), "promoted": None},
    ]
    return [change(summary, **parts) for parts in lost]


@pytest.fixture(params=range(13))
def summary(request: pytest.FixtureRequest) -> LoopSummary:
    """A full turn, its variants with a part missing, and a model that was only judged once."""
    number: int = request.param
    return [*all_parts(full_turn()), only_champion()][number]


def test_every_number_on_the_page_is_the_number_of_the_summary(summary: LoopSummary) -> None:
    page = Page(render(summary))
    content = json.loads(page.summary)
    assert content == json.loads(msgspec.json.encode(summary))
    assert len(page.data) > 200
    for path, value, shown in page.data:
        truth = at(content, path)
        if isinstance(truth, str):
            assert value == truth, path
            continue
        assert isinstance(truth, int | float), path
        assert float(value) == truth, path
        if path == "policy.confidence":
            assert float(shown) == pytest.approx(100 * truth)
            continue
        seen, half = number(shown)
        assert abs(seen - truth) <= half + 1e-12, f"{path} is {truth} and is shown as {shown}"


def test_no_number_stands_outside_a_data_element(summary: LoopSummary) -> None:
    page = Page(render(summary))
    stray = [text for text in page.other if re.search(r"\d", text) and not text.startswith("rows/second.p95")]
    assert not stray


def test_text_of_the_summary_is_shown_whole_or_shortened_from_its_beginning() -> None:
    page = Page(render(full_turn()))
    for path, value, shown in page.data:
        if path.endswith(("hash", "run_id")):
            assert value.startswith(shown)
        elif path.endswith(("reasons.0", "change", "segment", "description", "origin", "name")):
            assert value == shown


def test_headings_are_in_order_and_there_is_one_h1(summary: LoopSummary) -> None:
    headings = Page(render(summary)).headings
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    assert headings.count("h2") == 10
    assert all(int(after[1]) - int(before[1]) <= 1 for before, after in itertools.pairwise(headings))


def test_the_outcome_is_told_in_one_sentence() -> None:
    assert _outcome(full_turn()) == (
        "Version 4 replaced version 2 after the monitor proved a loss of quality on 14 June 2013; "
        "the gate refused version 3, proven worse on shop=MQ."
    )
    assert _outcome(only_champion()) == "Version 2 is the first champion."


def _outcome(summary: LoopSummary) -> str:
    found = re.search(r'<p class="outcome">(.*?)</p>', render(summary), re.DOTALL)
    assert found is not None
    return re.sub(r"<[^>]+>", "", found[1])


def test_what_did_not_happen_is_said() -> None:
    html = render(only_champion())
    for sentence in (
        "No monitor has watched this model yet.",
        "Nothing was deployed yet.",
        "No trigger has started a training yet.",
        "The gate has refused no candidate.",
        "No candidate has replaced the first champion.",
        "The rollback was not rehearsed.",
    ):
        assert sentence in html


def test_metrics_are_explained_once() -> None:
    html = render(full_turn())
    assert html.count("mean squared error of the probability") == 1
    assert html.count("a positive row is ranked above a negative one") == 1


def test_the_same_summary_gives_the_same_page() -> None:
    assert render(full_turn()) == render(full_turn())


def test_the_page_asks_for_nothing_from_outside() -> None:
    html = render(full_turn())
    links = re.findall(r'(?:src|href|action|data|poster|srcset)="([^"]*)"', html)
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert "@import" not in html
    assert "url(" not in html
    assert "http" not in html


def test_text_from_the_store_cannot_become_markup() -> None:
    evil = "</script><script>alert(1)</script><b>&amp;"
    summary = msgspec.structs.replace(full_turn(), model=evil)
    page = Page(render(summary))
    assert json.loads(page.summary)["model"] == evil
    assert render(summary).count("<script") == 1
    assert ("model", evil, evil) in page.data


def test_a_refusal_is_marked_by_word_and_shape_not_by_colour_alone() -> None:
    html = render(full_turn())
    row = re.search(r'<tr role="row" class="fail">.*?</tr>', html, re.DOTALL)
    assert row is not None
    assert "worse</td>" in row[0]
    assert "<path d=" in row[0]
    assert "<circle" not in row[0]


@pytest.mark.parametrize(
    ("form", "value", "shown"),
    [
        ("count", 1234567, "1,234,567"),
        ("signed", -0.16849, "−0.1685"),
        ("signed", 0.0031, "+0.0031"),
        ("score", 0.71234, "0.712"),
        ("seconds", 0.0934561, "0.093"),
        ("seconds", 123.456, "123.5"),
        ("probability", 0.0, "0"),
        ("probability", 5.5e-10, "5.5 × 10⁻¹⁰"),
        ("probability", 0.0432, "0.043"),
        ("percent", 0.9, "90"),
        ("percent", 1 - 2 * 0.05, "90"),
        ("measured", 336776.0, "336,776"),
        ("measured", 0.70412, "0.704"),
        ("measured", 12.3456, "12.35"),
        ("measured", 0.00001234, "1.2 × 10⁻⁵"),
        ("measured", -2.5, "−2.500"),
        ("measured", 1e12, "1.0 × 10¹²"),
        ("evidence", 43.27, "43"),
        ("day", "2013-06-09", "9 June 2013"),
        ("moment", "2013-06-09T12:34:56.000000Z", "2013-06-09 12:34"),
        ("hash", "0123456789abcdef", "0123456789ab"),
    ],
)
def test_values_are_shown_in_their_form(form: str, value: object, shown: str) -> None:
    assert FORMATS[form](value) == shown


def test_a_path_finds_keys_that_hold_a_dot_or_a_tilde() -> None:
    run = msgspec.structs.replace(full_turn().runs[0], metrics={"a.b~c": 2.5})
    facts = Facts(msgspec.structs.replace(full_turn(), runs=[run]))
    assert facts.value(f"runs.0.metrics.{Facts.key('a.b~c')}") == 2.5


def test_infinity_is_shown_as_the_json_has_it() -> None:
    summary = full_turn()
    assert summary.decay is not None
    endless = msgspec.structs.replace(summary, decay=msgspec.structs.replace(summary.decay, e_value=float("inf")))
    assert Facts(endless).show("decay.e_value", "evidence") == '<span class="none">none</span>'


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose model has a full turn behind it."""
    monkeypatch.setattr(report_module, "summarise", lambda store, model: full_turn())


@pytest.mark.usefixtures("told")
def test_the_file_is_written_whole_and_replaces_an_earlier_one(store: SqlStore, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("old")
    written = write_report(store, "late-orders", target)
    assert written.path == str(target)
    assert written.bytes == target.stat().st_size
    assert target.read_text(encoding="utf-8") == render(full_turn())
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.glob("*page*")] == ["page.html"]


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("target", [".", "missing/page.html"])
def test_a_target_that_is_no_file_in_a_folder_is_refused(store: SqlStore, tmp_path: Path, target: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_report(store, "late-orders", tmp_path / target)


@pytest.mark.usefixtures("told")
def test_a_full_disk_leaves_the_earlier_file(store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "page.html"
    target.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailable, match="No space left on device"):
        write_report(store, "late-orders", target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.glob("*page*")] == ["page.html"]


def test_a_model_nobody_judged_has_no_report(store: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no verdict on a model 'nobody'"):
        write_report(store, "nobody", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
