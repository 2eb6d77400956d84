"""Rows of the log into one row for each unit, once its window has closed: what an analysis may count.

Rows of a unit that returns hang together, and a label that is late is not a label that says no. So all rows of a unit
become one value, and it enters when nothing can be added to it any more. A unit belongs to the phase and to the variant
of its first row. One that was also given another variant while its window was open says nothing about either: it is
left out and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from assay.operate.online_tests.aggregating import ARMS, columns_of
from assay.operate.online_tests.beside import joined_to_units, named_by_unit, total_of, whole
from assay.operate.online_tests.measures import prior_value, row_value
from assay.operate.online_tests.metric import Metric
from assay.operate.predictions.rows import sql_text

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "Windowed",
    "label_joins",
    "label_value",
    "make_all_parts",
    "make_labels",
    "make_parts",
    "make_values",
    "windows_of",
]


@dataclass(frozen=True, slots=True)
class Windowed:
    """The metrics whose units close at the same time: `window_us` after their first row and `maturity_us` more."""

    window_us: int
    maturity_us: int
    metrics: tuple[Metric, ...]

    @property
    def closes_us(self) -> int:
        """How long after its first row a unit is closed; one that is a single row, without a window."""
        return self.window_us + self.maturity_us


def windows_of(metrics: Sequence[Metric]) -> list[Windowed]:
    """Metrics by when their units close, in the order of the first of each."""
    found: dict[tuple[int, int], list[Metric]] = {}
    for metric in metrics:
        found.setdefault((metric.window_us, metric.maturity_us), []).append(metric)
    return [Windowed(*lengths, tuple(together)) for lengths, together in found.items()]


def make_parts(
    connection: "duckdb.DuckDBPyConnection", log: str, *, experiment: str, variants: Sequence[str], as_of_us: int
) -> None:
    """Make the tables `part`, rows that take part in the test, and `first`, where each unit's way through it began.

    `log` names a relation with the columns of the prediction log. Rows without a unit are units of their own.
    """
    arms = " ".join(f"when {sql_text(name)} then {place}" for place, name in enumerate(variants))
    connection.execute(
        f"create or replace table part as select coalesce(unit, id) as unit, unit is null as single, id, phase, "
        f"case variant {arms} end as arm, reason, epoch_us(moment) as t, output, status, latency_us from {log} "
        f"where experiment = {sql_text(experiment)} and role = 'live' and reason in ('hash', 'forced', 'fallback') "
        f"and epoch_us(moment) <= {as_of_us}"
    )
    make_first(connection)


def make_all_parts(connection: "duckdb.DuckDBPyConnection", log: str, *, since_us: int, as_of_us: int) -> None:
    """The same of all rows that were answered, as if they had been in one arm of one phase."""
    connection.execute(
        f"create or replace table part as select coalesce(unit, id) as unit, unit is null as single, id, 1 as phase, "
        f"0 as arm, 'hash' as reason, epoch_us(moment) as t, output, status, latency_us from {log} "
        f"where role = 'live' and reason != 'forced' and epoch_us(moment) between {since_us} and {as_of_us}"
    )
    make_first(connection)


def make_first(connection: "duckdb.DuckDBPyConnection") -> None:
    """Make `first` of `part`: the phase, variant and moment of each unit's first row by its hash."""
    # Rows of one moment are ordered by id: which of them is the first must not depend on the order of reading.
    connection.execute(
        "create or replace table first as select unit, single, id, begun, phase, arm from ("
        "select unit, single, id, t as begun, phase, arm, "
        "row_number() over (partition by unit order by t, id) as place "
        "from part where reason = 'hash' and arm is not null) where place = 1"
    )


def make_labels(connection: "duckdb.DuckDBPyConnection", labels: Mapping[str, pa.Table]) -> dict[str, str]:
    """Make a table of the labels under each name, and say what it is called.

    Each has prediction_id, unit (one of them null), value and event_ts; of a prediction at most one row.
    """
    made = {}
    for number, (name, table) in enumerate(sorted(labels.items())):
        made[name] = f"label{number}"
        connection.register("the_labels", table.select(["prediction_id", "unit", "value", "event_ts"]))
        moment = "epoch_us(event_ts)"
        if pa.types.is_string(table.schema.field("event_ts").type):
            moment = "epoch_us(cast(event_ts as timestamp))"  # as record.clock writes it, in UTC
        connection.execute(
            f"create or replace table {made[name]} as select prediction_id, unit, value, {moment} as happened "
            f"from the_labels"
        )
        connection.unregister("the_labels")
    return made


def label_joins(metrics: Sequence[Metric], labels: Mapping[str, str], maturity_us: int) -> list[str]:
    """Joins of the labels that metrics need to rows `p`: those that happened within the maturity of the row."""
    names = sorted({metric.label for metric in metrics if metric.needs_labels})
    return [
        f"left join {labels[name]} {labels[name]} on {labels[name]}.prediction_id = p.id "
        f"and {labels[name]}.happened <= p.t + {maturity_us}"
        for name in names
    ]


def label_value(metric: Metric, labels: Mapping[str, str]) -> str:
    """The label of a row behind such joins, or null where the metric needs none."""
    return f"{labels[metric.label]}.value" if metric.needs_labels else "null"


def make_values(
    connection: "duckdb.DuckDBPyConnection",
    table: str,
    windowed: Windowed,
    labels: Mapping[str, str],
    *,
    as_of_us: int,
    log: str,
    champion: str,
    part: str = "part",
    first: str = "first",
) -> None:
    """Make `table`: unit, cell, begun and the columns of each metric, for the units that are closed by `as_of_us`.

    `labels` are tables by name as `make_labels` made them, `champion` the id of the champion's version; `part`
    and `first` are as `make_parts` makes them. Units that were given several variants have a null cell.
    """
    closes = f"begun + case when single then {windowed.maturity_us} else {windowed.closes_us} end"
    rows, sums, joins, values = [], [], [], []
    for number, metric in enumerate(windowed.metrics):
        rows += _row_values(number, metric, labels)
        sums += _row_sums(number, metric)
        values += _values(number, metric)
    joins += label_joins(windowed.metrics, labels, windowed.maturity_us)
    if any(metric.covariate == "champion" for metric in windowed.metrics):
        joins.append(
            f"left join (select id, any_value(output) as output from {log} where role = 'shadow' "
            f"and mv_id = {sql_text(champion)} group by id having count(*) = 1) shadow on shadow.id = p.id"
        )
    beside = joined_to_units(windowed.metrics, labels, log=log, closed="closed", open_us=windowed.closes_us)
    connection.execute(
        f"create or replace table {table} as with closed as materialized ("
        f"select unit, single, begun, phase, arm from {first} where {closes} <= {as_of_us}), of_rows as ("
        f"select f.unit, f.arm, f.begun, f.phase * {ARMS} + f.arm as cell, p.arm is distinct from f.arm as other, "
        f"p.reason = 'hash' and p.arm = f.arm and p.t >= f.begun as own, {', '.join(rows)} "
        f"from closed f join {part} p on p.unit = f.unit and p.reason != 'fallback' "
        f"and p.t <= f.begun + case when f.single then 0 else {windowed.window_us} end {' '.join(joins)}) "
        f"select r.unit, case when r.changed then null else r.cell end as cell, r.arm, r.begun, {', '.join(values)} "
        f"from (select unit, any_value(cell)::integer as cell, any_value(arm) as arm, any_value(begun) as begun, "
        f"bool_or(other) as changed, {', '.join(sums)} from of_rows group by unit) r {beside}"
    )


def _row_values(number: int, metric: Metric, labels: Mapping[str, str]) -> list[str]:
    """What each row says: the numerator h{i}, with the denominator g{i}, and what the champion would have said, k{i}.

    Null for rows that do not count, and for what is infinite or NaN.
    """
    label = label_value(metric, labels)
    named = [(f"h{number}", "own", row_value(metric, metric.numerator, label, "p"))]
    if metric.denominator is not None:
        named.append((f"g{number}", f"h{number} is not null", row_value(metric, metric.denominator, label, "p")))
    if metric.covariate == "champion":
        named.append((f"k{number}", "own", prior_value(metric, "shadow.output")))
    return [
        text
        for name, condition, value in named
        for text in (
            f"{value} as all_{name}",
            f"case when {condition} and isfinite(all_{name}) then all_{name} end as {name}",
        )
    ]


def _row_sums(number: int, metric: Metric) -> list[str]:
    """Aggregates of those over the rows of a unit: sum s{i}, number c{i}, whether any is above 0 (a{i}), and so on."""
    found = [f"sum({whole(f'h{number}')}) as s{number}", f"count(h{number}) as c{number}"]
    if metric.kind == "proportion":
        found.append(f"bool_or(h{number} > 0) as a{number}")
    if metric.denominator is not None:
        found.append(f"sum({whole(f'g{number}')}) as b{number}")
    if metric.covariate == "champion":
        found += [f"sum({whole(f'k{number}')}) as u{number}", f"count(k{number}) as v{number}"]
    return found


def _values(number: int, metric: Metric) -> list[str]:
    """The columns of a unit out of those aggregates, each a double."""
    total, count = total_of(f"s{number}"), f"c{number}"
    happened = f"a{number}"
    if named_by_unit(metric):
        total = total_of(f"(coalesce(s{number}, 0) + coalesce(o{number}, 0))")
        count = f"(c{number} + coalesce(n{number}, 0))"
        happened = f"(coalesce(a{number}, false) or coalesce(p{number}, false))"
    valued = f"{count} > 0"
    values = {"y": _by_kind(metric, total, count, happened)}
    if metric.kind == "ratio":
        values["d"] = f"{count}::double" if metric.denominator is None else total_of(f"b{number}")
        valued += f" and {values['d']} > 0"
    if metric.covariate != "none":
        total, count = total_of(f"u{number}"), f"v{number}"
        known = _by_kind(metric, total, count, f"(u{number} > 0)")
        values["x"] = f"case when {count} > 0 then {known} else 0.0 end"
        if metric.kind == "ratio":
            values["w"] = f"coalesce({count}, 0)::double"
    values = {letter: f"case when {valued} then {text} end" for letter, text in values.items()}
    return [f"{values[letter]} as {letter}{number}" for letter in columns_of(metric)]


def _by_kind(metric: Metric, total: str, count: str, happened: str) -> str:
    if metric.kind == "proportion":
        return f"{happened}::integer::double"
    return f"({total}) / {count}" if metric.kind == "mean" else f"({total})"
