"""A process that writes rows into an online store: `python online_writer.py FILE SEED ROWS [PAUSES]`.

It prints a line after each write has returned. The rows are those of `writes(seed, rows)`, of 20 keys, in order of
arrival but with times in any order; of the keys of `sums` also for a view of aggregates.
"""

import random
import sys
from pathlib import Path

import pyarrow as pa

from assay.build.views.declared.aggregates import Aggregate
from assay.build.views.online.contract import online_rows, view_version
from assay.build.views.online.sqlite_shelf import SqliteShelf
from assay.build.views.online.store import OnlineStore, OnlineTable

NOW = 1_700_000_000_000_000
KEYS = 20
_OF_A_WRITE = 10


def tables(store: OnlineStore) -> list[OnlineTable]:
    """One of single values, one of aggregates."""
    aggregates = {"n": Aggregate("count", None, 5_000), "total": Aggregate("sum", "x", 10_000)}
    return [store.table(view_version()), store.table(view_version(2, aggregates=aggregates))]


def writes(seed: int, rows: int) -> list[pa.Table]:
    """The same for each seed; arrival numbers differ by seed, and are unique."""
    drawn = random.Random(seed)
    all_rows = [(f"k{drawn.randrange(KEYS)}", NOW - drawn.randrange(9_000), None, place) for place in range(rows)]
    return [
        online_rows(all_rows[first : first + _OF_A_WRITE], first=seed * 1_000_000 + first)
        for first in range(0, rows, _OF_A_WRITE)
    ]


def main() -> None:
    """Write them, each with the mark of how far it came."""
    file, seed, rows = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with OnlineStore(SqliteShelf(file), 0) as store:
        for place, part in enumerate(writes(seed, rows)):
            for table in tables(store):
                table.write(part, NOW, {"writes": place + 1})
            print(place + 1, flush=True)


if __name__ == "__main__":
    main()
