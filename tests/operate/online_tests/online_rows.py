"""Logs and labels as tables, made of numbers, for the parts of the analysis that know no store."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.operate.labels.known import LABELS
from assay.operate.online_tests.definition import Arm, Design, OnlineTest, Phase
from assay.operate.online_tests.metric import Metric

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
_TIME = pa.timestamp("us", "UTC")


def a_test(
    *metrics: Metric,
    challengers: int = 1,
    weights: Sequence[Sequence[int]] | None = None,
    design: Design = Design(),  # noqa: B008 - frozen
    **changes: object,
) -> OnlineTest:
    """A test as it would be read from a store, with a phase for each of the weights."""
    shares = weights or [(1,) * (challengers + 1)]
    arms = [Arm("champion", "m0", "h", "delays", 1)]
    arms += [Arm(f"v{number}", f"m{number - 1}", "h", "delays", number) for number in range(2, challengers + 2)]
    plain = OnlineTest(
        test_id="T",
        name="test",
        endpoint="delays",
        model="delays",
        kind="ab",
        status="running",
        started="1970-01-01T00:00:00.000000Z",
        ended=None,
        outcome=None,
        reason=None,
        decision=1,
        arms=tuple(arms),
        metrics=metrics,
        design=design,
        salt="s",
        segment=None,
        floor=0.0,
        rollout=None,
        phases=tuple(Phase(number, number, "", None, tuple(own), 10_000) for number, own in enumerate(shares, start=1)),
    )
    return msgspec.structs.replace(plain, **changes)


def log_of(
    *,
    moment: Sequence[int] | NDArray[np.int64],
    unit: Sequence[str | None],
    variant: Sequence[str],
    output: Sequence[float | None] | NDArray[np.float64] | None = None,
    phase: Sequence[int] | NDArray[np.int64] | int = 1,
    reason: Sequence[str] | str = "hash",
    role: Sequence[str] | str = "live",
    id: Sequence[str] | None = None,
    mv_id: Sequence[str] | str = "m0",
    latency_us: Sequence[int] | int = 5000,
    status: Sequence[str] | str = "ok",
) -> pa.Table:
    """Rows of the prediction log with the columns that an analysis reads."""
    n = len(unit)

    def each(values: object) -> object:
        return [values] * n if isinstance(values, str | int) else values

    return pa.table(
        {
            "id": pa.array(id if id is not None else [f"p{place}" for place in range(n)], pa.string()),
            "unit": pa.array(unit, pa.string()),
            "experiment": pa.array(["T"] * n, pa.string()),
            "role": pa.array(each(role), pa.string()),
            "reason": pa.array(each(reason), pa.string()),
            "variant": pa.array(variant, pa.string()),
            "phase": pa.array(each(phase), pa.int32()),
            "moment": pa.array(np.asarray(moment, np.int64)).cast(_TIME),
            "output": pa.array(output if output is not None else [0.9] * n, pa.float64()),
            "status": pa.array(each(status), pa.string()),
            "latency_us": pa.array(each(latency_us), pa.int64()),
            "mv_id": pa.array(each(mv_id), pa.string()),
        }
    )


def labels_of(
    ids: Sequence[str | None],
    values: Sequence[float] | NDArray[np.float64],
    happened: Sequence[int] | NDArray[np.int64],
    *,
    unit: Sequence[str | None] | None = None,
    event: Sequence[str | None] | None = None,
    revision: Sequence[int] | None = None,
) -> pa.Table:
    """Labels as `labels_table` gives them."""
    n = len(ids)
    moments = pa.array(np.asarray(happened, np.int64)).cast(_TIME)
    columns = [
        pa.array(ids, pa.string()),
        pa.array(unit if unit is not None else [None] * n, pa.string()),
        pa.array(event if event is not None else [None] * n, pa.string()),
        pa.array(values, pa.float64()),
        moments,
        moments,
        pa.array(revision if revision is not None else [0] * n, pa.int64()),
    ]
    return pa.table(columns, schema=LABELS)
