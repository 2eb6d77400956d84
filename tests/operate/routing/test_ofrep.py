import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from tests.operate.routing.routes_helpers import promoted, variant
from tests.operate.serving_helpers import ENDPOINT, serve_command

from assay.operate.routing.changing import end_split, set_split
from assay.operate.routing.ofrep import FLAGS, ofrep, ofrep_refusal
from assay.operate.routing.table import RoutingTable
from assay.operate.routing.watching import Watcher
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.record.models.routes import Split, current_route
from assay.record.sqlstore import SqlStore

ONE = f"{FLAGS}/{ENDPOINT}"


def _table(store: SqlStore, **changes: object) -> RoutingTable:
    first, second = promoted(store)
    split = Split("test", 3, "salt", **changes)  # type: ignore[arg-type] # as given
    variants = [variant(first), variant(second, 1, "challenger")]
    set_split(store, ENDPOINT, variants, split=split, kind="test", reason="")
    return Watcher(store, current_route(store, ENDPOINT)).table


def _ask(table: RoutingTable, path: str = ONE, **context: object) -> tuple[int, dict[str, object]]:
    found = ofrep(path, "POST", {}, json.dumps({"context": context}).encode(), table)
    assert found is not None
    return found[0], json.loads(found[2])


def test_a_unit_has_the_variant_that_the_split_gives_it(store: SqlStore) -> None:
    table = _table(store)
    for unit in map(str, range(20)):
        expected = table.assigner.assign(unit).variant
        status, said = _ask(table, targetingKey=unit)
        name = ("champion", "challenger")[expected]
        metadata = {"model": "delays", "version": expected + 1, "revision": 2, "takes_part": True}
        metadata |= {"experiment": "test", "phase": 3}
        assert status == 200
        assert said == {"key": ENDPOINT, "value": name, "variant": name, "reason": "SPLIT", "metadata": metadata}


def test_reasons_tell_a_split_from_a_segment_and_from_nothing_at_all(store: SqlStore) -> None:
    table = _table(store, segment="distance > 500")
    assert _ask(table, targetingKey="u", distance=600)[1]["reason"] == "TARGETING_MATCH"
    for attributes in ({}, {"distance": 5}, {"distance": "600"}, {"distance": None}, {"distance": [600]}):
        said = _ask(table, targetingKey="u", **attributes)[1]
        assert (said["value"], said["reason"]) == ("champion", "DEFAULT")
    said = _ask(_alone(store), targetingKey="u")[1]
    assert (said["value"], said["reason"]) == ("champion", "STATIC")


def _alone(store: SqlStore) -> RoutingTable:
    """The table after the split has ended."""
    end_split(store, ENDPOINT, kind="test", reason="")
    return Watcher(store, current_route(store, ENDPOINT)).table


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "PARSE_ERROR"),
        (b"{", "PARSE_ERROR"),
        (b"[1]", "PARSE_ERROR"),
        (b"\xff", "PARSE_ERROR"),
        (b"[" * 100_000, "PARSE_ERROR"),
        (b"{}", "INVALID_CONTEXT"),
        (b'{"context": null}', "INVALID_CONTEXT"),
        (b'{"context": [1]}', "INVALID_CONTEXT"),
        (b'{"context": {}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": ""}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 7}}', "INVALID_CONTEXT"),
    ],
)
def test_what_cannot_be_understood_is_refused_in_the_form_of_the_protocol(
    store: SqlStore, body: bytes, code: str
) -> None:
    table = _table(store)
    found = ofrep(ONE, "POST", {}, body, table)
    assert found is not None
    said = json.loads(found[2])
    assert (found[0], said["key"], said["errorCode"]) == (400, ENDPOINT, code)
    assert said["errorDetails"]
    bulk = ofrep(FLAGS, "POST", {}, body, table)
    assert bulk is not None
    assert bulk[0] == 400
    assert json.loads(bulk[2]).keys() == {"errorCode", "errorDetails"}


def test_unknown_flags_methods_and_paths(store: SqlStore) -> None:
    table = _table(store)
    status, said = _ask(table, f"{FLAGS}/delay", targetingKey="u")
    assert (status, said["key"], said["errorCode"]) == (404, "delay", "FLAG_NOT_FOUND")
    assert "did you mean 'delays'" in str(said["errorDetails"])
    refused = ofrep(ONE, "GET", {}, b"", table)
    assert refused is not None
    assert (refused[0], dict(refused[1])[b"allow"]) == (405, b"POST")
    assert ofrep("/ofrep/v1/configuration", "GET", {}, b"", table) is None
    assert ofrep("/predict", "POST", {}, b"", table) is None
    busy = ofrep_refusal(429, "too many", retry_after=7)
    assert (busy[0], dict(busy[1])[b"retry-after"], json.loads(busy[2])) == (429, b"7", {"errorDetails": "too many"})


def test_a_bulk_answer_has_a_tag_and_is_not_sent_twice(store: SqlStore) -> None:
    table = _table(store)
    body = json.dumps({"context": {"targetingKey": "u"}}).encode()
    first = ofrep(FLAGS, "POST", {}, body, table)
    assert first is not None
    status, headers, content = first
    tag = dict(headers)[b"etag"]
    assert status == 200
    assert [flag["key"] for flag in json.loads(content)["flags"]] == [ENDPOINT]
    for named in (tag, b"W/" + tag, b'"other", ' + tag, b"*"):
        again = ofrep(FLAGS, "POST", {b"if-none-match": named}, body, table)
        assert again == (304, [(b"etag", tag)], b"")
    changed = ofrep(FLAGS, "POST", {b"if-none-match": tag}, body, _alone(store))
    assert changed is not None
    assert (changed[0], dict(changed[1])[b"etag"] == tag) == (200, False)


# --- a client of OpenFeature ------------------------------------------------------------------------------------------


@pytest.fixture
def server(store: SqlStore, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server whose route has a split for some rows."""
    _table(store, segment="distance > 500")
    command = serve_command(tmp_path / "store")
    with ServerProcess(tmp_path / "store", ENDPOINT, command=command) as running:
        yield running


def test_an_unmodified_client_of_openfeature_is_told_the_variant_that_answers(server: ServerProcess) -> None:
    provider = OFREPProvider(server.url)
    api.set_provider(provider)
    client = api.get_client()
    row: dict[str, float | str] = {"distance": 600.0, "carrier": "AA"}
    units = list(map(str, range(20)))
    try:
        with PredictionClient(server.url) as predicting:
            answers = [round(value * 100) for _, value in predicting.predict([row] * 20, units=units)]
        assert set(answers) == {1, 2}
        for unit, version in zip(units, answers, strict=True):
            found = client.get_string_details(ENDPOINT, "none", EvaluationContext(unit, row))
            assert (found.value, found.variant) == (("champion", "challenger")[version - 1],) * 2
            assert (found.reason, found.flag_metadata["version"]) == ("TARGETING_MATCH", version)
        outside = client.get_string_details(ENDPOINT, "none", EvaluationContext("u", {"distance": 1}))
        assert (outside.value, outside.reason) == ("champion", "DEFAULT")
        missing = client.get_string_details("unknown", "none", EvaluationContext("u"))
        assert (missing.value, missing.error_code) == ("none", ErrorCode.FLAG_NOT_FOUND)
        nobody = client.get_string_details(ENDPOINT, "none")
        assert (nobody.value, nobody.error_code) == ("none", ErrorCode.INVALID_CONTEXT)
        number = client.get_integer_details(ENDPOINT, 7, EvaluationContext("u"))
        assert (number.value, number.error_code) == (7, ErrorCode.TYPE_MISMATCH)
    finally:
        api.clear_providers()
        provider.session.close()
