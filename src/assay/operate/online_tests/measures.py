"""What a row contributes to a metric, by its `output`, `status`, `latency_us` and label: as SQL, and as a number.

Both do the same arithmetic in the same order, so they agree to the last bit.
"""

import math
from collections.abc import Callable

from assay.operate.online_tests.metric import LABELLED, LOSSES, Metric

__all__ = ["prior_value", "row_number", "row_value"]

_LEAST = 1e-15  # of a probability in a logarithm, as everywhere in stats


def _log_loss(_: Metric, output: float, label: float) -> float:
    likely = min(max(output, _LEAST), 1 - _LEAST)
    return -(label * math.log(likely) + (1.0 - label) * math.log(1.0 - likely))


_OF_ANSWERS: dict[str, Callable[[Metric, float, float], float]] = {
    "label": lambda _, _output, label: label,
    "output": lambda _, output, _label: output,
    "decision": lambda metric, output, _label: float(output >= metric.threshold),
    "wrong": lambda metric, output, label: float((output >= metric.threshold) != (label >= 0.5)),
    "log_loss": _log_loss,
    "brier": lambda _, output, label: (output - label) * (output - label),
    "absolute_error": lambda _, output, label: abs(output - label),
    "squared_error": lambda _, output, label: (output - label) * (output - label),
}


def row_value(metric: Metric, measure: str, label: str, row: str) -> str:
    """An expression of DuckDB: a double, null where the row says nothing. `label` is a column, `row` a relation.

    A loss of a row that failed, whose output is null, is null: `error` counts those.
    """
    text = _expression(metric, measure, label, f"{row}.output", row)
    if measure in LABELLED and metric.missing == "zero":
        return f"case when {label} is null then 0.0 else {text} end"
    return text


def row_number(
    metric: Metric, measure: str, label: float | None, output: float | None, status: str, latency_us: int
) -> float | None:
    """The same of one row whose output is finite or None."""
    if measure in LABELLED and label is None:
        return 0.0 if metric.missing == "zero" else None
    if measure in ("output", "decision", *LOSSES) and output is None:
        return None
    if measure in _OF_ANSWERS:
        return _OF_ANSWERS[measure](metric, output or 0.0, label or 0.0)
    if measure == "error":
        return float(status != "ok")
    if measure == "rows":
        return 1.0
    return latency_us / 1000.0 if measure == "latency_ms" else float(latency_us > (metric.slo_ms or 0.0) * 1000)


def _expression(metric: Metric, measure: str, label: str, output: str, row: str = "") -> str:
    threshold = _double(metric.threshold)
    # `greatest` passes over null, and takes NaN for the largest of all.
    clipped = f"least(greatest({output}, {_double(_LEAST)}), {_double(1 - _LEAST)})"
    likely = f"case when isfinite({output}) then {clipped} end"
    return {
        "label": f"{label}::double",
        "output": f"{output}::double",
        "decision": f"({output} >= {threshold})::integer::double",
        "wrong": f"(({output} >= {threshold}) != ({label} >= 0.5))::integer::double",
        "log_loss": f"-({label} * ln({likely}) + (1.0 - {label}) * ln(1.0 - {likely}))",
        "brier": f"({output} - {label}) * ({output} - {label})",
        "absolute_error": f"abs({output} - {label})",
        "squared_error": f"({output} - {label}) * ({output} - {label})",
        "error": f"({row}.status != 'ok')::integer::double",
        "slow": f"({row}.latency_us > {_double((metric.slo_ms or 0.0) * 1000)})::integer::double",
        "latency_ms": f"{row}.latency_us / 1000.0",
        "rows": "1.0",
    }[measure]


def prior_value(metric: Metric, output: str) -> str:
    """What the champion's output for the same row lets one expect of the numerator, before anything happened.

    Of a loss of probabilities the champion's own expectation, its output taken for the chance of a label of 1; of all
    else the output, or the decision made of it.
    """
    if metric.numerator == "decision":
        return _expression(metric, "decision", "null", output)
    if metric.numerator not in ("wrong", "log_loss", "brier"):
        return f"{output}::double"
    if_one, if_none = (_expression(metric, metric.numerator, label, output) for label in ("1.0", "0.0"))
    return f"case when {output} between 0 and 1 then {output} * {if_one} + (1.0 - {output}) * {if_none} end"


def _double(value: float) -> str:
    """As SQL writes just this number: without an exponent it would be a decimal, and rounded once more."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"
