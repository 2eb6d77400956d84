import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.operate.serving_helpers import ENDPOINT, ROW, add_route, add_version, call, predict

from assay.errors import StoreUnavailable
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.reading import LogReader, read_all
from assay.operate.routing.watching import Watcher
from assay.operate.serving import bodies
from assay.operate.serving.app import Application, Message
from assay.record.location import open_store
from assay.record.models.routes import current_route
from assay.record.sqlstore import SqlStore


class Served:
    """An application on a store with one version, and its log."""

    def __init__(self, folder: Path) -> None:
        self.store: SqlStore = open_store(folder / "store")
        self.version = add_version(self.store)
        add_route(self.store, self.version)
        self.watcher = Watcher(self.store, current_route(self.store, ENDPOINT))
        self.folder = folder / "log"
        self.log = LogWriter(self.folder)
        self.application = Application(self.watcher, self.log)
        self._reader = LogReader(self.folder)

    def logged(self) -> list[Prediction]:
        return self._reader.read_new()

    def close(self) -> None:
        self.log.close()
        self.store.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("shared"))
    yield made
    made.close()


# --- what is answered -------------------------------------------------------------------------------------------------


def test_each_row_is_answered_in_order_and_logged_before(served: Served) -> None:
    rows = [ROW, {"carrier": None, "distance": None}, {"distance": 7, "carrier": "é"}]
    answer = predict(served.application, {"rows": rows, "ids": ["a", "b", "c"], "units": ["u", None, "v"]})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == {
        "model": "delays",
        "version": 1,
        "revision": 1,
        "predictions": [
            {"id": "a", "probability": 0.01, "flags": {"distance": "out_of_range"}},
            {"id": "b", "probability": 0.01},
            {"id": "c", "probability": 0.01, "flags": {"distance": "out_of_range", "carrier": "unseen"}},
        ],
    }
    logged = served.logged()
    assert [one.features for one in logged] == [(1.0, "AA"), (None, None), (7.0, "é")]
    assert [(one.id, one.row, one.unit) for one in logged] == [("a", 0, "u"), ("b", 1, None), ("c", 2, "v")]
    assert len({one.request_id for one in logged}) == 1
    first = logged[0]
    assert (first.endpoint, first.model, first.version, first.mv_id) == ("delays", "delays", 1, served.version.mv_id)
    assert (first.role, first.propensity, first.output) == ("live", 1.0, 0.01)
    assert (first.status, first.error, first.event_ts) == ("ok", None, None)
    assert first.latency_us >= 0
    assert (served.application.engine.requests, served.application.engine.predictions) == (1, 3)


def test_labels_come_to_the_server_that_gave_the_predictions(served: Served) -> None:
    answered = predict(served.application, {"rows": [ROW]}).content["predictions"]
    (one,) = msgspec.convert(answered, list[dict[str, object]])
    label = {"prediction_id": one["id"], "value": 1, "event_ts": "2026-01-01T00:00:00Z"}
    body = msgspec.json.encode([label])
    assert call(served.application, "POST", "/labels", body).content == {"received": 1, "new": 1}
    assert call(served.application, "POST", "/labels", body).content == {"received": 1, "new": 0}
    other = call(served.application, "POST", "/labels", msgspec.json.encode([{**label, "value": 0}]))
    assert other.status == 409
    assert call(served.application, "POST", "/labels", b"[{}]").status == 400


def test_ids_are_made_where_the_request_has_none(served: Served) -> None:
    predictions = predict(served.application, {"rows": [ROW, ROW]}).content["predictions"]
    ids = [one["id"] for one in msgspec.convert(predictions, list[dict[str, object]])]
    assert len(set(ids)) == 2
    assert ids == [one.id for one in served.logged()]


def test_an_answer_is_not_sent_before_its_rows_are_logged(served: Served) -> None:
    seen: list[int] = []
    body = msgspec.json.encode({"rows": [ROW, ROW]})

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(_: Message) -> None:
        seen.append(len(read_all(served.folder)))

    scope: Message = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
    asyncio.run(served.application(scope, receive, send))
    assert seen == [2, 2]


def test_a_swap_changes_the_version_of_the_next_request(served: Served) -> None:
    second = add_version(served.store)
    add_route(served.store, second)
    served.watcher._look()
    assert predict(served.application, {"rows": [ROW]}).content["version"] == 2
    answer = call(served.application, "GET", "/version")
    assert answer.content == {
        "endpoint": "delays",
        "model": "delays",
        "version": 2,
        "revision": 2,
        "mv_id": second.mv_id,
        "hash": second.hash,
    }
    assert [one.mv_id for one in served.logged()] == [second.mv_id]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2013-04-01T09:30:00Z", "2013-04-01T09:30:00.000000Z"),
        ("2013-04-01T09:30+02:00", "2013-04-01T07:30:00.000000Z"),
    ],
)
def test_the_moment_of_a_replay_is_kept(served: Served, text: str, kept: str) -> None:
    assert predict(served.application, {"rows": [ROW]}, **{"assay-event-time": text}).status == 200
    assert [one.event_ts for one in served.logged()] == [kept]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"rows": []}, "the request has 0 rows\n  expected: 1 to 10000"),
        ({"rows": [ROW] * 10_001}, "the request has 10001 rows"),
        ({"rows": [ROW, {"distance": 1}]}, "row 1: column 'carrier' is missing"),
        ({"rows": [{**ROW, "carier": "x"}]}, "row 0: unexpected column 'carier', did you mean 'carrier'?"),
        ({"rows": [{**ROW, "z" * 9000: "x"}]}, f"row 0: unexpected column '{'z' * 100}'"),
        ({"rows": [{**ROW, "distance": "far"}]}, "row 0: column 'distance' is text, expected a number"),
        ({"rows": [ROW, {**ROW, "carrier": 3}]}, "row 1: column 'carrier' is a number, expected text"),
        ({"rows": [{**ROW, "distance": True}]}, "row 0: column 'distance' is true or false, expected a number"),
        ({"rows": [{**ROW, "carrier": ["x"]}]}, "row 0: column 'carrier' is a list, expected text"),
        ({"rows": [{**ROW, "carrier": {}}]}, "row 0: column 'carrier' is an object, expected text"),
        ({"rows": [None]}, "row 0: is null, expected an object with the columns distance, carrier"),
        ({"rows": {}}, "the body is not a request, expected"),
        ([], "the body is not a request, expected"),
        ({"rows": [ROW], "unit": ["x"]}, "the request was refused: unknown field 'unit'\n  expected: rows, ids"),
        ({"rows": [ROW], "ids": [3]}, "the request was refused: Expected `str`"),
        ({"rows": [ROW], "ids": []}, "there are 0 ids for 1 rows"),
        ({"rows": [ROW, ROW], "ids": ["a", "a"]}, "row 1: the id 'a' is that of row 0 too"),
        ({"rows": [ROW], "ids": [""]}, "row 0: the id has 0 characters"),
        ({"rows": [ROW], "ids": ["x" * 201]}, "row 0: the id has 201 characters"),
        ({"rows": [ROW], "units": ["a", "b"]}, "there are 2 units for 1 rows"),
    ],
)
def test_a_wrong_request_is_refused_by_row_and_column(shared: Served, request_: object, said: str) -> None:
    answer = predict(shared.application, request_)
    assert (answer.status, str(answer.content["error"])[: len(said)]) == (400, said)
    assert shared.logged() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"rows",
        b'{"rows":[',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"rows":' * 50_000,
        b'{"rows":[{"distance":NaN,"carrier":"x"}]}',
        b'{"rows":[{"distance":1e999,"carrier":"x"}]}',
        b'{"rows":[{"distance":' + b"9" * 5000 + b',"carrier":"x"}]}',
        b'{"rows":[{"distance":1,"carrier":"\\ud800"}]}',
        b'{"rows":[{"distance":1,"carrier":"\xff"}]}',
        b'{"rows":[{"distance":1,"carrier":"x"}]} {}',
    ],
)
def test_what_is_not_json_is_refused(shared: Served, body: bytes) -> None:
    answer = call(shared.application, "POST", "/predict", body)
    assert answer.status == 400
    assert str(answer.content["error"]).startswith(("the body is not JSON", "the request was refused"))
    assert shared.logged() == []


def test_paths_methods_encodings_and_sizes_are_refused_in_words(
    shared: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 100)
    application = shared.application
    missing = call(application, "GET", "/predictions")
    assert missing.status == 404
    paths = "/predict, /features, /labels, /health/live, /health/ready, /version"
    assert f"expected one of {paths}" in str(missing.content["error"])
    assert "/openapi.json tells all" in str(missing.content["error"])
    wrong = call(application, "GET", "/predict")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert call(application, "DELETE", "/version").headers["allow"] == "GET"
    assert call(application, "POST", "/predict", b"{}", {"content-encoding": "br"}).status == 415
    assert call(application, "POST", "/predict", b"{}", {"content-encoding": "Identity"}).status == 400
    assert call(application, "POST", "/predict", b"", {"content-length": "101"}).status == 413
    assert call(application, "POST", "/predict", b"", {"content-length": "9" * 5000}).status == 413
    assert call(application, "POST", "/predict", [b"x" * 60, b"x" * 60]).status == 413
    assert call(application, "POST", "/predict", [b'{"rows":', b"[]}"]).status == 400
    assert call(application, "POST", "/predict", b'{"rows":', disconnect=True).status == 400
    for text in ("yesterday", "2013-04-01T09:30:00", "0001-01-01T00:00:00+23:00", "é"):
        assert predict(application, {"rows": [ROW]}, **{"assay-event-time": text}).status == 400
    assert shared.logged() == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["distance", "carrier", "x"]), inner),
    max_leaves=8,
)
_REQUEST = st.fixed_dictionaries(
    {"rows": st.lists(st.fixed_dictionaries({"distance": _JSON, "carrier": _JSON}), max_size=3) | _JSON},
    optional={"ids": _JSON | st.lists(st.text()), "units": _JSON, "x": _JSON},
)


@settings(max_examples=300)
@given(body=st.binary() | _JSON.map(msgspec.json.encode) | _REQUEST.map(msgspec.json.encode))
def test_whatever_is_sent_is_answered_or_refused(shared: Served, body: bytes) -> None:
    answer = call(shared.application, "POST", "/predict", body)
    logged = shared.logged()
    assert answer.status in (200, 400)
    assert (answer.status == 200) == bool(logged)
    if answer.status == 400:
        assert list(answer.content) == ["error"]


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("carrier", "said"),
    [
        ("raise", "ArithmeticError: no such carrier \\udcff"),
        ("short", "0 outputs for 2 rows"),
        ("nan", "the output for row 1 is nan"),
    ],
)
def test_a_model_that_fails_answers_500_and_its_rows_are_logged_as_errors(
    shared: Served, carrier: str, said: str
) -> None:
    answer = predict(shared.application, {"rows": [ROW, {**ROW, "carrier": carrier}], "ids": ["a", "b"]})
    assert answer.status == 500
    assert answer.content == {"error": f"delays/1 failed on these rows: {said}"}
    logged = shared.logged()
    assert [(one.id, one.status, one.output, one.error) for one in logged] == [
        ("a", "error", None, said),
        ("b", "error", None, said),
    ]


def test_what_cannot_be_logged_is_not_answered(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(served.log, "append", full)
    answer = predict(served.application, {"rows": [ROW]})
    assert (answer.status, answer.content) == (503, {"error": "the disk is full"})
    assert served.application.engine.predictions == 0


# --- life -------------------------------------------------------------------------------------------------------------


def test_it_is_ready_between_start_and_shutdown(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    application = served.application
    states = [call(application, "GET", "/health/ready")]

    async def live() -> None:
        events: asyncio.Queue[Message] = asyncio.Queue()
        sent: asyncio.Queue[Message] = asyncio.Queue()
        task = asyncio.create_task(application({"type": "lifespan"}, events.get, sent.put))
        await events.put({"type": "lifespan.startup"})
        assert await sent.get() == {"type": "lifespan.startup.complete"}
        states.append(await asyncio.to_thread(call, application, "GET", "/health/ready"))
        monkeypatch.setattr(served.watcher, "_look", lambda: "the store is away")
        while served.watcher.problem is None:
            await asyncio.sleep(0.01)
        states.append(await asyncio.to_thread(call, application, "GET", "/health/ready"))
        await events.put({"type": "lifespan.shutdown"})
        assert await sent.get() == {"type": "lifespan.shutdown.complete"}
        await task

    asyncio.run(live())
    states.append(call(application, "GET", "/health/ready"))
    assert [state.status for state in states] == [503, 200, 200, 503]
    assert states[1].content == {"ready": True, "live": True, "revision": 1}
    assert states[2].content == {"ready": True, "live": True, "revision": 1, "detail": "the store is away"}
    assert call(application, "GET", "/health/live").content == {"live": True}
