"""What a model costs, measured once and recorded, and whether that is within a policy's budget.

Size is that of its stored files. Latency is measured: single rows, one after the other, in this process. What was
measured is kept call by call, so that a verdict on it can be computed again.
"""

import math
import platform
import time
from collections.abc import Sequence

import msgspec
import pyarrow as pa

from assay.build.models.packaging import LoadedModel
from assay.prove.checks import OVERALL_NAME, Check, Verdict
from assay.prove.policy import Policy
from assay.prove.predictions import Model, said_of
from assay.prove.sources import Source, first_rows
from assay.record.store import Store
from assay.stats import quantile_interval, quantile_p_above, quantile_p_within
from assay.stats.arrays import finite

__all__ = ["ModelCosts", "budget_checks", "measure"]

_CALLS = 500  # enough to judge the 99th percentile: it takes 299 to show anything about it at .05
_WARM_UP = 20
_LONGEST_SECONDS = 20.0  # a slow model is measured with fewer calls, which the verdict sees
_FEWEST = 20


class ModelCosts(msgspec.Struct, frozen=True):
    """What a model takes: `size_bytes` of its stored files, None where it is not in a store, and `latency_ms` of each
    call in the order of size; each call answers one row. `machine` is where it was measured."""

    size_bytes: int | None
    latency_ms: list[float]
    warm_up: int
    machine: str


def measure(model: Model, rows: Source, *, store: Store | None = None, calls: int = _CALLS) -> ModelCosts:
    """Measure a model on rows that lie evenly in `rows`, one row a call, after some calls to warm up.

    A call is what evaluation does with one row, input checks included; the way over a network is not in it. It ends
    after 20 seconds if at least 20 calls were made. Scores that are given, as an array or a column, take no time: their
    latency is not measured.
    """
    size = _size(store, model.version.hash) if store is not None and isinstance(model, LoadedModel) else None
    table = first_rows(rows)
    if not (callable(model) or hasattr(model, "predict") or isinstance(model, LoadedModel)):
        return ModelCosts(size, [], 0, platform.machine())
    table = table.combine_chunks()
    picked = [table.slice(call * table.num_rows // calls, 1) for call in range(calls)]
    for row in picked[:_WARM_UP]:
        said_of(model, row, "candidate")
    return ModelCosts(size, sorted(_times(model, picked)), min(_WARM_UP, calls), platform.machine())


def budget_checks(costs: ModelCosts | None, policy: Policy) -> list[Check]:
    """Size and latency against the policy's budget; what was not measured is inconclusive.

    Size is a number. Latency is a sample: the percentile is within the limit where the exact binomial test of the calls
    beyond it says so at alpha, beyond it where the test says the opposite, and open otherwise.
    """
    budget = policy.model
    if budget is None:
        return []
    checks = []
    if budget.maximum_size_bytes is not None:
        checks.append(_size_check(costs.size_bytes if costs else None, budget.maximum_size_bytes))
    if budget.maximum_latency_ms is not None:
        times = costs.latency_ms if costs else []
        checks.append(_latency_check(times, budget.maximum_latency_ms, budget.percentile, policy.alpha))
    return checks


def _size_check(size: int | None, limit: int) -> Check:
    verdict: Verdict = "inconclusive" if size is None else "pass" if size <= limit else "fail"
    unknown = "size of the model was not measured (evaluate a registered version with costs=True)"
    said = f"size of the model: {size:,} bytes" if size is not None else unknown
    return Check(
        kind="size",
        segment=OVERALL_NAME,
        metric="size_bytes",
        verdict=verdict,
        n=0,
        blocks=True,
        value=None if size is None else float(size),
        bound=float(limit),
        method="" if size is None else "counted",
        reason=f"{said}; the policy allows {limit:,} bytes.",
    )


def _latency_check(times: Sequence[float], limit: float, percentile: float, alpha: float) -> Check:
    n, q = len(times), percentile / 100.0
    above = sum(one > limit for one in times)
    verdict: Verdict = "inconclusive"
    if quantile_p_within(above, n, q) <= alpha:
        verdict = "pass"
    elif quantile_p_above(above, n, q) <= alpha:
        verdict = "fail"
    check = Check(
        kind="latency",
        segment=OVERALL_NAME,
        metric=f"latency_ms_p{percentile:g}",
        verdict=verdict,
        n=n,
        blocks=True,
        bound=limit,
        method="order statistics" if n else "",
    )
    allowed = f"the policy allows {limit:g} ms."
    if not n:
        said = f"latency of the model was not measured (evaluate with costs=True); {allowed}"
        return msgspec.structs.replace(check, reason=said)
    ends = quantile_interval(times, q, 1.0 - 2.0 * alpha)
    value = sorted(times)[max(0, math.ceil(q * n) - 1)]
    low, high = finite(ends.low), finite(ends.high)
    between = f"interval {_ms(ends.low)} to {_ms(ends.high)}, " if low is not None and high is not None else ""
    more = {
        "pass": "",
        "fail": " Proven to be slower.",
        "inconclusive": " More calls, or a faster model, would decide.",
    }
    reason = (
        f"latency of the model: {percentile:g} % of single rows within {_ms(value)} ms ({between}{n:,} calls); "
        f"{allowed}{more[verdict]}"
    )
    return msgspec.structs.replace(check, value=value, low=low, high=high, reason=reason)


def _ms(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _times(model: Model, rows: Sequence[pa.Table]) -> list[float]:
    """Milliseconds of each call."""
    times = []
    begun = time.perf_counter()
    for row in rows:
        start = time.perf_counter()
        said_of(model, row, "candidate")
        end = time.perf_counter()
        times.append((end - start) * 1e3)
        if end - begun > _LONGEST_SECONDS and len(times) >= _FEWEST:
            break
    return times


def _size(store: Store, digest: str) -> int:
    """Bytes of all files of a stored folder."""
    return sum(store.blobs.path(blob).stat().st_size for blob in store.blobs.manifest(digest).values())
