"""Is a prediction log whole: its segments, and its parts against what is on record about them."""

import msgspec

from assay.operate.predictions.folder import log_folder, segments
from assay.operate.predictions.parts import all_parts, compacted_in, part_path, parts_folder, reading, segments_in
from assay.operate.predictions.recovering import inspect
from assay.operate.predictions.rows import predictions_database
from assay.record.canonical import digest_file
from assay.record.store import Store

__all__ = ["CheckedLog", "check_log", "count_answered"]


class CheckedLog(msgspec.Struct, frozen=True):
    """`predictions` that are logged, and how many more say of themselves that they were `dropped`."""

    predictions: int
    dropped: int
    problems: list[str]
    notes: list[str]


def check_log(store: Store, endpoint: str) -> CheckedLog:
    """Look at every record of the segments, and at every file of the parts. It changes nothing."""
    folder = log_folder(store, endpoint)
    with reading(folder):
        there = {path.name for path in segments(folder)}
        parts = all_parts(store, endpoint)
        done = compacted_in(parts)
        loose = inspect(folder, without=done)
        problems = [f"predictions of {endpoint}: {name}" for name in loose.damaged]
        live = [part for part in parts if part.deleted is None]
        for part in live:
            path = part_path(store, part)
            if not path.is_file():
                problems.append(f"predictions of {endpoint}: the part {part.path} is missing")
            elif digest_file(path) != part.hash:
                problems.append(f"predictions of {endpoint}: the part {part.path} does not match its hash")
        named = {part_path(store, part) for part in parts}
        for path in sorted(parts_folder(store, endpoint).glob("*/*.parquet")):
            if path not in named and not segments_in(path) <= done.keys() | there:
                problems.append(f"predictions of {endpoint}: no record names {path.name}, which alone has its rows")
    dropped = loose.dropped + sum(gap.dropped for part in parts for gap in part.gaps)
    notes = [f"predictions of {endpoint}: {name}" for name in loose.torn]
    if dropped:
        notes.append(f"predictions of {endpoint}: {dropped:,} were answered and not logged")
    return CheckedLog(loose.records + sum(part.rows for part in live), dropped, problems, notes)


def count_answered(store: Store, endpoint: str) -> int:
    """How many rows somebody was answered, errors among them; what shadows said besides does not count."""
    with predictions_database(store, endpoint, columns=["role"]) as connection:
        row = connection.execute("select count(*) from predictions where role = 'live'").fetchone()
    return int(row[0]) if row else 0
