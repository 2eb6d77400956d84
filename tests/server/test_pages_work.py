"""Pages of logged models and of projects with their time."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.server.page_stores import Small, fill_small

from assay.record import open_store
from assay.server.pages import routes


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Small]]:
    store = open_store(tmp_path_factory.mktemp("work") / "store")
    small = fill_small(store)
    yield TestClient(Starlette(routes=routes(store))), small
    store.close()


def test_logged_models_are_listed_with_their_run_metrics_and_versions(both: tuple[TestClient, Small]) -> None:
    client, small = both
    page = client.get("/logged-models").text
    assert f'href="/logged-models/{small.logged}">net</a>' in page
    assert '<th scope="col" class="num">auc</th>' in page
    assert "0.71" in page
    assert 'href="/models/net/1">net 1</a>' in page
    assert "files still to come" in page
    assert "2 logged models" in client.get(f"/experiments/{small.experiment}").text


def test_a_logged_model_says_what_it_is_where_it_came_from_and_what_was_made_of_it(
    both: tuple[TestClient, Small],
) -> None:
    client, small = both
    page = client.get(f"/logged-models/{small.logged}").text
    assert f'<a href="/runs/{small.runs[0]}">try 0</a>' in page
    assert 'href="/models/net/1">net 1</a>' in page
    assert "classifier" in page
    assert "images" in page
    assert 'made it <span class="note">at step 3</span>' in page
    assert "used it" in page
    assert "flavors" in client.get(f"/logged-models/{small.logged}/files/MLmodel").text
    assert client.get(f"/logged-models/{small.logged}/files/MLmodel?raw=save").content == b"flavors: {}\n"
    assert client.get(f"/logged-models/{small.logged}/files/..%2Fx").status_code in (400, 404)


def test_a_run_and_a_version_lead_to_the_logged_model(both: tuple[TestClient, Small]) -> None:
    client, small = both
    for address in (f"/runs/{small.runs[0]}", "/models/net/1"):
        assert f'href="/logged-models/{small.logged}"' in client.get(address).text
    assert "run try 0; then logged model net; then version net 1" in client.get("/models/net/1").text


def test_projects_say_who_answers_what_is_late_and_where_the_time_went(both: tuple[TestClient, Small]) -> None:
    page = both[0].get("/projects").text
    assert "Late: small nets of ana, by " in page
    assert "closed " in page
    assert '<td>ana</td><td>labelling</td><td class="num">1 h 30 min</td>' in page
    assert '<td>ben</td><td>review</td><td class="num">30 min</td>' in page


def test_time_is_counted_from_a_day_on(both: tuple[TestClient, Small]) -> None:
    client = both[0]
    assert "labelling" not in client.get("/projects?since=2024-01-03").text
    assert client.get("/projects?since=yesterday").status_code == 400


def test_a_project_shows_its_experiments_hours_and_entries(both: tuple[TestClient, Small]) -> None:
    client, small = both
    page = client.get("/projects/small%20nets").text
    assert f'href="/experiments/{small.experiment}">vision/small nets</a>' in page
    assert "2020-05-01" in page
    assert '<span class="mark strong">running</span>' in page
    assert "No experiment belongs to it" in client.get("/projects/done").text
    assert 'href="/projects/small%20nets">small nets</a>' in client.get("/").text
