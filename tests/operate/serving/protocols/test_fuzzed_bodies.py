"""Whatever comes as a body is answered or refused; it is never an error of the server, and a refusal logs nothing."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.operate.serving.protocols.protocol_helpers import Running

SETTINGS = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DATATYPE = st.sampled_from(["FP64", "FP32", "FP16", "BF16", "INT8", "UINT64", "BOOL", "BYTES", "FP65"])
TENSOR = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["distance", "carrier", "x", "assay_id", "assay_unit"]),
        "datatype": DATATYPE | st.text(max_size=5),
        "shape": st.lists(st.integers(-2, 4) | st.just(2**62), max_size=3),
    },
    optional={"data": ANYTHING, "parameters": st.none() | st.dictionaries(st.just("binary_data_size"), ANYTHING)},
)
INFER = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR, max_size=3)},
    optional={"id": ANYTHING, "parameters": ANYTHING, "outputs": ANYTHING},
)
INVOCATION = st.dictionaries(
    st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params", "messages"]),
    ANYTHING | st.dictionaries(st.sampled_from(["columns", "data", "distance", "carrier"]), ANYTHING),
    max_size=3,
)


def _statuses(server: Running, path: str, body: bytes, headers: dict[bytes, bytes]) -> int:
    before = server.application.engine.log.counts.logged
    reply: Any = asyncio.run(server.application._protocols.handle(path, "POST", headers, body))
    refused = reply[0] != 200
    assert refused == (server.application.engine.log.counts.logged == before)
    return int(reply[0])


@pytest.mark.no_cover
@given(body=INFER, length=st.none() | st.integers(-1, 80), behind=st.binary(max_size=40))
@SETTINGS
def test_tensors(mixed: Running, body: object, length: int | None, behind: bytes) -> None:
    said = json.dumps(body).encode()
    header = {} if length is None else {b"inference-header-content-length": str(len(said) - length).encode()}
    status = _statuses(mixed, "/v2/models/delays/infer", said + (behind if header else b""), header)
    assert status in (200, 400), body


@pytest.mark.no_cover
@given(body=st.binary(max_size=60), zero=st.booleans())
@SETTINGS
def test_bytes_that_are_no_tensors(mixed: Running, numbers: Running, body: bytes, zero: bool) -> None:
    header = {b"inference-header-content-length": b"0"} if zero else {}
    for server in (mixed, numbers):
        assert _statuses(server, "/v2/models/delays/infer", body, header) in (200, 400)


@pytest.mark.no_cover
@given(body=INVOCATION | ANYTHING)
@SETTINGS
def test_rows_in_mlflows_forms(mixed: Running, body: object) -> None:
    header = {b"content-type": b"application/json"}
    assert _statuses(mixed, "/invocations", json.dumps(body).encode(), header) in (200, 400), body


@pytest.mark.no_cover
@given(body=st.binary(max_size=60) | st.text("distance,crie\n\"'12.", max_size=60).map(str.encode))
@SETTINGS
def test_rows_as_csv(mixed: Running, body: bytes) -> None:
    for head in (b"", b"distance,carrier\n"):
        assert _statuses(mixed, "/invocations", head + body, {b"content-type": b"text/csv"}) in (200, 400)
