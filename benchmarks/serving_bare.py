"""The leanest server that does the work of a prediction: it parses a row in JSON and asks the same compiled model.

python -m benchmarks.serving_bare DESCRIPTOR STORE
"""

import socket
import sys
from typing import Any

import msgspec
import uvicorn
from benchmarks.serving_world import ENDPOINT

from assay.build.models.served_model import load_to_serve
from assay.record.location import open_store
from assay.record.models.registry import find_version


def main() -> None:
    """Serve on a socket that listens already."""
    store = open_store(sys.argv[2])
    model = load_to_serve(store, find_version(store, ENDPOINT, "1"))
    model.warm_up()
    names = [column.name for column in model.columns]
    decode, encode = msgspec.json.decode, msgspec.json.encode

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        body = (await receive())["body"]
        rows = [tuple([row[name] for name in names]) for row in decode(body)["rows"]]
        content = encode({"predictions": model.answer_rows(rows)[:, 1].tolist()})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    config = uvicorn.Config(
        application, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="warning"
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
