"""The table of runs: filter, order, columns, groups and pages, on both databases."""

import re
from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.server.page_stores import fill_many, fill_small

from assay.record.sqlstore import SqlStore
from assay.server.pages import routes

COUNT = 130


@pytest.fixture
def table(either_store: SqlStore) -> tuple[TestClient, str]:
    number = fill_many(either_store, COUNT, 5)
    return TestClient(Starlette(routes=routes(either_store))), f"/experiments/{number}"


def _names(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/runs/\w+" title="(run \d+)">', page)


def test_pages_follow_each_other_until_every_run_was_shown(table: tuple[TestClient, str]) -> None:
    client, address = table
    page = client.get(address).text
    assert "130 runs" in page
    seen = _names(page)
    assert len(seen) == 50
    while more := re.search(r'id="more" href="([^"]+)"', page):
        page = client.get(more[1].replace("&amp;", "&")).text
        seen += _names(page)
    assert seen == [f"run {place:05d}" for place in reversed(range(COUNT))]


def test_a_filter_and_an_order_hold_and_a_click_turns_the_order(table: tuple[TestClient, str]) -> None:
    client, address = table
    asked = {"filter": "params.optimizer = 'adam' and metrics.auc > 0", "order": "metrics.auc DESC"}
    page = client.get(address, params=asked).text
    assert all(int(name[-5:]) % 2 == 0 for name in _names(page))
    drawn = client.get(address, params={**asked, "show": "metrics.auc"}).text
    values = [float(text) for text in re.findall(r'<span class="value">([\d.]+)</span>', drawn)]
    assert drawn.count("</svg>") == 25, "only what is in sight is drawn"
    assert values == sorted(values, reverse=True)
    assert len(values) == 50
    assert 'aria-sort="descending"' in page
    assert "order=metrics.auc+ASC" in page


@pytest.mark.parametrize(
    ("filter", "said"),
    [
        ("metrics.auc >", "Expected: a number"),
        ("metrics.auc > 0.7 and params.lr = 'x", "a quote that is not closed"),
        ("statu = 'x'", "did you mean status?"),
    ],
)
def test_a_wrong_filter_is_shown_with_its_place_and_what_was_meant(
    table: tuple[TestClient, str], filter: str, said: str
) -> None:
    client, address = table
    answer = client.get(address, params={"filter": filter})
    assert answer.status_code == 200
    assert said in answer.text
    assert re.search(r"<pre>[^<]+\n *\^</pre>", answer.text)
    assert _names(answer.text) == []


def test_a_wrong_order_or_a_token_of_another_table_is_said(table: tuple[TestClient, str]) -> None:
    client, address = table
    assert "metrics" in client.get(address, params={"order": "metric DESC DESC"}).text
    assert "Invalid page token" in client.get(address, params={"token": "x"}).text


def test_only_chosen_columns_are_there_and_an_empty_choice_is_one(table: tuple[TestClient, str]) -> None:
    client, address = table
    page = client.get(f"{address}?show=&show=tags.team&show=params.lr&show=nonsense").text
    heads = re.findall(r'<th scope="col"[^>]*><a [^>]*title="([^"]+)"', page)
    assert heads == ["Run", "Status", "Started", "Duration", "team", "lr"]
    assert "team 1" in page
    assert "svg" not in client.get(f"{address}?show=").text.split("<tbody>")[1]


def test_runs_are_grouped_by_a_param_with_their_metrics(table: tuple[TestClient, str]) -> None:
    client, address = table
    page = client.get(f"{address}?group=params.optimizer&show=metrics.auc").text
    assert re.findall(r'">(adam|sgd)</a></th><td class="num">(\d+)</td>', page) == [("adam", "65"), ("sgd", "65")]
    link = re.search(r'<a href="([^"]+)">adam</a>', page)
    assert link is not None
    assert len(_names(client.get(link[1].replace("&amp;", "&")).text)) == 50
    filtered = client.get(f"{address}?group=tags.night&filter=params.data+%3D+'part-0'").text
    assert sum(int(count) for count in re.findall(r'</a></th><td class="num">(\d+)</td>', filtered)) == 19


def test_runs_without_the_param_are_a_group_of_their_own(store: SqlStore) -> None:
    small = fill_small(store)
    client = TestClient(Starlette(routes=routes(store)))
    page = client.get(f"/experiments/{small.experiment}?group=params.lr").text
    assert "not set" in page


def test_a_deleted_run_is_not_listed(store: SqlStore) -> None:
    from assay.record.tracking.run_changes import delete_run

    small = fill_small(store)
    client = TestClient(Starlette(routes=routes(store)))
    delete_run(store, small.runs[2])
    assert small.runs[2] not in client.get("/runs").text
    assert '<span class="mark bad">deleted</span>' in client.get(f"/runs/{small.runs[2]}").text


def test_drawings_that_a_page_did_not_bring_are_given_when_asked(store: SqlStore) -> None:
    small = fill_small(store)
    client = TestClient(Starlette(routes=routes(store)))
    page = client.get(f"/experiments/{small.experiment}?show=metrics.loss").text
    assert page.count('data-spark="loss"') == 1, "a hundred thousand points are not read for the page"
    drawn = client.get("/pages/sparklines", params={"run": small.runs, "key": "loss"}).json()
    assert {run: list(keys) for run, keys in drawn.items()} == {run: ["loss"] for run in small.runs}
    assert drawn[small.runs[0]]["loss"].startswith("M0 10L")


def test_ten_thousand_runs_are_asked_for_by_a_few_statements(
    store: SqlStore, asked_of: Callable[[SqlStore], list[str]]
) -> None:
    number = fill_many(store, 300, 3)
    client = TestClient(Starlette(routes=routes(store)))
    asked = asked_of(store)

    def questions(address: str) -> int:
        asked.clear()
        client.get(address)
        return len([text for text in asked if text.startswith(("SELECT", "WITH"))])

    assert 5 <= questions(f"/experiments/{number}") <= 15
    assert questions(f"/experiments/{number}?order=metrics.auc+DESC&filter=params.depth+%21%3D+'3'") <= 15
