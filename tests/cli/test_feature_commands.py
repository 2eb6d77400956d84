"""What `assay features` prints of feature views, for people and as JSON."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import CommandLine
from tests.server.feature_worlds import fill_features

from assay.build.views.declared.view import DEFINED
from assay.record.location import open_store

FILE = '''
import assay
from assay.features import mean

assay.feature_view("week", entity="id", source="orders.csv", time="at", features={"total": mean("amount", over="7d")})


@assay.feature_view(entity="id", source="orders.csv", time="at", fresh="1d", owner="ana")
def spend(orders):
    """What was [red]spent[/]."""
    return orders
'''


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "orders.csv").write_text("id,at,amount\n1,2024-01-01T00:00:00,3\n2,2024-01-02T00:00:00,\n")
    (folder / "command_views.py").write_text(FILE)
    yield folder
    sys.modules.pop("command_views", None)
    sys.path[:] = [place for place in sys.path if place != str(folder)]
    DEFINED.clear()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("world") / "store"
    store = open_store(place)
    fill_features(store)
    store.close()
    return place


def test_registering_says_what_became_of_each_view(assay: CommandLine, files: Path) -> None:
    said = assay("features", "register", "command_views.py").out.splitlines()
    assert said == [
        "week@1 new, 1 feature of 2 rows: total",
        "spend@1 new, 1 feature of 2 rows: amount",
    ]
    again = assay("features", "register", str(files / "command_views.py"), "--json").document
    assert [(one["view"], one["outcome"]) for one in again["views"]] == [("week", "unchanged"), ("spend", "unchanged")]
    assert (
        assay.refused("features", "register", "command_view.py").splitlines()[1]
        == "  try: did you mean 'command_views.py'?"
    )
    shown = assay("features", "show", "spend").out
    for fact in ("spend@1  What was [red]spent[/].", "id (whole numbers)", "MORE than 1d", "50.0%", "its function"):
        assert fact in shown
    assert "mean(amount) over 7d" in assay("features", "show", "week").out
    assert "has one version" in assay.refused("features", "diff", "spend")
    assert "did you mean 'spend'" in assay.refused("features", "show", "spent", code=2)


def test_a_store_with_views_shows_them_their_use_and_what_was_found(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assay = CommandLine(world, capsys)
    listed = assay("features", "ls").out
    for fact in ("congestion@2", "delays/1", "within 6h", "MORE than 1h", "replay, check: delay in [5, inf]"):
        assert fact in listed
    shown = assay("features", "show", "congestion").out
    for fact in (
        "14d",
        "delays/1, prices/1",
        "(champion, serves delays) takes delay@2, flights@2",
        "delay: 3 of 2,000 served otherwise, fail",
        "33.3%",
        "`assay features diff congestion` says what the newest changed",
    ):
        assert fact in shown
    assert assay("features", "diff", "congestion").out.splitlines() == [
        "congestion@1 -> congestion@2",
        "- ttl 7d -> 14d",
        "- delay none -> 30m",
        "- freshness promise none -> 6h",
    ]
    assert assay("features", "diff", "congestion@2", "congestion").out == "congestion@2 -> congestion@2: the same\n"
    used = assay("features", "usage").out
    assert "congestion:flights   2          delays/1" in used
    assert "what would break" in used
    assert [one["view"] for one in assay("features", "usage", "congestion", "--json").document["views"]] == [
        "congestion"
    ]
    found = assay("features", "search", "airports delay").out
    assert "late_airports:delay_7d" in found
    assert assay("features", "search", "zebra").out.startswith("no feature has 'zebra' in its name")
    assert "same order" in assay("features", "duplicates", "late_airports").out
    assert assay("features", "duplicates", "late_airports", "--seconds", "0").out.startswith("none is there twice")


def test_what_a_store_is_worth_is_said_with_what_nobody_measured(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assay = CommandLine(world, capsys)
    said = assay("features", "worth", "--hours", "4-16", "--rate", "50")
    assert said.code == 0
    assert said.out.startswith("rung 2 of 3: an online store")
    for fact in (
        "1 of 1 replays found answers",
        "how fast answers must be: no record says it",
        "reuse: 1 x 4 to 16 hours x 50 = 200 to 800",
    ):
        assert fact in said.out
    assert assay("features", "worth", "--json").document["money"] is None
    assert "--rate is 'much'" in assay.refused("features", "worth", "--rate", "much")


def test_an_empty_store_says_what_to_do(assay: CommandLine) -> None:
    assert "assay features register FILE.py" in assay("features", "ls").out
    assert "assay features register FILE.py" in assay("features", "usage").out
    assert "assay features register FILE.py" in assay.refused("features", "show", "spend", code=2)
    assert assay("features", "worth").out.startswith("rung 0 of 3")
