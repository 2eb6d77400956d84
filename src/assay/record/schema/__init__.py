"""The tables. Names and fields follow one evidence vocabulary, so that later questions are joins, not migrations.

Times are UTC text (`clock.iso`): the same order and comparison on every backend. `ts` is the wall clock,
`event_ts` the simulated moment of a replay. A run's params, metrics and tags
inherit who wrote them from the run.
"""

import importlib

from sqlalchemy import Table

from assay.record.schema.columns import METADATA

__all__ = ["METADATA", "TABLES"]

for _part in ("built", "proven", "operated", "agreed", "told", "chain"):  # in this order stand the tables
    importlib.import_module(f"{__name__}.{_part}")

TABLES: dict[str, Table] = dict(METADATA.tables)
