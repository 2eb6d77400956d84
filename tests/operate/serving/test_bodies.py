import asyncio
import gzip
import zlib

import pytest

from assay.operate.serving import bodies
from assay.operate.serving.bodies import Message, packed, whole
from assay.operate.serving.engine import RequestError


def _read(*pieces: bytes, **headers: str) -> bytes:
    waiting = [
        {"type": "http.request", "body": piece, "more_body": place < len(pieces) - 1}
        for place, piece in enumerate(pieces)
    ]

    async def receive() -> Message:
        if not waiting:
            await asyncio.sleep(60)
        return waiting.pop(0)

    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return asyncio.run(whole(given, receive))


def _status(*pieces: bytes, **headers: str) -> int:
    with pytest.raises(RequestError) as refused:
        _read(*pieces, **headers)
    return refused.value.status


def test_a_body_comes_whole_in_pieces_and_packed() -> None:
    assert _read(b"ab", b"", b"c") == b"abc"
    assert _read(gzip.compress(b"abc"), content_encoding="gzip") == b"abc"
    assert _read(zlib.compress(b"abc"), content_encoding=" Deflate") == b"abc"
    assert _read(b"abc", content_encoding="identity") == b"abc"


def test_packing_that_is_broken_or_unknown_is_refused() -> None:
    assert _status(b"abc", content_encoding="br") == 415
    assert _status(b"abc", content_encoding="gzip") == 400
    assert _status(gzip.compress(b"abc" * 100)[:-12], content_encoding="gzip") == 400


LARGE = b'{"id":"01a22b7a"},' * 200


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", b"gzip"),
        ("deflate", b"deflate"),
        ("br, GZip;q=0.5", b"gzip"),
        ("gzip;q=0, deflate; q=0.1", b"deflate"),
        ("gzip;q=0.000", None),
        ("gzip;q=none", None),
        ("br", None),
        ("", None),
        ("identity", None),
    ],
)
def test_an_answer_is_packed_as_its_reader_takes_it(accepted: str, encoding: bytes | None) -> None:
    content, headers = packed([(b"host", b"here"), (b"accept-encoding", accepted.encode())], LARGE)
    assert dict(headers).get(b"content-encoding") == encoding
    if encoding is None:
        assert (content, headers) == (LARGE, [])
    else:
        assert dict(headers)[b"vary"] == b"accept-encoding"
        assert len(content) < len(LARGE) / 10
        assert (gzip.decompress if encoding == b"gzip" else zlib.decompress)(content) == LARGE


def test_an_answer_of_one_packet_goes_as_it_is_and_one_to_who_asks_for_nothing() -> None:
    assert packed([(b"accept-encoding", b"gzip")], LARGE[:1399]) == (LARGE[:1399], [])
    assert packed([], LARGE) == (LARGE, [])


def test_a_small_body_that_unpacks_to_a_large_one_is_refused_before_it_is_whole() -> None:
    packed = gzip.compress(b"\0" * (200 * 1024 * 1024))
    assert len(packed) < 300_000
    assert _status(packed, content_encoding="gzip") == 413


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    assert _status(content_length=str(100 * 1024 * 1024)) == 413
    assert _status(b"x" * bodies.MAX_BODY_BYTES, b"x") == 413


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.05)

    async def receive() -> Message:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(RequestError) as refused:
        asyncio.run(whole({}, receive))
    assert refused.value.status == 408


def test_large_bodies_that_memory_has_no_room_for_are_turned_away_and_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bodies, "_MOST_BYTES", 10)
    with pytest.raises(RequestError, match="too many large bodies") as refused:
        _read(b"a" * 8, b"b" * 8, b"c")
    assert (refused.value.status, refused.value.retry_after) == (503, 1)
    assert _read(b"a" * 8, b"b" * 8) == b"a" * 8 + b"b" * 8, "one that is whole is answered"
    assert bodies._coming.held == 0
