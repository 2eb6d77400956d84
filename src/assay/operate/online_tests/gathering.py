"""The evidence of a test out of the log and the labels, as they were known at a moment."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from assay.operate.labels.known import newest_labels
from assay.operate.online_tests.aggregating import ARMS, ExactSums, Exponents, cell_sums
from assay.operate.online_tests.definition import OnlineTest
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.units import Windowed, make_labels, make_parts, make_values, windows_of
from assay.operate.predictions.rows import predictions_database
from assay.record.clock import to_us
from assay.record.store import Store

if TYPE_CHECKING:
    import duckdb

__all__ = ["LOG_COLUMNS", "add_closed", "count_exposed", "evidence_in", "evidence_of", "gather", "labels_of"]

LOG_COLUMNS = [
    *("id", "unit", "experiment", "role", "reason", "variant", "phase", "moment", "output", "status", "latency_us"),
    "mv_id",
]  # that metrics are made of


def gather(store: Store, test: OnlineTest, as_of: datetime) -> Evidence:
    """What was known of an A/B test or a bandit at `as_of`."""
    labels = labels_of(store, test.endpoint, test.metrics, as_of)
    with predictions_database(store, test.endpoint, columns=LOG_COLUMNS) as connection:
        return evidence_in(connection, "predictions", labels, test, to_us(as_of))


def labels_of(store: Store, endpoint: str, metrics: Sequence[Metric], as_of: datetime) -> dict[str, pa.Table]:
    """The labels that the metrics need, by name, as they were known at `as_of`."""
    names = sorted({metric.label for metric in metrics if metric.needs_labels})
    return {name: newest_labels(store, endpoint, name=name, as_of=as_of) for name in names}


def evidence_in(
    connection: "duckdb.DuckDBPyConnection",
    log: str,
    labels: Mapping[str, pa.Table],
    test: OnlineTest,
    as_of_us: int,
    exponents: dict[int, Exponents] | None = None,
) -> Evidence:
    """The same from a relation with the columns of the log and tables of labels by name.

    `exponents`, by the number of the windows, are the steps of the sums; what is chosen is written into it.
    """
    return evidence_of(connection, log, make_labels(connection, labels), test, as_of_us, exponents)


def evidence_of(
    connection: "duckdb.DuckDBPyConnection",
    log: str,
    labels: Mapping[str, str],
    test: OnlineTest,
    as_of_us: int,
    exponents: dict[int, Exponents] | None = None,
) -> Evidence:
    """The same where `labels` are tables already, as `make_labels` makes them."""
    make_parts(connection, log, experiment=test.test_id, variants=test.names, as_of_us=as_of_us)
    found = Evidence(as_of_us)
    count_exposed(connection, found)
    for number, windowed in enumerate(windows_of(test.metrics)):
        champion = test.arms[0].mv_id
        make_values(connection, "unit_values", windowed, labels, as_of_us=as_of_us, log=log, champion=champion)
        add_closed(connection, found, windowed, number, exponents if exponents is not None else {})
    return found


def count_exposed(connection: "duckdb.DuckDBPyConnection", found: Evidence) -> None:
    """Add the units of `first` and the rows of `part` that were forced or fell back."""
    for phase, arm, n, begun in connection.execute(
        "select phase, arm, count(*), min(begun) from first group by phase, arm"
    ).fetchall():
        found.exposed[phase, arm] = found.exposed.get((phase, arm), 0) + n
        found.begun_us = begun if found.begun_us is None else min(begun, found.begun_us)
    for reason, counts in (("forced", found.forced), ("fallback", found.fallback)):
        rows = connection.execute("select arm, count(*) from part where reason = ? group by arm", [reason]).fetchall()
        for arm, n in rows:
            if arm is not None:
                counts[arm] = counts.get(arm, 0) + n


def add_closed(
    connection: "duckdb.DuckDBPyConnection",
    found: Evidence,
    windowed: Windowed,
    number: int,
    exponents: dict[int, Exponents],
) -> None:
    """Add the units of the table `unit_values`, in the steps that `exponents` has for that number of the windows.

    Where it has none they are chosen, and written there. InvalidInput, and nothing added, where a value does not fit.
    """
    table = "(select * from unit_values where cell is not null)"
    sums, steps = cell_sums(connection, table, windowed.metrics, exponents.get(number))
    if sums:
        exponents[number] = steps
    for cell, own in sums.items():
        found.sums.setdefault(cell, ExactSums()).add(own)
    for cell, arm, n in connection.execute("select cell, arm, count(*) from unit_values group by cell, arm").fetchall():
        if cell is None:
            found.changed[number, arm] = found.changed.get((number, arm), 0) + n
            continue
        for metric in windowed.metrics:
            place = (cell // ARMS, cell % ARMS, metric.name)
            found.closed[place] = found.closed.get(place, 0) + n
