"""A small project that the loop trains, and its moments."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from pyarrow import csv

from assay.record.sqlstore import SqlStore

BEGIN = datetime(2013, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = '[triggers.daily]\nschedule = "0 6 * * *"\ncooldown = "1h"\n\n[release]\nstrategy = "direct"\n'


def write_table(rows: int = 600, seed: int = 0) -> None:
    """Flights that are later in the evening."""
    chance = np.random.default_rng(seed)
    hour = chance.integers(6, 23, rows)
    late = chance.random(rows) < 0.05 + 0.05 * (hour - 6)
    table = {"hour": hour, "noise": chance.normal(size=rows), "late": np.where(late, "yes", "no")}
    csv.write_csv(pa.table(table), "flights.csv")


def at(store: SqlStore, day: float) -> None:
    """Let the simulated clock be so many days after the begin."""
    store.clock.advance(BEGIN + day * DAY)
