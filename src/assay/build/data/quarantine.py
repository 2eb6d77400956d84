"""Rows that break an expectation, set apart as a dataset of their own; the rest goes on."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.checks import examined
from assay.build.data.expectations import Severity
from assay.errors import InvalidInput, Refused
from assay.record import tables as files
from assay.record.datasets import DatasetVersion, snapshot
from assay.record.store import Store

__all__ = ["BROKEN", "Quarantined", "quarantine"]

BROKEN = "broken_expectations"  # the column that says why a row was set apart


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The rows that go on and those set apart, each recorded; `counts` are the rows by the expectation they broke.

    `set_apart` has the column `broken_expectations`. `set_apart_version` is None where no row was.
    """

    kept: pa.Table
    set_apart: pa.Table
    kept_version: DatasetVersion
    set_apart_version: DatasetVersion | None
    counts: dict[str, int]


def quarantine(
    store: Store,
    name: str,
    table: object,
    expectations: object,
    *,
    severity: Severity = "stop",
    tables: Mapping[str, object] | None = None,
) -> Quarantined:
    """Keep the rows that break nothing as the dataset `name`, and the others as `name-quarantine` with the reasons.

    Only what is of severity `stop` sets rows apart; with severity="warn" what warns does as well. `expectations` and
    `tables` are as in `check_table`. Refused where an expectation of severity `stop` is about the whole table (columns,
    number of rows, freshness, a constant label) and broken: no row can be blamed, and nothing is kept.
    """
    arrow = files.as_table(table)
    if BROKEN in arrow.column_names:
        raise InvalidInput(
            f"the table has a column {BROKEN!r}", hint="it was in quarantine before: take that column away"
        )
    found = examined(table, expectations, now=store.clock.latest(), tables=tables, store=store)
    broken = [(one.name, failed) for _, one, failed in found if failed.failing and severity in (one.severity, "warn")]
    whole = [(one.name, failed) for _, one, failed in found
             if failed.failing and failed.rows is None and one.severity == "stop"]  # fmt: skip
    if whole:
        raise Refused(
            f"{len(whole)} expectation(s) about the whole table are broken, which no row can be blamed for",
            where="; ".join(f"{said}: {failed.detail}" for said, failed in whole[:3]),
            hint="correct the source, or the expectation",
        )
    bad = pa.chunked_array([pa.array([False] * arrow.num_rows)])
    reasons = pa.chunked_array([pa.array([None] * arrow.num_rows, pa.string())])
    counts = {}
    for said, failed in broken:
        if failed.rows is None:
            continue  # it only warns about the whole table
        rows = pc.fill_null(failed.rows(), False)
        longer = pc.if_else(pc.is_valid(reasons), pc.binary_join_element_wise(reasons, said, "; "), said)
        bad, reasons = pc.or_(bad, rows), pc.if_else(rows, longer, reasons)
        counts[said] = failed.failing
    kept, apart = arrow.filter(pc.invert(bad)), arrow.append_column(BROKEN, reasons).filter(bad)
    with store.transaction():
        return Quarantined(
            kept=kept,
            set_apart=apart,
            kept_version=snapshot(store, name, kept),
            set_apart_version=snapshot(store, f"{name}-quarantine", apart) if apart.num_rows else None,
            counts=counts,
        )
