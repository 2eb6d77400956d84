"""The page of a run, its files, its charts' points, and runs beside each other."""

import csv
import io
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.server.page_stores import HOSTILE, Small, fill_small

from assay.record import open_store
from assay.server.pages import routes


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Small]]:
    store = open_store(tmp_path_factory.mktemp("run") / "store")
    small = fill_small(store)
    yield TestClient(Starlette(routes=routes(store))), small
    store.close()


@pytest.fixture
def client(both: tuple[TestClient, Small]) -> TestClient:
    return both[0]


@pytest.fixture
def small(both: tuple[TestClient, Small]) -> Small:
    return both[1]


def test_what_came_late_is_marked_and_does_not_count(client: TestClient, small: Small) -> None:
    page = client.get(f"/runs/{small.runs[0]}").text
    assert ">1 late</span>" in page
    assert 'after <span class="mark"' in page
    assert ">0.9<" not in page
    assert client.get("/pages/series", params={"run": small.runs[0], "key": "auc"}).json()["series"][0]["value"] == [
        0.7
    ]
    late = client.get("/pages/series", params={"run": small.runs[0], "key": "auc", "late": 1}).json()
    assert late["series"][0]["value"] == [0.7, 0.9]


def test_a_run_from_which_nothing_comes_is_lost(client: TestClient, small: Small) -> None:
    page = client.get(f"/runs/{small.long}").text
    assert 'class="state lost"' in page
    assert "Nothing came from this run since 2020-01-01 02:00:00" in page
    assert "2 h 0 min" in page


def test_the_first_characters_of_an_id_are_enough(client: TestClient, small: Small) -> None:
    assert small.runs[0] in client.get(f"/runs/{small.runs[0][:10]}").text


def test_a_run_shows_its_command_data_changes_and_children(client: TestClient, small: Small) -> None:
    page = client.get(f"/runs/{small.runs[0]}").text
    assert "python &lt;b&gt;" in page
    assert '<span class="add">+new</span>' in page
    assert "-old &lt;i&gt;" in page
    assert "images</a>" in page
    assert f'href="/runs/{small.long}"' in page


def test_a_hundred_thousand_points_are_drawn_by_few_with_lowest_and_highest(client: TestClient, small: Small) -> None:
    line = client.get("/pages/series", params={"run": small.long, "key": "loss", "most": 600}).json()["series"][0]
    assert line["count"] == 100_000
    assert len(line["step"]) <= 610
    whole = client.get("/pages/series.csv", params={"run": small.long, "key": "loss"}).text
    values = [float(row["value"]) for row in csv.DictReader(io.StringIO(whole))]
    assert len(values) == 100_000
    assert (min(line["value"]), max(line["value"])) == (min(values), max(values))


def test_a_part_of_a_line_is_given_finer_and_goes_on_to_both_edges(client: TestClient, small: Small) -> None:
    asked: dict[str, str | int] = {"run": small.long, "key": "loss", "from": 1000, "to": 1099}
    line = client.get("/pages/series", params=asked).json()["series"][0]
    assert line["step"] == list(range(999, 1101))
    by_time: dict[str, str | int] = {
        "run": small.long,
        "key": "loss",
        "x": "time",
        "from": 1_700_000_010_000,
        "to": 1_700_000_012_000,
    }
    assert client.get("/pages/series", params=by_time).json()["series"][0]["step"] == [9, 10, 11, 12, 13]


def test_what_is_no_number_is_null_in_a_chart(client: TestClient, small: Small) -> None:
    line = client.get("/pages/series", params={"run": small.runs[0], "key": "odd/nan"}).json()["series"][0]
    assert line["value"] == [None, 1.0]


def test_a_chart_of_a_run_that_is_not_there_is_empty(client: TestClient) -> None:
    assert client.get("/pages/series", params={"run": "nobody", "key": "loss"}).json()["series"] == []


def test_names_in_a_csv_are_no_formulas(client: TestClient, small: Small) -> None:
    answer = client.get("/pages/series.csv", params={"run": small.runs[0], "key": "loss"})
    assert answer.headers["content-disposition"] == 'attachment; filename="metric.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 40
    assert rows[0]["time"] == "2023-11-14T22:13:20.000000Z"


def test_files_are_previewed_and_never_run(client: TestClient, small: Small) -> None:
    place = f"/runs/{small.runs[0]}/files"
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in client.get(f"{place}/page.html").text
    assert '<td class="text">&lt;b&gt;one&lt;/b&gt;</td>' in client.get(f"{place}/table.csv").text
    assert "no text and no image" in client.get(f"{place}/model.bin").text
    assert 'raw=show" alt="plot.png"' in client.get(f"{place}/plot.png").text
    for name, kind in (("page.html", "application/octet-stream"), ("drawing.svg", "image/svg+xml")):
        answer = client.get(f"{place}/{name}?raw=show")
        assert answer.headers["content-type"] == kind
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get(f"{place}/page.html?raw=show").headers["content-disposition"].startswith("attachment")
    assert client.get(f"{place}/notes/read%20me.txt?raw=save").content == HOSTILE.encode()
    assert client.get(f"{place}/..%2F..%2Fsecret").status_code == 400


def test_a_comparison_marks_what_differs_from_the_first_run(client: TestClient, small: Small) -> None:
    page = client.get("/compare", params={"runs": ",".join(small.runs[:2])}).text
    assert '<td class="differs text">0.01</td>' in page
    assert '<td class="text">0.1</td>' in page
    assert "+0.01" in page
    assert ">after</th>" not in page, "what came late does not count"
    only = client.get("/compare", params={"runs": small.runs[1:], "only": "differences"}).text
    assert ">lr</th>" in only
    assert ">net</th>" not in only


def test_runs_that_are_not_there_are_left_out_of_a_comparison_and_named(client: TestClient, small: Small) -> None:
    page = client.get("/compare", params={"runs": [small.runs[0], "nobody"]}).text
    assert "Not found, and left out: nobody" in page
