"""Candidates for features: what people try first with dates, numbers, categories and texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import column, is_number, is_text
from assay.build.data.split_times import is_time
from assay.build.features.declared import Definition
from assay.build.features.fitted import Frequency, TargetMean, TextParts

__all__ = ["KINDS", "Candidate", "Kind", "candidates_of", "definition_of"]

Kind = Literal["date", "ratio", "difference", "frequency", "target mean", "text"]
KINDS: tuple[Kind, ...] = ("date", "ratio", "difference", "frequency", "target mean", "text")

_WORDS = 3.0  # in a text of the median row; below, it is a name
_MOST_NUMBERS = 12  # columns whose pairs are tried


@dataclass(frozen=True)
class Candidate:
    """A feature to try: its name, its kind, and SQL, or the column that a fitted one reads."""

    name: str
    kind: Kind
    definition: str


def candidates_of(table: pa.Table, features: Sequence[str], kinds: Sequence[Kind]) -> list[Candidate]:
    """All candidates of those kinds, in an order that depends on the columns alone."""
    times = [name for name in features if is_time(column(table, name).type)]
    numbers = [name for name in features if is_number(column(table, name).type) and _varies(table, name)]
    texts = [name for name in features if is_text(column(table, name).type) and _varies(table, name)]
    prose = [name for name in texts if _is_prose(table, name)]
    names = [name for name in texts if name not in prose]
    found = []
    for name in times:
        found += _of_date(name, has_hours=pa.types.is_timestamp(column(table, name).type))
    for first, second in combinations(times, 2):
        sql = f"date_diff('minute', {_sql(first)}::timestamp, {_sql(second)}::timestamp) / 60.0"
        found.append(Candidate(f"hours_{first}_to_{second}", "date", sql))
    for first, second in combinations(numbers[:_MOST_NUMBERS], 2):
        a, b = f"{_sql(first)}::double", f"{_sql(second)}::double"
        found.append(Candidate(f"{first}_per_{second}", "ratio", f"{a} / nullif({b}, 0)"))
        found.append(Candidate(f"{first}_minus_{second}", "difference", f"{a} - {b}"))
    for name in names:
        found.append(Candidate(f"{name}_frequency", "frequency", name))
        found.append(Candidate(f"{name}_target_mean", "target mean", name))
    found += [Candidate(f"{name}_parts", "text", name) for name in prose]
    return [one for one in found if one.kind in kinds]


def definition_of(candidate: Candidate) -> Definition:
    """The candidate as `Features` takes it, not fitted yet."""
    if candidate.kind == "frequency":
        return Frequency(candidate.definition)
    if candidate.kind == "target mean":
        return TargetMean(candidate.definition)
    if candidate.kind == "text":
        return TextParts(candidate.definition)
    return candidate.definition


def _of_date(name: str, *, has_hours: bool) -> list[Candidate]:
    """Cast to a timestamp, so that a request may bring the time as text."""
    moment = f"{_sql(name)}::timestamp"
    parts = {
        "weekday": f"isodow({moment})",
        "month": f"month({moment})",
        "day": f"day({moment})",
        **({"hour": f"hour({moment}) + minute({moment}) / 60.0"} if has_hours else {}),
        "days": f"date_diff('day', date '2000-01-01', {moment})",
    }
    return [Candidate(f"{name}_{part}", "date", sql) for part, sql in parts.items()]


def _sql(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _varies(table: pa.Table, name: str) -> bool:
    return bool(pc.count_distinct(column(table, name)).as_py() > 1)


def _is_prose(table: pa.Table, name: str) -> bool:
    present = column(table, name).drop_null()
    if not len(present):
        return False
    words = pc.add(pc.count_substring(present, " "), 1)
    return bool(pc.approximate_median(words).as_py() >= _WORDS)
