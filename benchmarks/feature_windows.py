"""Aggregates over windows as of label rows, beside plans for DuckDB written by hand for the same windows.

    python benchmarks/feature_windows.py [--labels 100000] [--rows 2000000] [--repeat 5]

A view with six aggregates: count and sum over 7 days, mean and distinct over 30, sum and last over 90, in a year of
10,000 entities, and of 200. Prints a JSON line for each figure: target, value, ratio, ok. One of the plans joins by
range and groups, the other puts label rows among the rows and uses window frames; `duckdb` is the faster. Both add
floats as they come and know that no two rows are of one event, where Assay looks for corrections and adds exactly. The
values must be the same up to rounding.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from benchmarks.measured import say

import assay.features as f
from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.aggregating import windowed
from assay.build.views.matching.wanted import Wanted

DAY = 86_400_000_000
YEAR = 365 * DAY

RANGES = f"""
SELECT l.id, count(r.ts) FILTER (r.ts > l.t - {7 * DAY}) AS count_7, sum(r.x) FILTER (r.ts > l.t - {7 * DAY}) AS sum_7,
    avg(r.x) FILTER (r.ts > l.t - {30 * DAY}) AS mean_30,
    count(DISTINCT r.c) FILTER (r.ts > l.t - {30 * DAY}) AS distinct_30, sum(r.n) AS sum_90,
    arg_max(r.x, r.ts) AS last_90
FROM labels l LEFT JOIN rows r ON r.k = l.k AND r.ts <= l.t AND r.ts > l.t - {90 * DAY}
GROUP BY l.id ORDER BY l.id
"""
FRAMES = f"""
WITH both_kinds AS (
    SELECT k, ts, x, n, c, NULL::BIGINT AS id FROM rows UNION ALL SELECT k, t, NULL, NULL, NULL, id FROM labels
)
SELECT id, count_7, sum_7, mean_30, distinct_30, sum_90, last_90 FROM (
    SELECT id, count(c) OVER week AS count_7, sum(x) OVER week AS sum_7, avg(x) OVER month AS mean_30,
        count(DISTINCT c) OVER month AS distinct_30, sum(n) OVER quarter AS sum_90,
        last_value(x IGNORE NULLS) OVER quarter AS last_90
    FROM both_kinds
    WINDOW week AS (PARTITION BY k ORDER BY ts RANGE BETWEEN {7 * DAY - 1} PRECEDING AND CURRENT ROW),
        month AS (PARTITION BY k ORDER BY ts RANGE BETWEEN {30 * DAY - 1} PRECEDING AND CURRENT ROW),
        quarter AS (PARTITION BY k ORDER BY ts RANGE BETWEEN {90 * DAY - 1} PRECEDING AND CURRENT ROW)
) WHERE id IS NOT NULL ORDER BY id
"""


def workload(labels: int, rows: int, entities: int, seed: int = 11) -> tuple[Wanted, pa.Table]:
    """Label rows, and rows in no order with numbers, whole numbers and texts; no two are of one entity and time."""
    generator = np.random.default_rng(seed)
    ts = generator.choice(YEAR // DAY * 86_400, rows) * (DAY // 86_400) + np.arange(rows) % (DAY // 86_400)
    texts = pa.array([f"shop {number}" for number in range(300)])
    table = pa.table(
        {
            "k": generator.integers(0, entities, rows),
            TS: ts,
            CREATED: ts + generator.integers(0, DAY, rows),
            ARRIVAL: np.arange(rows),
            "x": generator.normal(10, 5, rows),
            "n": generator.integers(-100, 100, rows),
            "c": texts.take(pa.array(generator.integers(0, len(texts), rows))),
        }
    )
    keys = pa.table({"k": generator.integers(0, entities, labels)})
    return Wanted(keys, generator.integers(0, YEAR, labels), np.ones(labels, bool)), table


def view_of(rows: pa.Table) -> FeatureView:
    """The six aggregates."""
    view: FeatureView = f.feature_view(
        "shopping", entity="k", time="ts", source=rows, created="created",
        features={
            "count_7": f.count(over="7d"), "sum_7": f.sum_of("x", over="7d"), "mean_30": f.mean("x", over="30d"),
            "distinct_30": f.distinct("c", over="30d"), "sum_90": f.sum_of("n", over="90d"),
            "last_90": f.last("x", over="90d"),
        },
    )  # fmt: skip
    return view


def check(ours: pa.Table, theirs: pa.Table) -> None:
    """The same windows: whole numbers equal, floats up to rounding on the way."""
    for name in ours.column_names:
        mine, other = (table.column(name).cast(pa.float64()).to_numpy() for table in (ours, theirs))
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9, err_msg=name)


def measure(labels: int, rows: int, entities: int, plans: dict[str, str], repeat: int) -> None:
    """Runs take turns, so that what else the machine does falls on all; the fastest of each counts."""
    wanted, table = workload(labels, rows, entities)
    view = view_of(table)
    batches = [pa.Table.from_batches([piece]) for piece in table.to_batches(max_chunksize=100_000)]
    connection = duckdb.connect()
    connection.register("given", table)
    connection.execute(f"CREATE TABLE rows AS SELECT k, {TS} AS ts, x, n, c FROM given")
    connection.register("asked", wanted.keys.append_column("t", pa.array(wanted.t)))
    connection.execute("CREATE TABLE labels AS SELECT k, t, row_number() OVER () AS id FROM asked")
    actions: dict[str, Callable[[], pa.Table]] = {
        "event time": lambda: windowed(wanted, batches, view, "event").values,
        "known time": lambda: windowed(wanted, batches, view, "known").values,
        **{name: partial(lambda plan: connection.sql(plan).to_arrow_table(), plan) for name, plan in plans.items()},
    }
    seconds = dict.fromkeys(actions, float("inf"))
    found = {}
    for _ in range(repeat):
        for name, action in actions.items():
            start = time.perf_counter()
            found[name] = action()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    size: dict[str, Any] = {"labels": labels, "rows": rows, "entities": entities, "aggregates": len(view.aggregates)}
    for name in ("event time", "known time"):
        say(f"windows, {name}, seconds", 2.0, seconds[name], **size)
    for name in plans:
        check(found["event time"], found[name])
        say(f"{name}, seconds", None, seconds[name], **size)
    say("windows, event time, over duckdb", 1.0, seconds["event time"] / min(seconds[name] for name in plans), **size)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--labels", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    plans = {"duckdb, range join": RANGES, "duckdb, window frames": FRAMES}
    measure(given.labels, given.rows, 10_000, plans, given.repeat)
    del plans["duckdb, range join"]  # of 200 entities it makes 250 million pairs of rows, which takes minutes
    measure(given.labels, given.rows, 200, plans, given.repeat)


if __name__ == "__main__":
    main()
