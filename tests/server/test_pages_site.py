"""Every page of a small store: there, escaped, and kind to whoever asks for what is not there."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from tests.server.page_stores import HOSTILE, Small, fill_small

from assay.record import open_store
from assay.record.sqlstore import SqlStore
from assay.server.pages import routes


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlStore, Small, TestClient]]:
    store = open_store(tmp_path_factory.mktemp("pages") / "store")
    small = fill_small(store)
    yield store, small, TestClient(Starlette(routes=routes(store)))
    store.close()


@pytest.fixture(scope="module")
def client(shown: tuple[SqlStore, Small, TestClient]) -> TestClient:
    return shown[2]


@pytest.fixture(scope="module")
def small(shown: tuple[SqlStore, Small, TestClient]) -> Small:
    return shown[1]


class _Page(HTMLParser):
    """Scripts, handlers and styles in a page, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self.links: set[str] = set()
        self.sources: list[str] = []
        self.opened = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: "list[tuple[str, str | None]]") -> None:
        values = dict(attrs)
        self.opened = tag if tag == "script" and values.get("type") != "application/json" else ""
        self.handlers += [name for name in values if name.startswith("on") or name == "style"]
        if tag == "style":
            self.handlers.append(tag)
        if tag == "a" and values.get("href"):
            self.links.add(values["href"] or "")
        self.sources += [values[name] or "" for name in ("src",) if values.get(name)]
        if tag == "link":
            self.sources.append(values.get("href") or "")

    def handle_data(self, data: str) -> None:
        if self.opened == "script" and data.strip():
            self.scripts.append(data)


def _addresses(small: Small) -> list[str]:
    files = ("plot.png", "notes/read me.txt", "page.html", "drawing.svg", "table.csv", "model.bin")
    return [
        "/",
        "/?q=try",
        "/?q=nothing-like-it",
        "/?folder=vision",
        f"/experiments/{small.experiment}",
        "/runs",
        "/runs?group=params.lr",
        "/runs?show=metrics.loss&show=params.lr&show=tags.team",
        *(f"/runs/{run}" for run in (*small.runs, small.long)),
        *(f"/runs/{small.runs[0]}/files/{name}" for name in files),
        f"/compare?runs={','.join(small.runs)}",
        f"/compare?runs={small.runs[0]}&runs={small.long}&only=differences",
        f"/compare?runs={small.runs[0]},nobody",
        "/compare",
        "/models",
        "/models/net",
        "/models/net/1",
        "/logged-models",
        f"/logged-models?experiment={small.experiment}",
        f"/logged-models/{small.logged}",
        f"/logged-models/{small.logged}/files/MLmodel",
        "/projects",
        "/projects?since=2024-01-02",
        "/projects/small%20nets",
        "/projects/done",
        "/evaluations",
        "/datasets",
        "/datasets?name=images",
        "/ledger",
        "/ledger?check=1",
    ]


def test_every_page_is_there_and_nothing_in_it_runs_or_comes_from_elsewhere(client: TestClient, small: Small) -> None:
    for address in _addresses(small):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "script-src 'self'; style-src 'self';" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        page = _Page(answer.text)
        assert page.scripts == [], address
        assert page.handlers == [], address
        assert all(source.startswith("/") for source in page.sources), address
        assert "<script>alert" not in answer.text, address
        assert "<b>deep" not in answer.text, address


def test_every_link_of_every_page_leads_somewhere(client: TestClient, small: Small) -> None:
    known: dict[str, int] = {}
    for address in _addresses(small):
        for link in _Page(client.get(address).text).links:
            place = link.split("#")[0]
            if place.startswith("/") and place not in known:
                known[place] = client.get(place).status_code
    assert len(known) > 30
    assert {link: status for link, status in known.items() if status != 200} == {}


def test_names_that_are_no_friends_are_shown_as_they_are(client: TestClient, small: Small) -> None:
    answer = client.get(f"/runs/{small.long}")
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in answer.text
    assert HOSTILE not in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "/runs/0123456789abcdef",
        "/runs/x",
        "/experiments/77",
        "/models/nobody",
        "/models/nobody/1",
        "/models/nobody/99999999999999999999",
        "/evaluations/77",
        "/logged-models/m-nobody",
        "/logged-models?experiment=77",
        "/projects/nobody",
        "/no/such/page",
    ],
)
def test_what_is_not_there_is_said_on_a_page(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404
    assert "<h1>Not found</h1>" in answer.text
    assert 'href="/"' in answer.text


def test_an_unknown_file_and_a_wrong_number_are_said_on_a_page(client: TestClient, small: Small) -> None:
    assert client.get(f"/runs/{small.runs[0]}/files/nothing.txt").status_code == 404
    assert client.get("/ledger?before=x").status_code == 400
    assert client.get("/pages/series?run=x&key=loss&most=many").status_code == 400


def test_static_files_are_kept_by_browsers_and_cannot_lead_outside(client: TestClient) -> None:
    page = client.get("/").text
    address = page.split('<link rel="stylesheet" href="')[1].split('"')[0]
    answer = client.get(address)
    assert "immutable" in answer.headers["cache-control"]
    assert "--ink" in answer.text
    assert client.get("/pages/static/..%2Fsite.py").status_code == 404


def test_a_store_without_records_says_what_would_fill_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "empty")
    client = TestClient(Starlette(routes=routes(store)))
    for address in ("/", "/runs", "/compare", "/models", "/evaluations", "/datasets", "/ledger", "/projects"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert 'class="none"' in answer.text, address
    store.close()


def test_below_another_root_every_link_and_file_stays_below_it(shown: tuple[SqlStore, Small, TestClient]) -> None:
    store, small, _ = shown
    client = TestClient(Starlette(routes=[Mount("/assay", routes=routes(store))]))
    for address in (*_addresses(small), "/nothing"):
        page = _Page(client.get(f"/assay{address}").text)
        assert all(link.startswith(("/assay/", "#")) for link in page.links), address
        assert all(source.startswith("/assay/") for source in page.sources), address
    assert client.get(page.sources[0]).status_code == 200


def test_every_page_is_there_on_postgresql(postgres_store: SqlStore) -> None:
    small = fill_small(postgres_store)
    client = TestClient(Starlette(routes=routes(postgres_store)))
    assert {address: client.get(address).status_code for address in _addresses(small)} == dict.fromkeys(
        _addresses(small), 200
    )
