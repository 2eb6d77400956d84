"""Load on a server: connections that ask one after the other, and remember what was answered."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Load:
    """Ids that were answered with 200, other statuses, connections that broke, and seconds that answers took."""

    ids: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    seconds: list[float] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    @property
    def slowest(self) -> float:
        return max(self.seconds)


def post(body: bytes, path: str = "/predict", **headers: str) -> bytes:
    """The bytes of a request."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\nhost: x\r\n{more}content-length: {len(body)}\r\n\r\n".encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of an answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


async def keep_asking(url: str, load: Load, until: asyncio.Event, number: int, carrier: str = "AA") -> None:
    """Ask with an id of its own each time, over a connection that is opened again where it breaks; nothing twice."""
    host, port = url.removeprefix("http://").split(":")
    writer: asyncio.StreamWriter | None = None
    count = 0
    while not until.is_set():
        count += 1
        body = json.dumps({"rows": [{"distance": 1.5, "carrier": carrier}], "ids": [f"{number}-{count}"]}).encode()
        began = time.monotonic()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(post(body))
            status, content = await asyncio.wait_for(answer(reader), 20)
        except (OSError, asyncio.IncompleteReadError):
            load.broken += 1
            if writer is not None:
                writer.close()
            writer = None
            await asyncio.sleep(0.02)
            continue
        load.seconds.append(time.monotonic() - began)
        load.statuses[status] += 1
        if status == 200:
            said = json.loads(content)
            load.ids.append(said["predictions"][0]["id"])
            load.versions.append(said["version"])
    if writer is not None:
        writer.close()


async def under_load(url: str, seconds: float, *, connections: int = 8) -> Load:
    """Ask over so many connections for so long."""
    load, until = Load(), asyncio.Event()
    tasks = [asyncio.create_task(keep_asking(url, load, until, number)) for number in range(connections)]
    await asyncio.sleep(seconds)
    until.set()
    await asyncio.gather(*tasks)
    return load
