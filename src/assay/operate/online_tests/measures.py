"""What a row contributes to a metric, as SQL over its columns `output`, `status` and `latency_us`, and its label."""

from assay.operate.online_tests.metric import LABELLED, Metric

__all__ = ["prior_value", "row_value"]

_LEAST = 1e-15  # of a probability in a logarithm, as everywhere in stats


def row_value(metric: Metric, measure: str, label: str, row: str) -> str:
    """An expression of DuckDB: a double, null where the row says nothing. `label` is a column, `row` a relation.

    A loss of a row that failed, whose output is null, is null: `error` counts those.
    """
    text = _expression(metric, measure, label, f"{row}.output", row)
    if measure in LABELLED and metric.missing == "zero":
        return f"case when {label} is null then 0.0 else {text} end"
    return text


def _expression(metric: Metric, measure: str, label: str, output: str, row: str = "") -> str:
    threshold = repr(float(metric.threshold))
    likely = f"least(greatest({output}, {_LEAST!r}), {1 - _LEAST!r})"
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
        "slow": f"({row}.latency_us > {(metric.slo_ms or 0.0) * 1000!r})::integer::double",
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
