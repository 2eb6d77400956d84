import threading
import time

import pytest

from assay.operate.serving.guarding import Guard, ModelTimeout


def test_a_model_that_does_not_come_back_is_interrupted() -> None:
    guard = Guard(timeout_s=0.1)

    def loop() -> None:
        guard.since = time.perf_counter()
        try:
            while True:
                time.sleep(0.001)
        finally:
            guard.since = 0.0

    with guard.watching():
        with pytest.raises(ModelTimeout, match=r"no answer in 0\.1 s"):
            loop()
        time.sleep(0.3)  # nothing is interrupted while no model is asked


def test_one_that_cannot_be_interrupted_ends_the_process() -> None:
    ended: list[int] = []
    gone = threading.Event()

    def end(code: int) -> None:
        ended.append(code)
        gone.set()

    guard = Guard(timeout_s=0.05, end=end)
    with guard.watching():
        guard.since = time.perf_counter()
        deadline = time.monotonic() + 5
        while not gone.is_set() and time.monotonic() < deadline:
            try:
                time.sleep(0.01)
            except ModelTimeout:  # as a model that catches everything
                continue
        guard.since = 0.0
    assert ended
    assert set(ended) == {70}
