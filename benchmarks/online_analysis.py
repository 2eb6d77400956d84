"""A running test that is kept up to date, against its target. The sums of whole tests: `benchmarks.online_sums`.

    python -m benchmarks.online_analysis

A test with 100,000 units of which each row is labelled: a batch of 100 rows and labels is taken in, units that close
are added to the sums, and five metrics are judged. The best of all batches counts, as nothing makes one too fast.
"""

import time

import numpy as np
import pyarrow as pa
from benchmarks.measured import say

from assay.operate.labels.known import LABELS
from assay.operate.online_tests.definition import Arm, Design, OnlineTest, Phase
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.readings import Seen
from assay.operate.online_tests.running import RunningTest
from assay.operate.online_tests.status import judge

_HOUR = 3_600_000_000
_TIME = pa.timestamp("us", "UTC")


def running(seen: int = 100_000, batch: int = 100, batches: int = 15) -> float:
    """Milliseconds of the best update of a running test: rows, labels, closed units, a verdict."""
    metrics = (
        Metric(name="wrong", numerator="wrong", maturity="1h", window="0s"),
        Metric(name="loss", numerator="log_loss", maturity="1h", window="0s"),
        Metric(name="brier", numerator="brier", maturity="1h", window="0s", role="guardrail", margin=0.01),
        Metric(name="slow", numerator="slow", slo_ms=20, maturity="1h", window="0s", role="guardrail", margin=0.01),
        Metric(name="error", numerator="error", maturity="1h", window="0s", role="guardrail", margin=0.01),
    )
    arms = (Arm("champion", "m0", "h", "m", 1), Arm("v2", "m1", "h", "m", 2))
    test = OnlineTest(
        test_id="T",
        name="test",
        endpoint="m",
        model="m",
        kind="ab",
        status="running",
        started="2026-01-01T00:00:00.000000Z",
        ended=None,
        outcome=None,
        reason=None,
        decision=1,
        arms=arms,
        metrics=metrics,
        design=Design(),
        salt="s",
        segment=None,
        floor=0.0,
        rollout=None,
        phases=(Phase(1, 1, "", None, (1, 1), 10_000),),
    )
    state = RunningTest(test)
    gap = _HOUR // (2 * batch)  # so that two batches are open at a time
    state.update(*_traffic(0, seen, gap), seen * gap)
    kept, taken = Seen(), []
    for number in range(batches):
        begin = seen + number * batch
        rows, labels = _traffic(begin, batch, gap)
        began = time.perf_counter()
        evidence = state.update(rows, labels, (begin + batch) * gap)
        judge(test, evidence, kept, "2026-01-01T00:00:00.000000Z")
        taken.append((time.perf_counter() - began) * 1000)
    assert state.rebuilt == 0
    return min(taken)


def _traffic(begin: int, n: int, gap: int) -> tuple[pa.Table, dict[str, pa.Table]]:
    random = np.random.default_rng(begin + 1)
    moment = pa.array((begin + np.arange(n)) * gap + 1)
    ids = pa.array([f"p{number}" for number in range(begin, begin + n)])
    output = random.random(n)
    rows = pa.table(
        {
            "id": ids,
            "unit": pa.array([f"u{number}" for number in range(begin, begin + n)]),
            "experiment": pa.array(["T"] * n),
            "role": pa.array(["live"] * n),
            "reason": pa.array(["hash"] * n),
            "variant": pa.array(np.where(random.random(n) < 0.5, "champion", "v2")),
            "phase": pa.array([1] * n, pa.int32()),
            "moment": moment.cast(_TIME),
            "output": pa.array(output),
            "status": pa.array(["ok"] * n),
            "latency_us": pa.array(random.integers(1000, 25_000, n)),
            "mv_id": pa.array(["m0"] * n),
        }
    )
    happened = pa.array(moment.to_numpy() + 1).cast(_TIME)
    values = pa.array((random.random(n) < output).astype(float))
    nothing, none = pa.nulls(n, pa.string()), pa.array(np.zeros(n, np.int64))
    labels = pa.table([ids, nothing, nothing, values, happened, happened, none], schema=LABELS)
    return rows, {"label": labels}


if __name__ == "__main__":
    say("update of a running test, ms", 10.0, min(running() for _ in range(3)))
