"""Requests that a server answers, and what becomes of them when they are broken at random."""

import gzip
import json
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Headers = list[tuple[str, str]]
BIG_INT = "1" + "0" * 400
NASTY_TEXT = [
    BIG_INT,
    "-" + BIG_INT,
    "1e400",
    "-1e400",
    "1e-400",
    "1e308",
    "-0",
    "NaN",
    "Infinity",
    "-Infinity",
    "null",
    "true",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "0.1e",
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"\\u0000"',
    '"\\ud83d\\ude00"',
    '"' + "x" * 5000 + '"',
    '"NaN"',
    '""',
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    '{"":""}',
    "[" * 200 + "]" * 200,
    "[" * 20_000 + "]" * 20_000,
    '{"a":' * 20_000 + "1" + "}" * 20_000,
    "[" * 100_000,
]
DATATYPES = ["BOOL", "INT8", "INT64", "UINT8", "UINT64", "FP16", "BF16", "FP32", "FP64", "BYTES", "FP65", ""]
NAMES = ["distance", "carrier", "assay_id", "assay_unit", "assay_variant", "inputs", "rows", "data", "shape", "*", "é"]
HEADERS: dict[str, list[str]] = {
    "content-type": [
        "",
        "text/csv",
        "application/json",
        "application/json; charset=latin-1",
        "text/csv;x",
        ";;=",
        "\xff",
    ],
    "content-encoding": ["gzip", "deflate", "identity", "br", "gzip, gzip", "", "\xff"],
    "inference-header-content-length": ["0", "1", "-1", "999999", "9" * 30, "0x10", "1e3", "", " 7 ", "\xb2"],
    "assay-deadline-ms": ["1", "0", "-1", "600001", "9" * 40, "x", "\xb2", ""],
    "assay-variant": ["champion", "challenger", "", "\xff", "x" * 3000, "shadow0"],
    "assay-event-time": [
        "2013-04-01T09:30:00Z",
        "2013-04-01",
        "0001-01-01T00:00:00Z",
        "x",
        "9999-12-31T23:59:59-14:00",
    ],
    "x-amzn-sagemaker-inference-id": ["a", "", "x" * 300, "\xe9"],
    "x-amzn-sagemaker-target-variant": ["champion", "challenger", "nobody", "\xff"],
    "if-none-match": ["*", '"x"', "W/", ","],
    "expect": ["100-continue", "x"],
    "connection": ["close", "upgrade", "keep-alive, Upgrade"],
    "upgrade": ["websocket", "h2c", "x"],
    "transfer-encoding": ["identity", "gzip", "x"],
}
PATHS = [
    "/",
    "//",
    "/predict/",
    "/predict?x=%ff&y=\x7f",
    "/%70redict",
    "/v2/models/delays/versions/1/infer",
    "/v2/models/delays/versions/2/infer",
    "/v2/models/delays/versions/3",
    "/v2/models/delays/versions/%ff/infer",
    "/v2/models/delays/versions/99999999999/ready",
    "/v2/models/%00/infer",
    "/v2/models/delay",
    "/features",
    "/labels",
    "/v2/models/delays/config",
    "/v2/models/delays/versions/1/stats",
    "/v2/models/stats",
    "/v2/models",
    "/v2",
    "/v2/repository/models/delays/load",
    "/v2/repository/models/delays/unload",
    "/ofrep/v1/evaluate/flags/delay",
    "/ofrep/v1/evaluate/flags/",
    "/openapi.json",
    "/metrics",
    "/version",
    "/ping",
    "/health/ready",
    "/x" * 3000,
    "*",
]
READ = [
    "/v2",
    "/v2/models",
    "/v2/models/delays/config",
    "/v2/models/stats",
    "/openapi.json",
    "/metrics",
    "/version",
    "/ping",
]


@dataclass
class Request:
    """One request. `whole` says that it is framed as HTTP wants it, so that an answer has to come."""

    path: str
    body: bytes
    headers: Headers = field(default_factory=list)
    method: str = "POST"
    declared: str | None = None  # another content-length than that of the body; empty for none
    whole: bool = True

    def head(self) -> bytes:
        length = str(len(self.body)) if self.declared is None else self.declared
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            "host: x",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        lines += [f"content-length: {length}"] if length else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def content(self) -> bytes:
        return self.head() + self.body


def binary_request(distances: list[float], carriers: list[str], *, wanted_binary: bool = True) -> Request:
    """Tensors as bytes behind their JSON."""
    first = struct.pack(f"<{len(distances)}d", *distances)
    second = b"".join(struct.pack("<I", len(one.encode())) + one.encode() for one in carriers)
    sizes = {"distance": ("FP64", len(first)), "carrier": ("BYTES", len(second))}
    said = json.dumps(
        {
            "inputs": [
                {"name": name, "shape": [len(distances)], "datatype": kind, "parameters": {"binary_data_size": size}}
                for name, (kind, size) in sizes.items()
            ],
            "parameters": {"binary_data_output": wanted_binary},
        }
    ).encode()
    headers = [("inference-header-content-length", str(len(said)))]
    return Request("/v2/models/delays/infer", said + first + second, headers)


def _json(path: str, body: object, headers: Headers | None = None) -> Request:
    return Request(path, json.dumps(body).encode(), headers or [("content-type", "application/json")])


def good_request(chosen: random.Random) -> tuple[Request, list[float] | None]:
    """A request in one of all forms, and the distances of its rows; None for one that asks for no prediction."""
    distances = [float(chosen.randrange(1, 50)) for _ in range(chosen.choice([1, 1, 1, 2, 5]))]
    carriers = [chosen.choice(["AA", "UA"]) for _ in distances]
    records = [{"distance": d, "carrier": c} for d, c in zip(distances, carriers, strict=True)]
    table = [[d, c] for d, c in zip(distances, carriers, strict=True)]
    columns = {"distance": distances, "carrier": carriers}
    mlflow = "/invocations"
    csv = "distance,carrier\n" + "".join(f"{d},{c}\n" for d, c in table)
    tensors = [
        {"name": "distance", "shape": [len(distances)], "datatype": "FP64", "data": distances},
        {"name": "carrier", "shape": [len(distances)], "datatype": "BYTES", "data": carriers},
    ]
    units = [f"u{chosen.randrange(100)}" for _ in distances]
    label = {"value": chosen.random(), "event_ts": "2026-01-01T00:00:00Z", "revision": chosen.randrange(10)}
    labels = [{**label, "prediction_id": f"p{chosen.randrange(1000)}", "name": chosen.choice("ab"), "value": 1}]
    context = {"targetingKey": units[0], "carrier": carriers[0]}
    asks: list[Callable[[], Request]] = [
        lambda: _json("/predict", {"rows": records}),
        lambda: _json("/predict", {"rows": records, "units": units, "explain": True}),
        lambda: _json("/v2/models/delays/infer", {"inputs": tensors, "id": "1", "parameters": {"assay_unit": "u"}}),
        lambda: _json(
            "/v2/models/delays/versions/1/infer",
            {"inputs": tensors, "outputs": [{"name": "assay_id"}, {"name": "probability"}]},
        ),
        lambda: binary_request(distances, carriers),
        lambda: binary_request(distances, carriers, wanted_binary=False),
        lambda: _json(mlflow, {"dataframe_split": {"columns": ["distance", "carrier"], "data": table}}),
        lambda: _json(mlflow, {"dataframe_records": records, "params": {"assay_unit": "u", "other": 1}}),
        lambda: _json(mlflow, {"instances": records}),
        lambda: _json(mlflow, {"inputs": columns}),
        lambda: Request(mlflow, csv.encode(), [("content-type", "text/csv")]),
        lambda: _json(
            mlflow,
            {"instances": table},
            [("content-type", "application/json; charset=utf-8"), ("x-amzn-sagemaker-target-variant", "challenger")],
        ),
    ]
    others: list[Callable[[], Request]] = [
        lambda: _json("/ofrep/v1/evaluate/flags/delays", {"context": context}),
        lambda: _json("/ofrep/v1/evaluate/flags", {"context": context}),
        lambda: _json("/labels", labels),
        lambda: Request("/labels", b"\n".join(json.dumps(one).encode() for one in labels)),
        lambda: _json("/v2/repository/index", {"ready": chosen.random() < 0.5}),
        lambda: _json("/v2/repository/models/delays/load", {"parameters": {"version": 3}}),
        lambda: _json("/v2/repository/models/delays/unload", {"parameters": {"version": 3}}),
        lambda: Request(chosen.choice(READ), b"", method="GET"),
    ]
    if chosen.random() < 0.75:
        return _packed(chosen.choice(asks)(), chosen), distances
    return chosen.choice(others)(), None


def _packed(request: Request, chosen: random.Random) -> Request:
    how = chosen.choice(["", "", "", "gzip", "deflate"])
    if how:
        request.headers.append(("content-encoding", how))
        request.body = gzip.compress(request.body) if how == "gzip" else zlib.compress(request.body)
    return request


def broken_request(chosen: random.Random) -> Request:
    """A request of which something was changed: its values, its bytes, its headers, its path, or how it is framed."""
    request, _ = good_request(chosen)
    for _ in range(chosen.choice([1, 1, 1, 2, 3])):
        chosen.choice(_CHANGES)(request, chosen)
    return request


def _values(request: Request, chosen: random.Random) -> None:
    """Some value of the JSON is another, or gone, or deeper."""
    length = next((value for name, value in request.headers if name == "inference-header-content-length"), None)
    cut = int(length) if length and length.isdigit() and length.isascii() else len(request.body)
    said, behind = request.body[:cut], request.body[cut:]
    try:
        document = json.loads(said)
    except (ValueError, RecursionError):
        _bytes(request, chosen)
        return
    places = _places(document)
    if not places:
        return
    marks: list[str] = []
    for holder, key in chosen.sample(places, min(len(places), chosen.choice([1, 1, 2, 4]))):
        _change(holder, key, chosen, marks)
    text = json.dumps(document, ensure_ascii=chosen.random() < 0.5)
    for number, mark in enumerate(marks):
        text = text.replace(f'"@@{number}@@"', mark)
    if chosen.random() < 0.1:  # a key twice
        text = text.replace("{", '{"rows":[],"inputs":[],"distance":1,', 1)
    content = text.encode("utf-8", "surrogatepass")
    if length is not None:
        request.headers = [one for one in request.headers if one[0] != "inference-header-content-length"]
        request.headers.append(("inference-header-content-length", str(len(content))))
    request.body = content + behind
    request.headers = [one for one in request.headers if one[0] != "content-encoding"]


def _places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else []
        found += [(one, key) for key in keys]
        waiting += [one[key] for key in keys]
    return found


def _change(holder: Any, key: Any, chosen: random.Random, marks: list[str]) -> None:
    what = chosen.randrange(8)
    if (isinstance(holder, list) and key >= len(holder)) or (isinstance(holder, dict) and key not in holder):
        return  # gone by an earlier change
    if what == 0:
        del holder[key]
    elif what == 1 and isinstance(holder, dict):
        holder[chosen.choice(NAMES)] = holder.pop(key)
    elif what == 2:
        holder[key] = [holder[key]] * chosen.choice([1, 2, 20])
    elif what == 3:
        holder[key] = {chosen.choice(NAMES): holder[key]}
    elif what == 4:
        holder[key] = chosen.choice([*DATATYPES, *NAMES, chosen.randrange(-5, 300), [2**62], [0], [-1, 3], [1] * 40])
    else:
        holder[key] = f"@@{len(marks)}@@"
        marks.append(chosen.choice(NASTY_TEXT))


def _bytes(request: Request, chosen: random.Random) -> None:
    """Some bytes of the body are others, or gone, or there are more."""
    body = bytearray(request.body)
    for _ in range(chosen.choice([1, 1, 2, 8])):
        place = chosen.randrange(len(body) + 1)
        what = chosen.randrange(5)
        if what == 0 and body:
            body[min(place, len(body) - 1)] ^= 1 << chosen.randrange(8)
        elif what == 1:
            del body[place : place + chosen.choice([1, 2, 10, 1000])]
        elif what == 2:
            body[place:place] = chosen.randbytes(chosen.choice([1, 2, 10]))
        elif what == 3:
            body[place:place] = chosen.choice(NASTY_TEXT).encode()
        else:
            body[place : place + 4] = chosen.choice(
                [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b'"', b"\n,"]
            )
    request.body = bytes(body)


def _noise(request: Request, chosen: random.Random) -> None:
    """Nothing of the body is left."""
    size = chosen.choice([0, 1, 7, 60, 2000, 100_000])
    request.body = chosen.choice(
        [chosen.randbytes(size), b"[" * size, b"\0" * size, b"," * size, b'{"rows":' + b"9" * size]
    )


def _headers(request: Request, chosen: random.Random) -> None:
    name = chosen.choice(list(HEADERS))
    kept = [one for one in request.headers if one[0] != name or chosen.random() < 0.3]
    request.headers = [*kept, (name, chosen.choice(HEADERS[name]))]
    if name in ("transfer-encoding", "upgrade", "connection"):
        request.whole = False


def _path(request: Request, chosen: random.Random) -> None:
    if chosen.random() < 0.7:
        request.path = chosen.choice(PATHS)
        request.whole = request.whole and "\x7f" not in request.path
    else:
        request.method = chosen.choice(["GET", "PUT", "HEAD", "OPTIONS", "DELETE", "BREW", "post"])
        request.whole = request.whole and request.method not in ("BREW", "post", "HEAD")


def _length(request: Request, chosen: random.Random) -> None:
    """The content-length lies."""
    size = len(request.body)
    lies = [
        str(size + 10),
        str(max(0, size - 5)),
        "0",
        "-1",
        "",
        "99999999999999999999",
        str(2**31),
        "0x5",
        " 3",
        "1,2",
    ]
    request.declared = chosen.choice(lies)
    request.whole = False


def _chunks(request: Request, chosen: random.Random) -> None:
    """The body comes in chunks, of which some lie."""
    pieces = [request.body[place : place + 50] for place in range(0, min(len(request.body), 5000), 50)]
    lie = chosen.random() < 0.5
    body = b"".join(b"%x\r\n%s\r\n" % (len(one) + (lie and chosen.random() < 0.1), one) for one in pieces)
    request.body = body + chosen.choice([b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nx: y\r\n\r\n", b"zz\r\n", b""])
    request.headers.append(("transfer-encoding", "chunked"))
    request.declared = chosen.choice(["", "", "5"])
    request.whole = False


def _bomb(request: Request, chosen: random.Random) -> None:
    """A small body that is large when it is unpacked, or not what its header says."""
    request.headers = [one for one in request.headers if one[0] != "content-encoding"]
    request.headers.append(("content-encoding", chosen.choice(["gzip", "deflate"])))
    request.body = _packed_spaces(chosen.choice([1 << 20, 1 << 24, 1 << 26]), chosen.choice([31, 15, -15]))
    if chosen.random() < 0.2:
        request.body = request.body[: len(request.body) // 2]


@cache
def _packed_spaces(size: int, bits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    return packer.compress(b" " * size) + packer.flush()


_CHANGES: list[Callable[[Request, random.Random], None]] = [
    *[_values] * 10,
    *[_bytes] * 5,
    *[_headers] * 4,
    *[_path] * 2,
    _noise,
    _length,
    _chunks,
    _bomb,
]
