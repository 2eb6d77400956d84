"""A shadow answers the same requests as the champion: both answers of a row stand in the log under one id.

So both are compared row by row, which takes a fraction of the labels of a split: where two models agree, nothing is
left to chance. Before any label is in, the answers themselves say how far the challenger is from the champion.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from assay.operate.online_tests.aggregating import ARMS, ExactSums, cell_sums
from assay.operate.online_tests.beside import total_of, whole
from assay.operate.online_tests.definition import OnlineTest
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.gathering import labels_of
from assay.operate.online_tests.judging import Effects
from assay.operate.online_tests.measures import row_value
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.readings import PairReading, Shift
from assay.operate.online_tests.units import Windowed, label_joins, label_value, make_labels, windows_of
from assay.operate.predictions.rows import predictions_database
from assay.record.clock import moment, to_us
from assay.record.store import Store
from assay.stats.anytime import asymptotic_interval
from assay.stats.arrays import finite
from assay.stats.effects import Sums
from assay.stats.shadow_pairs import discordant, paired_effect

if TYPE_CHECKING:
    import duckdb

__all__ = ["LOG_COLUMNS", "Pairs", "gather_pairs", "pairs_in"]

LOG_COLUMNS = [
    "id",
    "unit",
    "role",
    "reason",
    "mv_id",
    "moment",
    "output",
    "status",
    "latency_us",
]  # of what is compared
_ANSWERS = ("live", "shadow")
_SIDES = ("difference", "champion", "challenger")


class Pairs(msgspec.Struct):
    """What the pairs say: the effects by arm and metric, what they were made of, and what needs no labels."""

    evidence: Evidence
    effects: Effects
    shifts: dict[str, Shift]
    labelled: dict[str, dict[str, PairReading]]


def gather_pairs(store: Store, test: OnlineTest, as_of: datetime) -> Pairs:
    """What was known of a shadow test at `as_of`."""
    labels = labels_of(store, test.endpoint, test.metrics, as_of)
    begun = moment(test.started)
    with predictions_database(store, test.endpoint, since=begun, columns=LOG_COLUMNS) as connection:
        return pairs_in(connection, "predictions", labels, test, to_us(as_of))


def pairs_in(
    connection: "duckdb.DuckDBPyConnection",
    log: str,
    labels: Mapping[str, pa.Table],
    test: OnlineTest,
    as_of_us: int,
) -> Pairs:
    """The same from a relation with the columns of the log and tables of labels by name."""
    made = make_labels(connection, labels)
    found = Pairs(Evidence(as_of_us), {}, {}, {})
    until = min(as_of_us, to_us(moment(test.ended))) if test.ended else as_of_us
    for place, arm in enumerate(test.arms[1:], start=1):
        _make_pairs(connection, log, test, place, until)
        found.shifts[arm.name] = _shift(connection, test)
        found.effects[arm.name], found.labelled[arm.name] = {}, {}
        for windowed in windows_of(test.metrics):
            _make_values(connection, windowed, made, place, as_of_us)
            named = [
                Metric(name=f"{metric.name} {side}", kind="ratio") for metric in windowed.metrics for side in _SIDES
            ]
            sums, _ = cell_sums(connection, "pair_values", named)
            closed = connection.execute("select count(*) from closed_pairs").fetchone()
            for metric in windowed.metrics:
                own = [sums.get((1, place, f"{metric.name} {side}"), ExactSums()) for side in _SIDES]
                found.evidence.sums[1, place, metric.name] = own[0]
                found.evidence.closed[1, place, metric.name] = closed[0] if closed else 0
                _compare(connection, found, metric, arm.name, [one.sums(ratio=True) for one in own], test.design.alpha)
        units, begun = connection.execute("select count(distinct unit), min(t) from pair").fetchall()[0]
        found.evidence.exposed[1, place] = units
        found.evidence.begun_us = begun
    return found


def _make_pairs(connection: "duckdb.DuckDBPyConnection", log: str, test: OnlineTest, place: int, until_us: int) -> None:
    """The table `pair`: rows that the champion answered while the test ran, beside what the challenger said."""
    champion, challenger = test.arms[0].mv_id, test.arms[place].mv_id
    begun = to_us(moment(test.started))
    answer = "struct_pack(output := {0}.output, status := {0}.status, latency_us := {0}.latency_us)"
    connection.execute(
        f"create or replace table pair as select coalesce(l.unit, l.id) as unit, l.unit is null as single, l.id, "
        f"epoch_us(l.moment) as t, s.id is not null as has_shadow, {answer.format('l')} as live, "
        f"{answer.format('s')} as shadow from {log} l left join (select id, any_value(output) as output, "
        f"any_value(status) as status, any_value(latency_us) as latency_us from {log} "
        f"where role = 'shadow' and mv_id = '{challenger}' and epoch_us(moment) >= {begun} "
        f"group by id having count(*) = 1) s on s.id = l.id "
        f"where l.role = 'live' and l.mv_id = '{champion}' and l.reason in ('only', 'hash', 'outside') "
        f"and epoch_us(l.moment) between {begun} and {until_us}"
    )


def _shift(connection: "duckdb.DuckDBPyConnection", test: OnlineTest) -> Shift:
    """How far the answers are from each other, unit by unit, without a label."""
    threshold = next((metric.threshold for metric in test.metrics), 0.5)
    row = connection.execute(
        f"select count(*), count(*) filter (not has_shadow), count(*) filter (shadow.status != 'ok'), "
        f"avg(((live.output >= {threshold!r}) != (shadow.output >= {threshold!r}))::integer) from pair"
    ).fetchone()
    assert row is not None
    total, alone, failed, disagreement = row
    apart = "shadow.output - live.output"
    connection.execute(
        f"create or replace temp table shifted as select {ARMS} as cell, {total_of(f'sum({whole(apart)})')} "
        f"as y0, count({apart})::double as d0 from pair where {apart} is not null group by unit"
    )
    sums, _ = cell_sums(connection, "shifted", [Metric(name="output", kind="ratio")])
    effect = paired_effect(sums.get((1, 0, "output"), ExactSums()).sums(ratio=True))
    interval = asymptotic_interval(effect, test.design.alpha)
    return Shift(
        rows=total,
        without_shadow=alone,
        failed=failed,
        disagreement=disagreement,
        mean_shift=finite(effect.estimate),
        low=finite(interval.low),
        high=finite(interval.high),
    )


def _make_values(
    connection: "duckdb.DuckDBPyConnection", windowed: Windowed, labels: Mapping[str, str], place: int, as_of_us: int
) -> None:
    """The table `pair_values`: for each closed unit and metric sum and number of differences, and of either side."""
    connection.execute(
        f"create or replace temp table closed_pairs as select unit, single, min(t) as begun from pair "
        f"group by unit, single having min(t) + {windowed.maturity_us} + "
        f"case when single then 0 else {windowed.window_us} end <= {as_of_us}"
    )
    joins, sums = " ".join(["", *label_joins(windowed.metrics, labels, windowed.maturity_us)]), []
    for number, metric in enumerate(windowed.metrics):
        label = label_value(metric, labels)
        live, other = (row_value(metric, metric.numerator, label, f"p.{side}") for side in _ANSWERS)
        for offset, value in enumerate((f"({other} - {live})", live, other)):
            both = f"({other}) is not null and ({live}) is not null"
            place_ = len(_SIDES) * number + offset
            sums.append(f"{total_of(f'sum({whole(value)}) filter ({both})')} as y{place_}")
            sums.append(f"nullif(count({value}) filter ({both}), 0)::double as d{place_}")
    # A unit without a pair that counts has no number of them, so its sum must not count as one either.
    kept = ", ".join(
        f"case when d{n} is not null then y{n} end as y{n}, d{n}" for n in range(len(_SIDES) * len(windowed.metrics))
    )
    connection.execute(
        f"create or replace temp table pair_values as select {ARMS + place} as cell, {kept} from ("
        f"select p.unit, {', '.join(sums)} from closed_pairs f join pair p on p.unit = f.unit and p.has_shadow "
        f"and p.t <= f.begun + case when f.single then 0 else {windowed.window_us} end{joins} group by p.unit)"
    )
    wrong = [metric for metric in windowed.metrics if metric.numerator == "wrong"]
    for metric in wrong:
        label = label_value(metric, labels)
        live, other = (row_value(metric, "wrong", label, f"p.{side}") for side in _ANSWERS)
        connection.execute(
            f'create or replace temp table "first {metric.name}" as select * from ('
            f"select {live} as champion, {other} as challenger, "
            f"row_number() over (partition by p.unit order by p.t, p.id) as place from closed_pairs f "
            f"join pair p on p.unit = f.unit and p.has_shadow{joins} "
            f"where ({live}) is not null and ({other}) is not null) where place = 1"
        )


def _compare(
    connection: "duckdb.DuckDBPyConnection", found: Pairs, metric: Metric, arm: str, sums: list[Sums], alpha: float
) -> None:
    difference, champion, challenger = sums
    effect = paired_effect(difference)
    found.effects[arm][metric.name] = replace(effect, control=champion.mean, treatment=challenger.mean)
    spread, apart = difference.variance, champion.variance + challenger.variance
    unpaired = round(2 * difference.n * apart / spread) if spread > 0 else None
    exact = None
    if metric.numerator == "wrong":
        better, worse = connection.execute(
            f"select count(*) filter (champion > challenger), count(*) filter (champion < challenger) "
            f'from "first {metric.name}"'
        ).fetchall()[0]
        exact = discordant(better, worse, alpha)
    found.labelled[arm][metric.name] = PairReading(
        units=difference.n,
        pairs=round(difference.d),
        unpaired_units=unpaired,
        better=exact.better if exact else None,
        worse=exact.worse if exact else None,
        exact_p=exact.p_value if exact else None,
    )
