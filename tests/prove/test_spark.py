"""Rows in a Spark frame: the same profile and verdict as of a table, bit for bit, however they are partitioned."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import assay
from assay.errors import InvalidInput

pytestmark = [
    pytest.mark.spark,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]

POLICY = """
name = "spark"
segments = ["origin", "carrier"]
[metrics.auc]
margin = 0.02
[metrics.brier]
margin = 0.01
[metrics.recall]
margin = 0.05
"""


def rows(n: int = 3000) -> pa.Table:
    rng = np.random.default_rng(0)
    signal = rng.random(n)
    noisy = [np.clip(signal + rng.normal(0, spread, n), 0, 1) for spread in (0.1, 0.2)]
    return pa.table(
        {
            "late": pa.array((rng.random(n) < signal).astype(float), mask=rng.random(n) < 0.05),
            "new": noisy[0],
            "old": noisy[1],
            "origin": rng.choice(["EWR", "JFK", "LGA"], n),
            "carrier": np.array(["UA", "B6", None], dtype=object)[rng.integers(0, 3, n)],
            "day": [f"d{i % 90}" for i in range(n)],
            "minutes": np.round(rng.normal(0, 30, n), 3),
            "kind": np.array(["cat", "dog", "eel"])[(signal * 3).astype(int)],
        }
    )


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("unit", [(), "day"])
def test_a_spark_frame_gives_the_same_verdict_bit_for_bit(spark_session: Any, partitions: int, unit: Any) -> None:
    table = rows()
    frame = spark_session.createDataFrame(table).repartition(partitions)
    given: dict[str, Any] = {"label": "late", "baseline": "old", "unit": unit, "segments": ["origin", "carrier"]}
    here, there = (assay.evaluate("new", data, **given) for data in (table, frame))
    assert there.profile.to_bytes() == here.profile.to_bytes()
    assert there.rows == here.rows == 3000
    policy = assay.parse_policy(POLICY, "spark.toml")
    first, second = (assay.gate(evaluation, policy) for evaluation in (here, there))
    assert (first.verdict, first.reasons, first.checks) == (second.verdict, second.reasons, second.checks)


def test_other_tasks_functions_and_expressions_run_there_too(spark_session: Any) -> None:
    table = rows()
    frame = spark_session.createDataFrame(table).repartition(2)
    segments = assay.Segments(by=["origin"], where={"big": "minutes > 10"}, bins={})

    def answers(part: pa.Table) -> Any:
        return np.asarray(part["new"]) * 10.0

    here, there = (
        assay.evaluate(answers, data, label="minutes", task="regression", segments=segments) for data in (table, frame)
    )
    assert here.profile == there.profile
    here, there = (
        assay.evaluate("kind", data, label="kind", task="multiclass", segments=["origin"]) for data in (table, frame)
    )
    assert here.profile == there.profile


def test_the_hash_of_spark_rows_does_not_depend_on_their_order(spark_session: Any) -> None:
    from assay.prove.sources import hash_of, source_of

    table = rows()
    first, second = (spark_session.createDataFrame(part) for part in (table, table.take(np.arange(2999, -1, -1))))
    other = spark_session.createDataFrame(table.slice(1))
    assert hash_of(source_of(first)) == hash_of(source_of(second.repartition(3))) != hash_of(source_of(other))


def test_what_needs_all_rows_in_memory_is_refused(spark_session: Any) -> None:
    frame = spark_session.createDataFrame(rows())
    with pytest.raises(InvalidInput, match="searched for in memory"):
        assay.evaluate("new", frame, label="late", segments=assay.Segments(by=["origin"], find=2))
    with pytest.raises(InvalidInput, match="read in parts"):
        assay.evaluate("new", frame, label="late", task="ranking", query="day")
    with pytest.raises(InvalidInput, match="no rows"):
        assay.evaluate("new", frame.limit(0), label="late")
