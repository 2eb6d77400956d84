"""Broken requests against a running server, and a watch over what it does: every finding is a sentence."""

import asyncio
import contextlib
import json
import os
import random
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tests.operate.serving.fuzzed_requests import Request, broken_request, good_request
from tests.operate.serving.protocols.protocol_helpers import Weighted, add_mixed
from tests.operate.serving.variant_helpers import variant
from tests.operate.serving_helpers import ENDPOINT

from assay.operate.predictions.reading import LogReader
from assay.operate.serving.protocols.grpc_messages import SERVICE, messages
from assay.record.models.routes import Split, append_route
from assay.record.store import Store

ANSWER_S = 20.0  # no answer may take longer
_KIND = 60  # characters by which findings are of one kind
_TAIL = 400  # characters of a request that a finding shows
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SLOW_S = 0.002


class WeightedSlowly(Weighted):
    """So slow that its rows are answered in batches."""

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        time.sleep(_SLOW_S)
        return super().predict_proba(X)


def add_endpoint(store: Store) -> None:
    """Two variants of which one is slow, a shadow, and a version that can be loaded by hand."""
    first, second = add_mixed(store), add_mixed(store, WeightedSlowly(0.02))
    add_mixed(store, Weighted(0.005))
    with store.transaction():
        append_route(
            store,
            ENDPOINT,
            [variant(first, "champion"), variant(second, "challenger")],
            shadows=[variant(add_mixed(store, Weighted(0.001)), "shadow0")],
            split=Split("test", 1, "salt", segment="distance < 40 OR carrier = 'AA'"),
            decision=0,
        )


@dataclass
class Fuzz:
    """What was asked and answered. `findings` are empty if all was well; `memory` are samples of megabytes."""

    url: str
    pid: int
    log: Path
    seed: int
    findings: dict[str, str] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    slowest: float = 0.0
    lag: float = 0.0
    slowest_request: str = ""
    rows: int = 0
    _answered: set[str] = field(default_factory=set)
    _early: set[str] = field(default_factory=set)

    async def run(self, seconds: float, *, connections: int = 6, grpc_port: int | None = None) -> None:
        """Ask for so long."""
        until = time.monotonic() + seconds
        asking = [self._ask_often(random.Random(self.seed * 1000 + number), until) for number in range(connections)]
        slow = [self._trickle(random.Random(self.seed * 1000 + 900 + number), until) for number in range(3)]
        calls = [] if grpc_port is None else [self._call(grpc_port, random.Random(self.seed * 1000 + 999), until)]
        await asyncio.gather(*asking, *slow, *calls, self._watch(until))
        await asyncio.sleep(0.2)
        self._compare()
        if self._answered:
            self._found(f"{len(self._answered)} answered rows are not in the log", repr(sorted(self._answered)[:3]))

    def grown(self) -> float:
        """By how many megabytes the server is larger at the end than after the first quarter."""
        quarter = max(1, len(self.memory) // 4)
        return max(self.memory[-quarter:]) - max(self.memory[:quarter])

    def summary(self) -> str:
        """What was answered, how slowly at worst, and what memory the server had each minute."""
        return (
            f"{dict(self.statuses)}, {self.rows} rows\n"
            f"slowest {self.slowest:.2f} s, of which {self.lag:.2f} s may be our own: {self.slowest_request}\n"
            f"memory in MB {[round(one) for one in self.memory[::60]]}\n"
        )

    def _found(self, what: str, about: object) -> None:
        if what[:_KIND] in self.findings:  # the first of a kind tells enough
            return
        said = _shown(about.content() if isinstance(about, Request) else about)
        self.findings[what[:_KIND]] = f"{what}: {said}"
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {what}: {said}\n")

    async def _ask_often(self, chosen: random.Random, until: float) -> None:
        connection = _Connection(self.url)
        while time.monotonic() < until:
            if chosen.random() < 0.1:
                request, distances = good_request(chosen)
                await self._ask_good(connection, request, distances)
            else:
                await self._ask(connection, broken_request(chosen), chosen)
        connection.close()

    async def _ask_good(self, connection: "_Connection", request: Request, distances: list[float] | None) -> None:
        status, headers, content = await self._ask(connection, request) or (0, {}, b"")
        contradicted = (request.path, status) == ("/labels", 409)  # a broken one said something else before
        if status not in (200, 503) and not contradicted:
            self._found(f"a good request was answered {status}, {content[:300]!r}", request)
        elif distances is not None and status == 200:
            numbers = _numbers(request, headers, content)
            right = len(numbers) == len(distances) and all(
                any(abs(number - min(1.0, weight * distance)) < 1e-9 for weight in (0.01, 0.02))
                for number, distance in zip(numbers, distances, strict=True)
            )
            if not right:
                self._found(f"a good request was answered {numbers}, {content[:300]!r}", request)

    async def _ask(
        self, connection: "_Connection", request: Request, chosen: random.Random | None = None
    ) -> tuple[int, dict[str, str], bytes] | None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_S if request.whole else 0.3 + 2 * _SLOW_S):
                await connection.send(request.content(), chosen)
                answer = await connection.answer(request.method)
        except TimeoutError:
            if request.whole:
                self._found(f"no answer within {ANSWER_S:g} s", request)
            self.statuses["left"] += 1
            connection.close()
            return None
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            if request.whole:
                self._found(f"no answer, {error!r}", request)
            self.statuses["closed"] += 1
            connection.close()
            return None
        took = time.monotonic() - began
        if took > self.slowest:
            self.slowest, self.slowest_request = took, _shown(request.content())
        self._judge(request, *answer)
        if not request.whole or answer[1].get("connection") == "close" or answer[0] in (408, 413):
            connection.close()
        return answer

    def _judge(self, request: Request, status: int, headers: dict[str, str], content: bytes) -> None:
        self.statuses[str(status)] += 1
        if status >= 500 and status != 503:
            self._found(f"status {status}, {content[:300]!r}", request)
        if status == 503 and "retry-after" not in headers and request.method == "POST":
            self._found(f"503 without retry-after, {content[:300]!r}", request)
        if headers.get("content-type") == "application/json" and content.strip():
            try:
                json.loads(content, parse_constant=_no_constant)
            except ValueError as error:
                self._found(f"an answer {status} is not JSON, {error}, {content[:300]!r}", request)
        if status == 200 and request.method == "POST":
            try:
                ids = _ids(headers, content)
            except (ValueError, KeyError, TypeError) as error:
                self._found(f"an answer 200 cannot be read, {error!r}, {content[:300]!r}", request)
            else:
                self.rows += len(ids)
                self._answered |= set(ids) - self._early
                self._early -= set(ids)

    async def _trickle(self, chosen: random.Random, until: float) -> None:
        """A request that comes slowly, or stops coming."""
        while time.monotonic() < until:
            request, _ = good_request(chosen)
            request.whole = chosen.random() < 0.7
            content = request.content() if request.whole else request.content()[: -chosen.randrange(1, 10)]
            connection = _Connection(self.url)
            with contextlib.suppress(OSError):
                for place in range(0, len(content), 97):
                    await connection.send(content[place : place + 97])
                    await asyncio.sleep(0.01)
                if request.whole:
                    began = time.monotonic()
                    try:
                        self._judge(request, *await asyncio.wait_for(connection.answer(), ANSWER_S))
                    except (TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
                        self._found(f"no answer to what came slowly, {error!r}", request)
                    self.slowest = max(self.slowest, time.monotonic() - began)
            connection.close()

    async def _call(self, port: int, chosen: random.Random, until: float) -> None:
        """gRPC: messages whose bytes were changed."""
        good = {
            grpc.StatusCode.OK,
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.NOT_FOUND,
            grpc.StatusCode.UNAVAILABLE,
        }
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            while time.monotonic() < until:
                content = _message(chosen)
                call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
                code, answer = grpc.StatusCode.OK, b""
                try:
                    answer = await call(content, timeout=ANSWER_S)
                except grpc.aio.AioRpcError as error:
                    code = error.code()
                    if code not in good:
                        self._found(f"gRPC {code.name}, {error.details()}", content)
                self.statuses[f"grpc {code.name}"] += 1
                if answer:
                    self._answered |= _ids_of_message(answer) - self._early

    async def _watch(self, until: float) -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            await asyncio.sleep(1.0)
            self.lag = max(self.lag, time.monotonic() - began - 1.0)
            try:
                pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
            except (OSError, ValueError, IndexError):
                self._found("the server has gone", self.pid)
                return
            self.memory.append(pages * _PAGE / 1e6)
            self._compare()

    def _compare(self) -> None:
        """What is in the log need not be looked for again. A row is there before its answer is."""
        for one in self._reader.read_new():
            if one.role == "live" and one.status == "ok":
                if one.id in self._answered:
                    self._answered.discard(one.id)
                else:
                    self._early.add(one.id)
        if len(self._early) > 200_000:  # of rows whose answer nobody read
            self._early.clear()

    def __post_init__(self) -> None:
        self._reader = LogReader(self.log)


class _Connection:
    """Opened when it is first written to."""

    def __init__(self, url: str) -> None:
        self._host, port = url.removeprefix("http://").split(":")
        self._port = int(port)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, content: bytes, chosen: random.Random | None = None) -> None:
        """All of it, or in two pieces."""
        if self._writer is None or self._reader is None or self._reader.at_eof():
            self.close()
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 26)
        cut = chosen.randrange(len(content)) if chosen is not None and chosen.random() < 0.1 else 0
        self._writer.write(content[:cut])
        if cut:
            await asyncio.sleep(0.005)
        self._writer.write(content[cut:])
        with contextlib.suppress(ConnectionError):  # it may have answered already, and closed
            await self._writer.drain()

    async def answer(self, method: str = "POST") -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body, which an answer to HEAD only tells the length of."""
        assert self._reader is not None
        while True:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head[:-4].split("\r\n")
            status = int(first.split(" ")[1])
            if status >= 200:  # and not 100: continue
                break
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if method == "HEAD" or status == 304:
            return status, headers, b""
        if "content-length" not in headers:
            return status, headers, await self._reader.read(1 << 20)
        return status, headers, await self._reader.readexactly(int(headers["content-length"]))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def _shown(about: object) -> str:
    text = repr(about)
    return text if len(text) <= 2 * _TAIL else f"{text[:_TAIL]} ... {text[-_TAIL:]}"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} in JSON")


def _documents(headers: dict[str, str], content: bytes) -> tuple[Any, dict[str, list[Any]]]:
    """The JSON of an answer, and the values of tensors by name."""
    cut = int(headers.get("inference-header-content-length", len(content)))
    said, behind = json.loads(content[:cut]), content[cut:]
    tensors: dict[str, list[Any]] = {}
    for one in said.get("outputs", []) if isinstance(said, dict) else []:
        size = (one.get("parameters") or {}).get("binary_data_size")
        if size is None:
            tensors[one["name"]] = one["data"]
            continue
        own, behind = behind[:size], behind[size:]
        tensors[one["name"]] = _texts(own) if one["datatype"] == "BYTES" else np.frombuffer(own, "<f8").tolist()
    return said, tensors


def _texts(content: bytes) -> list[str]:
    found, place = [], 0
    while place < len(content):
        (length,) = struct.unpack_from("<I", content, place)
        found.append(content[place + 4 : place + 4 + length].decode())
        place += 4 + length
    return found


def _ids(headers: dict[str, str], content: bytes) -> list[str]:
    said, tensors = _documents(headers, content)
    if not isinstance(said, dict):
        return []
    if "prediction_ids" in said:
        return list(said["prediction_ids"])
    if "predictions" in said:
        return [one["id"] for one in said["predictions"]]
    return list(tensors.get("assay_id", []))


def _numbers(request: Request, headers: dict[str, str], content: bytes) -> list[float]:
    said, tensors = _documents(headers, content)
    if request.path == "/predict":
        return [one["probability"] for one in said["predictions"]]
    if request.path == "/invocations":
        return list(said["predictions"])
    return tensors["probability"]


def _message(chosen: random.Random) -> bytes:
    request = messages()["ModelInferRequest"](model_name=chosen.choice(["delays", "delays", "delays", "delay"]))
    count = chosen.choice([1, 2, 3])
    distance = request.inputs.add(name="distance", datatype=chosen.choice(["FP64", "FP64", "BF16", "x"]), shape=[count])
    carrier = request.inputs.add(name="carrier", datatype="BYTES", shape=[chosen.choice([count, count, count, 2**40])])
    if chosen.random() < 0.5:
        distance.contents.fp64_contents.extend(
            chosen.choice([1.5, float("nan"), 1e308, float("inf")]) for _ in range(count)
        )
        carrier.contents.bytes_contents.extend(chosen.choice([b"AA", b"\xff", b""]) for _ in range(count))
    else:
        request.raw_input_contents.append(struct.pack(f"<{count}d", *[2.5] * count))
        request.raw_input_contents.append(b"\x02\0\0\0AA" * count)
    content = bytearray(request.SerializeToString())
    for _ in range(chosen.choice([0, 1, 1, 3])):
        place = chosen.randrange(len(content))
        content[place : place + chosen.choice([0, 1])] = chosen.randbytes(chosen.choice([0, 1, 2]))
    return bytes(content)


def _ids_of_message(content: bytes) -> set[str]:
    answer = messages()["ModelInferResponse"].FromString(content)
    for place, one in enumerate(answer.outputs):
        if one.name == "assay_id":
            if answer.raw_output_contents:
                return set(_texts(answer.raw_output_contents[place]))
            return {id.decode() for id in one.contents.bytes_contents}
    return set()
