"""The world of the year: what is asked on a day, and what has landed by its end."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.demo import data
from assay.demo.pipeline import FEATURES, LABEL, UNIT, clean_weather, derive_features
from assay.demo.replay import start_of

__all__ = ["BROKEN_COLUMN", "Landing", "all_flights", "in_hours", "of_days"]

BROKEN_COLUMN = "minute_of_day"


def all_flights(share: float, seed: int) -> pa.Table:
    """A share of the flights of 2013 with the weather at their departure, in order of departure."""
    table = derive_features(data.read("flights"), clean_weather(data.read("weather")))
    place = table.column_names.index(BROKEN_COLUMN)
    table = table.set_column(place, BROKEN_COLUMN, table[BROKEN_COLUMN].cast(pa.float64()))
    if share >= 1:
        return table
    return table.filter(pa.array(np.random.default_rng(seed).random(table.num_rows) < share))


def of_days(table: pa.Table, first: date, last: date) -> pa.Table:
    """Flights that depart, in UTC, from the day `first` on and before the day `last`, in their order."""
    low, high = (pa.scalar(start_of(day), table["departure"].type) for day in (first, last))
    return table.filter(pc.and_(pc.greater_equal(table["departure"], low), pc.less(table["departure"], high)))


def in_hours(table: pa.Table, first: date, last: date) -> pa.Table:
    """The table with a feed that says hours where it should say minutes, on days from `first` on and before `last`."""
    broken = of_days(table, first, last)
    place = table.column_names.index(BROKEN_COLUMN)
    hours = pc.divide(broken[BROKEN_COLUMN], 60.0)
    before = of_days(table, date.min, first)
    return pa.concat_tables([before, broken.set_column(place, BROKEN_COLUMN, hours), of_days(table, last, date.max)])


class Landing:
    """The folder of a warehouse: a file for each day, written when its flights have landed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def land(self, table: pa.Table, day: date) -> None:
        """Write the flights of a day anew, as `table` says they were."""
        rows = of_days(table, day, day + timedelta(days=1)).select(["departure", *UNIT, *FEATURES, "arr_delay", LABEL])
        pq.write_table(rows, self.folder / f"{day}.parquet")
