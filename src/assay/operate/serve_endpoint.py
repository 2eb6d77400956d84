"""Running an endpoint's HTTP server until it is told to stop, in this process or in several."""

import os
import tempfile
from pathlib import Path
from typing import Annotated, cast, get_args

from assay.build.data.words import check_word
from assay.errors import InvalidInput
from assay.listening import is_loopback, listen
from assay.operate.predictions.log import Policy
from assay.operate.releases.carrying_on import carried_on
from assay.operate.serving.keeping_log import KeptSmall, kept_small
from assay.operate.serving.process import Served, answer_for
from assay.operate.serving.protocols.oip import SERVER_NAME
from assay.operate.serving.supervising import Supervisor
from assay.operation import operation
from assay.record.lengths import checked_length
from assay.record.models.routes import current_route
from assay.record.store import Store

__all__ = ["serve"]

_MOST_WORKERS = 256


@operation("serve", local=True)
def serve(
    store: Store,
    endpoint: str,
    *,
    host: Annotated[str, "The loopback address to listen on"] = "127.0.0.1",
    port: Annotated[int, "The port; 0 takes any free one"] = 8080,
    workers: Annotated[str, "How many processes answer; `auto` is one for each core"] = "1",
    grpc_port: Annotated[int | None, "Also answer gRPC there; 0 takes any free port"] = None,
    full_disk: Annotated[str, "What cannot be logged: `refuse` it, or `shed`, answer and count it"] = "refuse",
    name: Annotated[str, "What the server says it is; some programs only go on with `triton`"] = SERVER_NAME,
    compact_after: Annotated[str, "When what was logged becomes Parquet, such as 10m, or `never`"] = "10m",
    keep: Annotated[str | None, "How long what was logged is kept, such as 90d; without it for ever"] = None,
    exit_with_parent: Annotated[bool, "End also when the process that started this one has gone"] = False,
) -> Served:
    """Serve an endpoint over HTTP until interrupted.

    New routes are taken over without a pause. SIGINT and SIGTERM end it after the requests that are under way. When
    it is ready it announces `Serving`. With several workers one that ends is started again. A release that is open at
    the endpoint is carried on, and the prediction log is compacted and pruned by a process of low priority.

    Raises NotFound for an unknown endpoint, PortInUse, MissingExtra for gRPC where it is not installed, InvalidInput
    for an empty name and for an address that others could reach (there is no authentication), and what loading the
    model raises. Runs in the main thread.
    """
    parent = os.getppid() if exit_with_parent else None
    count = _count(workers)
    check_word("full_disk", full_disk, get_args(Policy))
    policy = cast("Policy", full_disk)
    if not name.strip():
        raise InvalidInput("the name of the server is empty", expected=f"a name, such as {SERVER_NAME} or triton")
    how = KeptSmall(
        None
        if compact_after == "never"
        else checked_length(compact_after, "compact_after", zero=False).total_seconds(),
        None if keep is None else checked_length(keep, "keep", zero=False).total_seconds(),
    )
    current_route(store, endpoint)
    if not is_loopback(host):
        raise InvalidInput(
            f"cannot listen on {host!r}: the server has no authentication",
            expected="an address of this machine only, such as 127.0.0.1",
            hint="put a proxy that authenticates in front of it",
        )
    if grpc_port is not None:
        from assay.operate.serving.protocols.oip_grpc import grpc_port as free_port  # an extra

        grpc_port = free_port(host, grpc_port)
    with (
        listen(host, port) as listener,
        tempfile.TemporaryDirectory(prefix="assay-serve-") as place,
        carried_on(store, endpoint),
        kept_small(store, endpoint, how, Path(place)),
    ):
        if count == 1:
            return answer_for(
                store,
                endpoint,
                listener,
                parent=parent,
                counts=Path(place),
                threads=os.cpu_count() or 1,
                grpc_port=grpc_port,
                full_disk=policy,
                name=name,
            )
        return Supervisor(
            store,
            endpoint,
            listener,
            count,
            parent=parent,
            grpc_port=grpc_port,
            full_disk=policy,
            name=name,
            counts=Path(place),
        ).run()


def _count(workers: str) -> int:
    if workers == "auto":
        return os.cpu_count() or 1
    if not (workers.isdecimal() and 1 <= int(workers) <= _MOST_WORKERS):
        raise InvalidInput(f"workers is {workers!r}", expected=f"1 to {_MOST_WORKERS}, or auto")
    return int(workers)
