"""`assay test status --by COLUMN`: does the effect differ between parts of the units? Shown as exploration only.

A part may be named only after a test says that parts differ at all, and what is shown is drawn towards the common
effect. It never changes a verdict: whoever wants to decide by a part makes a test of it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from assay.errors import InvalidInput, nearest
from assay.operate.online_tests.aggregating import ARMS, ExactSums, cell_sums
from assay.operate.online_tests.definition import OnlineTest
from assay.operate.online_tests.gathering import labels_of
from assay.operate.online_tests.readings import PartReading
from assay.operate.online_tests.units import make_labels, make_parts, make_values, windows_of
from assay.operate.predictions.rows import predictions_database
from assay.record.clock import to_us
from assay.record.store import Store
from assay.stats.arrays import finite
from assay.stats.effects import difference
from assay.stats.segment_effects import segment_effects

if TYPE_CHECKING:
    import duckdb

__all__ = ["explore", "explored_in"]

_PARTS = 12  # the most frequent values; what is left is shown together
_OTHERS = "(others)"
_MISSING = "(missing)"
_QUARTERS = 4  # of a number with many values


def explore(store: Store, test: OnlineTest, as_of: datetime, column: str) -> list[PartReading]:
    """The effects of an A/B test or bandit by the values of an input column at each unit's first row.

    InvalidInput for a shadow test and for a column that the log does not have.
    """
    if test.kind == "shadow":
        raise InvalidInput(f"{test.name} is a shadow test", expected="an A/B test or a bandit")
    labels = labels_of(store, test.endpoint, test.metrics, as_of)
    with predictions_database(store, test.endpoint) as connection:
        value = _column(connection, column)
        return explored_in(connection, "predictions", labels, test, to_us(as_of), value, column)


def explored_in(
    connection: "duckdb.DuckDBPyConnection",
    log: str,
    labels: Mapping[str, pa.Table],
    test: OnlineTest,
    as_of_us: int,
    value: str,
    column: str,
) -> list[PartReading]:
    """The same from a relation; `value` is an expression over its rows, `column` what people call it."""
    make_parts(connection, log, experiment=test.test_id, variants=test.names, as_of_us=as_of_us)
    made = make_labels(connection, labels)
    parts = _make_segments(connection, log, value)
    phases = max(phase.phase for phase in test.phases) + 1
    found = []
    for windowed in windows_of(test.metrics):
        make_values(connection, "unit_values", windowed, made, as_of_us=as_of_us, log=log, champion=test.arms[0].mv_id)
        table = (
            f"(select v.* replace (g.part * {phases * ARMS} + v.cell as cell) from unit_values v "
            f"join segment g on g.unit = v.unit where v.cell is not null)"
        )
        sums, _ = cell_sums(connection, table, windowed.metrics)
        for metric in windowed.metrics:
            for place, arm in enumerate(test.arms[1:], start=1):
                effects = {}
                for number, part in enumerate(parts):
                    sides = [
                        [
                            sums.get((number * phases + phase.phase, side, metric.name), ExactSums()).sums(
                                ratio=metric.kind == "ratio"
                            )
                            for phase in test.phases
                        ]
                        for side in (0, place)
                    ]
                    effects[part] = difference(*sides)
                if len(effects) < 2:
                    continue
                together = segment_effects(column, effects, test.design.alpha, at_will=test.design.kind == "anytime")
                for one in together.segments:
                    found.append(
                        PartReading(
                            arm=arm.name,
                            metric=metric.name,
                            part=one.segment,
                            units=(one.effect.n_control, one.effect.n_treatment),
                            effect=finite(one.effect.estimate),
                            shrunk=finite(one.shrunk),
                            p_value=one.p_rest,
                            p_interaction=together.p_interaction,
                            differs=one.differs,
                        )
                    )
    return found


def _make_segments(connection: "duckdb.DuckDBPyConnection", log: str, value: str) -> list[str]:
    """The table `segment`, a number for each unit; what the numbers stand for."""
    connection.execute(
        f"create or replace temp table of_units as select f.unit, any_value({value}) as value from first f "
        f"join {log} r on r.id = f.id and r.role = 'live' group by f.unit"
    )
    described = connection.execute("select typeof(value), count(distinct value) from of_units group by 1").fetchall()
    kind, distinct = max(described, default=("VARCHAR", 0), key=lambda row: row[1])
    text = f"coalesce(value::varchar, '{_MISSING}')"
    if kind in ("DOUBLE", "FLOAT", "INTEGER", "BIGINT") and distinct > _PARTS:
        edges = connection.execute(
            f"select quantile_disc(value, [{', '.join(str(n / _QUARTERS) for n in range(1, _QUARTERS))}]) from of_units"
        ).fetchall()[0][0]
        cases = " ".join(f"when value <= {edge!r} then 'up to {edge:g}'" for edge in edges)
        text = f"case when value is null then '{_MISSING}' {cases} else 'above {edges[-1]:g}' end"
    rows = connection.execute(f"select {text} as part, count(*) from of_units group by 1 order by 2 desc, 1").fetchall()
    kept = [part for part, _ in rows[:_PARTS]]
    parts = [*kept, _OTHERS] if len(rows) > _PARTS else kept
    connection.execute(
        f"create or replace temp table segment as select unit, "
        f"coalesce(list_position($kept, {text}), {len(kept) + 1}) - 1 as part from of_units",
        {"kept": kept},
    )
    return parts


def _column(connection: "duckdb.DuckDBPyConnection", column: str) -> str:
    """Where the log has an input column, as an expression; or a column of the log itself."""
    described = {name: kind for name, kind, *_ in connection.execute("describe predictions").fetchall()}
    inputs = []
    if "features" in described:
        inputs = [
            name for (name,) in connection.execute(
                "select unnest(struct_keys(features)) from (select features from predictions limit 1)"
            ).fetchall()
        ]  # fmt: skip
    if column in inputs:
        return f'r.features."{column}"'
    own = [name for name in ("model", "revision", "schema", "row") if name in described]
    if column in own:
        return f'r."{column}"'
    close = nearest(column, [*inputs, *own])
    raise InvalidInput(
        f"the log has no input {column!r}",
        expected=", ".join(inputs[:12]) or "an endpoint that has answered",
        hint=f"did you mean {close!r}?" if close else None,
    )
