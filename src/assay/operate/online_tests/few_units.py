"""A few closed units into the sums, without a database: to the bit what `units` and `aggregating` make of them.

DuckDB plans its query for 10 ms, however few units there are. What these lines do not do to the bit (a covariate, for
which the whole log is asked; numbers so large that a sum is rounded) is left to it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assay.operate.online_tests.aggregating import Cell, ExactSums, Exponents, columns_of, terms_of
from assay.operate.online_tests.beside import ROW_STEP, named_by_unit
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.measures import row_number
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.open_units import OpenUnit, OpenUnits, UnitRow
from assay.operate.online_tests.units import Windowed

__all__ = ["add_few", "are_few"]

_FEW = 4000  # values of rows; with more of them DuckDB is faster
_MOST = 2.0**22  # a sum of steps that is no larger is a double as it stands
_LARGEST = 2**31 - 1


class _LeftToSql(Exception):
    """These units are not to be added here."""


@dataclass(slots=True)
class _Summed:
    """A metric with the sums of each cell, and the steps of its columns."""

    metric: Metric
    terms: tuple[str, ...]
    exponents: dict[str, int]
    cells: dict[Cell, ExactSums]


def are_few(units: Sequence[OpenUnit], windowed: Windowed) -> bool:
    """Whether these units are few enough, and the metrics such as can be summed here."""
    if any(metric.covariate != "none" for metric in windowed.metrics):
        return False
    return len(windowed.metrics) * sum(len(unit.rows) for unit in units) <= _FEW


def add_few(
    found: Evidence, windowed: Windowed, number: int, exponents: Exponents, units: Iterable[OpenUnit], known: OpenUnits
) -> bool:
    """Add closed units, whose labels `known` has, to `found`, in the steps of `exponents`, as `add_closed` does.

    False, and nothing is added, where that is left to DuckDB.
    """
    closed: dict[tuple[int, int], int] = {}
    changed: dict[int, int] = {}
    summed = []
    for place, metric in enumerate(windowed.metrics):
        columns = columns_of(metric)
        steps = {letter: exponents[f"{letter}{place}"] for letter in columns}
        summed.append(_Summed(metric, tuple(terms_of(columns)), steps, {}))
    try:
        for unit in units:
            last = unit.begun + (0 if unit.single else windowed.window_us)
            rows = [row for row in unit.rows if row[3] != "fallback" and row[1] <= last]
            if any(row[2] != unit.arm for row in rows):
                changed[unit.arm] = changed.get(unit.arm, 0) + 1
                continue
            closed[unit.phase, unit.arm] = closed.get((unit.phase, unit.arm), 0) + 1
            own = [row for row in rows if row[3] == "hash" and row[1] >= unit.begun]
            for one in summed:
                _add(one, unit, _values(one.metric, windowed, unit, own, known))
    except _LeftToSql:
        return False
    for one in summed:
        for cell, sums in one.cells.items():
            found.sums.setdefault(cell, ExactSums()).add(sums)
        for (phase, arm), n in closed.items():
            cell = (phase, arm, one.metric.name)
            found.closed[cell] = found.closed.get(cell, 0) + n
    for arm, n in changed.items():
        found.changed[number, arm] = found.changed.get((number, arm), 0) + n
    return True


def _add(one: _Summed, unit: OpenUnit, values: dict[str, float] | None) -> None:
    if values is None:
        return
    whole = {letter: _whole(value * 2.0 ** one.exponents[letter], _LARGEST) for letter, value in values.items()}
    sums = one.cells.setdefault((unit.phase, unit.arm, one.metric.name), ExactSums(exponents=one.exponents))
    sums.n += 1
    for term in one.terms:
        times = whole[term[0]] if len(term) == 1 else whole[term[0]] * whole[term[1]]
        sums.terms[term] = sums.terms.get(term, 0) + times


def _values(
    metric: Metric, windowed: Windowed, unit: OpenUnit, rows: Iterable[UnitRow], known: OpenUnits
) -> dict[str, float] | None:
    """The columns y and d of a unit, None where it does not count for the metric."""
    total = count = below = 0
    valued_below = happened = False
    for id, t, _, _, output, status, latency_us in rows:
        if output is not None and not math.isfinite(output):
            raise _LeftToSql
        label = known.label(metric.label, id, t + windowed.maturity_us) if metric.needs_labels else None
        value = row_number(metric, metric.numerator, label, output, status, latency_us)
        if value is None or not math.isfinite(value):
            continue
        total, count, happened = total + _steps(value), count + 1, happened or value > 0
        if metric.denominator is not None:
            divisor = row_number(metric, metric.denominator, label, output, status, latency_us)
            if divisor is not None and math.isfinite(divisor):
                below, valued_below = below + _steps(divisor), True
    if named_by_unit(metric):
        for value in known.labels_of(metric.label, unit.unit, unit.begun, unit.begun + windowed.closes_us):
            total, count, happened = total + _steps(value), count + 1, happened or value > 0
    if not count:
        return None
    y = _double(total)
    if metric.kind == "proportion":
        y = float(happened)
    elif metric.kind == "mean":
        y /= count
    elif metric.kind == "ratio":
        d = float(count) if metric.denominator is None else _double(below)
        return {"y": y, "d": d} if d > 0 and (valued_below or metric.denominator is None) else None
    return {"y": y}


def _steps(value: float) -> int:
    return _whole(value * ROW_STEP, _MOST * ROW_STEP)


def _double(steps: int) -> float:
    return _whole(steps, _MOST * ROW_STEP) / ROW_STEP


def _whole(value: float, largest: float) -> int:
    """The nearest whole number, of two the even one, as DuckDB casts."""
    if not -largest < value < largest:
        raise _LeftToSql
    return round(value)
