"""What a metric is held against: what people or the hold-out promised, else the first windows that were watched."""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from assay.errors import InvalidInput
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT
from assay.operate.monitors.kinds.answers import HoldOut, segment_name
from assay.record.canonical import canonical_json
from assay.record.store import Store
from assay.stats import Metric, estimate_all
from assay.stats.normal import t_quantile

__all__ = ["FIRST_WINDOWS", "Reference", "keep_reference", "kept_reference", "of_hold_out", "of_windows"]

FIRST_WINDOWS = 10


class Reference(msgspec.Struct, frozen=True):
    """The mean of a metric, and `worst`, the worst it may truly be at the confidence asked for.

    `windows` are those it rests on, 0 where it rests on rows. `origin` says for people where it comes from.
    """

    mean: float
    worst: float
    windows: int = 0
    origin: str = "the hold-out"


def of_windows(values: Sequence[float], larger_is_better: bool, *, alpha: float, origin: str) -> Reference:
    """From the values of windows, as few as 2; the bound is one-sided, Student's t at `alpha`.

    Windows, not rows, are what is independent: rows of one day share its weather.
    """
    if not 0 < alpha < 0.5:
        raise InvalidInput(f"alpha is {alpha}", expected="inside (0, 0.5), such as 0.05")
    known = [value for value in values if not math.isnan(value)]
    if len(known) < FIRST_WINDOWS:
        raise InvalidInput(
            f"{origin} has {len(known)} windows with labels", expected=f"{FIRST_WINDOWS} or more that carry the metric"
        )
    mean, spread = float(np.mean(known)), float(np.std(known, ddof=1))
    reach = t_quantile(1 - alpha, len(known) - 1) * spread / math.sqrt(len(known))
    return Reference(mean, mean - reach if larger_is_better else mean + reach, len(known), origin)


def of_hold_out(hold_out: HoldOut, metric: Metric, *, alpha: float) -> dict[str, Reference]:
    """By segment, from the evaluation of the version: its value and the end of its interval at `alpha`, one-sided."""
    found = estimate_all(hold_out.profile, hold_out.model, metric, 1 - 2 * alpha)
    ends = found.low if metric.larger_is_better else found.high
    return {
        segment_name(segment): Reference(float(value), float(end))
        for segment, value, end in zip(found.segments, found.value, ends, strict=True)
        if not math.isnan(value) and not math.isnan(end)
    }


def keep_reference(store: Store, monitor_id: str, references: Mapping[str, Reference]) -> None:
    """Hold the monitor's metric against these from now on, by segment; "all rows" is the whole."""
    if OVERALL_SEGMENT not in references:
        raise InvalidInput("the reference says nothing of all rows", expected=f"a key {OVERALL_SEGMENT!r}")
    kept = canonical_json(msgspec.to_builtins(dict(references)))
    store.amend("monitor", {"monitor_id": monitor_id}, {"reference": kept})


def kept_reference(store: Store, monitor: Monitor) -> dict[str, Reference]:
    """What `keep_reference` kept; empty where nothing was."""
    rows = store.query("monitor", {"monitor_id": monitor.monitor_id}, limit=1)
    if not rows or not rows[0]["reference"]:
        return {}
    return msgspec.json.decode(rows[0]["reference"], type=dict[str, Reference])
