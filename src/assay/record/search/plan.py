"""How a search is read: by its rarest comparison, or in the order asked for until the page is full.

SQLite keeps no statistics that tell the two apart, so the rows of each comparison are counted in its index, up to a
bound. PostgreSQL plans by itself.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from assay.record.search.filters import Comparison, comparisons
from assay.record.search.keys import Key
from assay.record.search.statement import ALL_RANKS, Question, is_same_row
from assay.record.store import Sql, Store

__all__ = ["plan"]

_MOST_COUNTED = 2_000  # two milliseconds of an index
_MOST_SORTED = 20_000  # where no index gives the order, so that everything found is sorted anyway
_ALL = [ALL_RANKS]


def plan(store: Store, question: Question, limit: int) -> tuple[Question, list[int]]:
    """The question with its leading comparison, and the ranks of the first sort key to read one after the other.

    Reading in order stops when the page is full; reading by the rarest comparison sorts all that it finds.
    """
    if question.late:
        question = replace(question, late_keys=_late_keys(store, question))
    ranks = _ranks(question)
    if store.backend == "postgresql" or question.subject.table != "run":
        return question, ranks
    if _by_id(question):
        return question, _ALL
    first = question.terms[0]
    led = [found for found in question.joined if ranks == _ALL or not is_same_row(first, found)]
    if not led:
        return question, ranks
    in_order = ranks != _ALL or _is_started(question)
    rows = _rows(store, question)
    # what more rows satisfy, fewer have to be read in order for a full page: `_passed` is below this bound then
    most = min(math.isqrt(limit * rows) + 1, _MOST_COUNTED) if in_order else _MOST_SORTED
    counts = _counts(store, question, led, most)
    least = min(counts)
    if least < most and (not in_order or least < _passed(counts, rows, most, limit)):
        return replace(question, leader=led[counts.index(least)]), _ALL
    return question, ranks


def _passed(counts: Sequence[int], rows: int, most: int, limit: int) -> float:
    """How many rows are read in order until `limit` of them satisfy all comparisons, were these independent."""
    share = math.prod(count / max(rows, count, 1) for count in counts if count < most)
    return min(rows, limit / share) if share else rows


def _ranks(question: Question) -> list[int]:
    """Ranks that are read one after the other, where the first of them has an index: latest values of a metric."""
    first = question.terms[0]
    child = first.key.child
    if child is None or child.table != "run_metric" or first.key.sql != child.value:
        return _ALL
    same = [found for found in question.joined if is_same_row(first, found)]
    if any(found.key.sql == child.value and found.operator not in ("!=", "NOT IN", "NOT NULL") for found in same):
        return [0]  # only numbers satisfy it
    return [0, 1] if same else [0, 1, 2]


def _is_started(question: Question) -> bool:
    return question.terms[0].key.name == "start_time" and question.terms[0].key.child is None


def _by_id(question: Question) -> bool:
    """Whether ids of rows are named, so that nothing else needs to be looked for."""
    return any(
        isinstance(node, Comparison) and _is_id(node.key) and node.operator in ("=", "IN") for node in question.rest
    )


def _is_id(key: Key) -> bool:
    return key.child is None and key.name == "run_id"


def _rows(store: Store, question: Question) -> int:
    """How many rows the subject has, roughly."""
    ((rows,),) = store.tuples(Sql(f"SELECT coalesce(max(rowid), 0) FROM {question.subject.table}", {}))
    return int(rows)


def _counts(store: Store, question: Question, counted: Sequence[Comparison], most: int) -> list[int]:
    """How many rows each comparison finds, counted up to `most`."""
    compiler = question.compiler(postgresql=False)
    columns = []
    for comparison in counted:
        key, row = comparison.key, compiler.row()
        assert key.child is not None
        # whatever the layer, which the index of texts does not hold
        conditions = [f"{row}.key = {compiler.bind(key.name)}", *compiler.indexed(comparison, row)]
        if key.sql == key.child.value and key.kind == "number" and comparison.operator != "NOT NULL":
            conditions.append(compiler.condition(comparison, key.sql.format(row=row)))
        found = f"SELECT 1 FROM {key.child.table} {row} WHERE {' AND '.join(conditions)} LIMIT {most}"
        columns.append(f"(SELECT count(*) FROM ({found}))")
    (counts,) = store.tuples(Sql(f"SELECT {', '.join(columns)}", compiler.values))
    return list(counts)


def _late_keys(store: Store, question: Question) -> frozenset[str]:
    """Those of the metrics asked about of which some run has late points."""
    nodes = [found.key for node in question.rest for found in comparisons(node)]
    keys = [*nodes, *(found.key for found in question.joined), *(term.key for term in question.terms)]
    names = {key.name for key in keys if key.child is not None and key.child.layers == "sums"}
    if not names:
        return frozenset()
    compiler = question.compiler(postgresql=store.backend == "postgresql")
    listed = compiler.text("IN", "key", sorted(names))
    text = f"SELECT DISTINCT key FROM run_metric WHERE layer = 1 AND {listed}"
    return frozenset(row["key"] for row in store.select(Sql(text, compiler.values)))
