"""Compactions that are killed at random moments beside a writer; run by its test in a process of its own."""

import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from tests.operate.serving_helpers import ENDPOINT, prediction

from assay.operate.predictions.compacting import compact_predictions
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.rows import rows
from assay.operate.predictions.tail import Tail
from assay.record.location import open_store


def kill_compactions(folder: Path, rounds: int, seed: int) -> tuple[int, int]:
    """How many rows were logged and how many compactions were killed; AssertionError where one is lost or doubled."""
    draw = random.Random(seed)
    store = open_store(folder)
    tail, seen = Tail(store, ENDPOINT), Counter[str]()
    written, killed, longest = 0, 0, 0.3
    for number in range(rounds):
        with LogWriter(log_folder(store, ENDPOINT), durability="process", segment_bytes=2_000) as writer:
            for _ in range(20):
                day = f"2013-01-0{draw.randint(1, 3)}T00:00:00.000000Z"
                writer.append([prediction(f"{written + place}", event_ts=day) for place in range(2)])
                written += 2
            if draw.random() < 0.5:
                seen.update(tail.read_new()["id"].to_pylist())
        store.close()
        child = os.fork()
        if not child:
            own = open_store(folder)
            compact_predictions(own, ENDPOINT)
            os._exit(0)
        started = time.monotonic()
        if number % 4:
            time.sleep(draw.uniform(0, longest))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        if not os.WIFSIGNALED(status):
            assert status == 0
            longest = time.monotonic() - started
        there = Counter(rows(store, ENDPOINT, columns=["id"]).read_all()["id"].to_pylist())
        assert there == Counter(map(str, range(written))), number
    seen.update(tail.read_new()["id"].to_pylist())
    assert seen == Counter(map(str, range(written)))
    compact_predictions(store, ENDPOINT)
    files = {path.name for path in log_folder(store, ENDPOINT).rglob("*") if path.is_file()}
    left = files - {"compact.lock", "reading.lock"}
    parts = store.query("prediction_part")
    assert left == {row["path"].partition("/")[2] for row in parts}
    assert sum(row["rows"] for row in parts) == written
    store.close()
    return written, killed


if __name__ == "__main__":
    print(*kill_compactions(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
