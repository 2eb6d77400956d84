"""What belongs to a unit beside its own rows: labels that name the unit, and what was known of it before the test."""

from collections.abc import Mapping

from assay.operate.online_tests.measures import row_value
from assay.operate.online_tests.metric import Metric

__all__ = ["ROW_STEP", "joined_to_units", "named_by_unit", "total_of", "whole"]

ROW_STEP = 2.0**30  # a value of a row is counted in steps of 1/ROW_STEP


def whole(value: str) -> str:
    """A row's value as a whole number of steps of 2**-30, which add up in any order; infinite or NaN says nothing."""
    return f"case when isfinite({value}) then (({value}) * {ROW_STEP!r})::bigint end"


def total_of(steps: str) -> str:
    """A sum of such steps as the double that it stands for."""
    return f"{steps}::double / {ROW_STEP!r}"


def named_by_unit(metric: Metric) -> bool:
    """Whether labels that name a unit, and no prediction, count for the metric."""
    return metric.numerator == "label"


def joined_to_units(
    metrics: tuple[Metric, ...], labels: Mapping[str, str], *, log: str, closed: str, open_us: int
) -> str:
    """Joins to a relation `r` of units, one of each kind; `closed` has their unit and begun.

    For metric number i the columns o{i}, n{i} and p{i} of labels by unit that happened within `open_us` of its first
    row: their sum, their number, and whether one is above 0; u{i} and v{i} of its rows before: sum and number.
    """
    joins = []
    for label in sorted({metric.label for metric in metrics if named_by_unit(metric)}):
        found = ", ".join(
            f"sum({whole('l.value')}) as o{number}, count(l.value) as n{number}, bool_or(l.value > 0) as p{number}"
            for number, metric in enumerate(metrics)
            if named_by_unit(metric) and metric.label == label
        )
        joins.append(
            f"left join (select f.unit, {found} from {closed} f join {labels[label]} l on l.unit = f.unit "
            f"where l.prediction_id is null and l.happened between f.begun and f.begun + {open_us} group by f.unit) "
            f"by_{labels[label]} on by_{labels[label]}.unit = r.unit"
        )
    for number, metric in enumerate(metrics):
        if metric.covariate != "before":
            continue
        known, label = "", "null"
        if metric.needs_labels:
            known = f"left join {labels[metric.label]} l on l.prediction_id = b.id and l.happened <= f.begun"
            label = "l.value"
        value = row_value(metric, metric.numerator, label, "b")
        joins.append(
            f"left join (select f.unit, sum({whole(value)}) as u{number}, count({value}) as v{number} from {closed} f "
            f"join {log} b on b.unit = f.unit and b.role = 'live' and epoch_us(b.moment) < f.begun "
            f"and epoch_us(b.moment) >= f.begun - {metric.lookback_us} {known} group by f.unit) before{number} "
            f"on before{number}.unit = r.unit"
        )
    return " ".join(joins)
