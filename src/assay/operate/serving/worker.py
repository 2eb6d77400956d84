"""One of several processes that answer for an endpoint.

What it is told comes as a line of JSON on standard input; what it says goes as lines of JSON to the descriptor it was
given: that it is ready, that it is alive, what it did, or what kept it from that.
"""

import contextlib
import os
import socket
import sys
from pathlib import Path

import msgspec

from assay.errors import AssayError
from assay.operate.predictions.log import Policy
from assay.operate.serving.process import Served, Serving, answer_for
from assay.operate.serving.protocols.oip import SERVER_NAME
from assay.progress import announcing
from assay.record.location import open_store

__all__ = ["Said", "Told", "main"]


class Told(msgspec.Struct, frozen=True):
    """What a worker is told: the address of the store, its blobs, the endpoint; descriptors of the socket that listens
    and of the pipe to say things on; the process that started it; the folder of counts; threads of numeric libraries;
    where gRPC is answered too; what becomes of requests that cannot be logged; what the server says it is.
    """

    store: str
    blobs: str
    endpoint: str
    listener: int
    say: int
    parent: int
    counts: str
    threads: int
    grpc_port: int | None = None
    full_disk: Policy = "refuse"
    name: str = SERVER_NAME


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker says. With none of these it says that it is alive."""

    ready: Serving | None = None
    served: Served | None = None
    failed: str | None = None


def main() -> None:
    """Serve until told to stop."""
    told = msgspec.json.decode(sys.stdin.buffer.readline(), type=Told)

    def say(said: Said) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # nobody listens any more
            os.write(told.say, msgspec.json.encode(said) + b"\n")

    try:
        with (
            announcing(lambda begun: say(Said(ready=begun if isinstance(begun, Serving) else None))),
            contextlib.closing(open_store(told.store, create=False, blobs=told.blobs)) as store,
            socket.socket(fileno=told.listener) as listener,
        ):
            served = answer_for(
                store,
                told.endpoint,
                listener,
                parent=told.parent,
                counts=Path(told.counts),
                threads=told.threads,
                alive=lambda: say(Said()),
                grpc_port=told.grpc_port,
                full_disk=told.full_disk,
                name=told.name,
            )
    except AssayError as error:
        say(Said(failed=str(error)))
        raise SystemExit(1) from None
    say(Said(served=served))
