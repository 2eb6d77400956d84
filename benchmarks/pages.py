"""Server time of the web pages on a store of many runs, one line of JSON a page: median and largest of its repeats.

python -m benchmarks.pages [--runs 10000] [--repeats 20]

The time is that of the application, from the request to the last byte, without a network.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from typing import Any
from urllib.parse import quote

import numpy as np
from benchmarks.measured import say
from starlette.applications import Starlette
from tests.server.page_stores import fill_many, points

from assay.record import open_store
from assay.record.store import Store
from assay.record.tracking.run_changes import create_run, log
from assay.server.pages import routes


def main() -> None:
    """Make a store, ask for its pages, print what they cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"{folder}/.assay")
        experiment = fill_many(store, options.runs)
        long = _long_run(store, experiment)
        application = Starlette(routes=routes(store))
        for name, address, target_ms in _pages(store, experiment, long):
            times = asyncio.run(_timed(application, address, options.repeats))
            more = {"largest_ms": round(max(times), 1), "runs": options.runs}
            say(f"page: {name}, ms", target_ms, statistics.median(times), **more)
        store.close()


def _long_run(store: Store, experiment: str) -> str:
    """A run with 50 metrics and one of 100,000 points."""
    random = np.random.default_rng(3)
    run = create_run(store, experiment, name="long")
    metrics = {f"metric {number}": points(random.normal(size=1_000).tolist()) for number in range(50)}
    params = {f"param {number}": str(number) for number in range(100)}
    log(store, run, params=params, metrics={"loss": points(random.normal(size=100_000).tolist()), **metrics})
    return run


def _pages(store: Store, experiment: str, long: str) -> list[tuple[str, str, float]]:
    table = f"/experiments/{experiment}"
    filter = quote("metrics.auc > 0.7 and params.lr = '0.1'")
    some = ",".join(row["run_id"] for row in store.query("run", {}, order_by=["-started"], limit=10))
    return [
        ("experiments", "/", 100),
        ("runs", table, 100),
        ("runs, filtered", f"{table}?filter={filter}", 100),
        ("runs, in order of a metric", f"{table}?order=metrics.auc+DESC", 100),
        ("runs, in groups of a filter", f"{table}?group=params.depth&filter={filter}", 200),
        ("runs, in groups", f"{table}?group=params.lr", 200),
        ("run with 51 metrics", f"/runs/{long}", 100),
        ("projects and time", "/projects", 200),
        ("comparison of 10", f"/compare?runs={some}", 100),
        ("points of 100,000", f"/pages/series?run={long}&key=loss&most=600", 200),
    ]


async def _timed(application: Starlette, address: str, repeats: int) -> list[float]:
    """Milliseconds of each repeat, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        status = await _asked(application, address)
        times.append((time.perf_counter() - start) * 1000)
        assert status == 200, f"{address}: {status}"
    return times[1:]


async def _asked(application: Starlette, address: str) -> int:
    path, _, query = address.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [],
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    status = 0

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    await application(scope, receive, send)
    return status


if __name__ == "__main__":
    main()
