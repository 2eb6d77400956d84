"""A new version that takes 2 s to load, under traffic: no failed request, and the p99 beside the p99 without.

python -m benchmarks.serving_swap --seconds 8 --rate 200
"""

import argparse
import asyncio
import time

import numpy as np
import pyarrow as pa
from benchmarks.measured import say
from benchmarks.serving_world import ENDPOINT, Heavy, endpoint_of, flights, requests
from benchmarks.swap_under_load import Load

from assay.build.models.packaging import package_model
from assay.demo.pipeline import FEATURES
from assay.operate.serving.client import ServerProcess
from assay.prove.promotion import promote
from assay.record.models.routes import wait_acknowledged
from assay.record.tracking.runs import start_run


async def measure(options: argparse.Namespace) -> None:
    """Load for a while without a swap, then for as long with one."""
    with endpoint_of() as (place, store, _):
        table: pa.Table = flights(100, 5)
        with start_run(store, "benchmark") as run:
            heavy = package_model(store, ENDPOINT, Heavy(2.0), table, FEATURES, run=run)
        with ServerProcess(place, ENDPOINT) as server:
            rows = requests(200)
            await Load(server.url, rows).run(options.rate, 12.0)  # the estimator beside the compiled form is loaded
            calm, swapped = Load(server.url, rows), Load(server.url, rows)
            await calm.run(options.rate, options.seconds)
            loading = asyncio.create_task(swapped.run(options.rate, options.seconds))
            await asyncio.sleep(1.0)
            began = time.monotonic()
            done = await asyncio.to_thread(promote, store, ENDPOINT, heavy.version, override="benchmark")
            await asyncio.to_thread(wait_acknowledged, store, ENDPOINT, done.revision)
            seconds = time.monotonic() - began
            await loading
    failed = calm.answers.failed + swapped.answers.failed
    say("failed requests while a version loads for 2 s", 0, failed, requests=len(swapped.answers.seconds))
    before, during = (float(np.percentile(one.answers.seconds, 99)) * 1000 for one in (calm, swapped))
    say("p99 with a swap, times the p99 without", 2.0, during / before, p99_ms=[before, during], swap_s=seconds)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rate", type=float, default=200.0)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
