"""Steps in a module of their own, so that other processes can import them."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import assay
from assay.record.tracking.runs import current_run


@assay.step
def table_of(n: int) -> pa.Table:
    print(f"making {n} rows")
    return pa.table({"n": np.arange(n)})


@assay.step
def total(table: pa.Table, factor: int = 1) -> int:
    return int(np.sum(table["n"].to_numpy())) * factor


@assay.step
def drawn(seed: int) -> float:
    return random.Random(seed).random()


@assay.step
def drawn_globally(count: int) -> list[float]:
    return [*(random.random() for _ in range(count)), *np.random.random(count).tolist()]


@assay.step
def outer(n: int) -> int:
    return int(total(table_of(n)))


@assay.step(retries=1, backoff=0)
def dying(times: int, counter: str) -> int:
    """Kill the process that runs it, so many times."""
    path = Path(counter)
    died = len(path.read_text()) if path.exists() else 0
    if died < times:
        path.write_text("x" * (died + 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return died


@assay.step
def flooding(megabytes: int) -> int:
    for _ in range(megabytes):
        sys.stdout.write("x" * (1 << 20))
    return megabytes


@assay.step
def unsendable() -> object:
    return lambda: None


@assay.step
def failing(x: int) -> int:
    print(f"before {x}")
    raise ArithmeticError(f"no {x}")


@assay.pipeline
def nightly(n: int, factor: int = 2) -> dict[str, object]:
    table = table_of(n)
    return {"sums": [total(table), total(table, factor)], "outer": outer(n), "drawn": drawn.map([1, 2])}


@assay.pipeline
def drawing(count: int) -> list[object]:
    return [drawn(), drawn_globally(count), *drawn_many(count)]  # type: ignore[call-arg] # the seed is derived


@assay.step
def item(number: int, seed: int | None = None) -> list[int | None]:
    return [number, seed]


def drawn_many(count: int) -> list[object]:
    return list(item.map([5] * count))


@assay.step
def sleeping(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@assay.pipeline
def interrupted(seconds: float) -> float:
    long = sleeping(seconds)
    if sleeping(0.0).result() == 0.0:  # type: ignore[attr-defined] # a handle
        raise KeyboardInterrupt
    return long


@assay.step
def logging(loss: float) -> float:
    run = current_run()
    assert run is not None
    run.metrics({"loss": loss})
    return loss


@assay.pipeline
def logged(loss: float) -> float:
    return logging(loss)


@assay.pipeline
def perishable(times: int, counter: str) -> int:
    return dying(times, counter)


@assay.pipeline
def flood(megabytes: int) -> int:
    return flooding(megabytes)


@assay.pipeline
def impossible() -> object:
    return unsendable()


@assay.pipeline
def broken(x: int) -> int:
    return failing(x)


@assay.step(retries=1, backoff=0)
def charging(name: str, folder: str) -> str:
    """Write the token of each attempt into a file; the first attempt fails."""
    token = assay.build.idempotency_token()
    path = Path(folder, name)
    with path.open("a") as file:
        file.write(f"{token}\n")
    if len(path.read_text().splitlines()) % 2:
        raise OSError("away")
    return token


@assay.step
def within(name: str, folder: str) -> list[str]:
    return [assay.build.idempotency_token(), charging(name, folder)]


@assay.pipeline
def charged(names: list[str], folder: str) -> list[str]:
    return list(charging.map(names, folder=folder))
