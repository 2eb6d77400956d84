"""Statements of a search: which table is read first, what is joined to it, and in which order.

Comparisons that all must hold, on what hangs on a row at most once, are joined: on SQLite in the order in which they
stand, so the first one decides what a search costs. It is the rarest comparison, or what the rows are sorted by.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from assay.record.search.filters import And, Comparison, Node
from assay.record.search.keys import Key, Subject
from assay.record.search.order import Placed, Term, after
from assay.record.search.paging import Mark
from assay.record.search.sql import Compiler
from assay.record.store import Sql

__all__ = ["ALL_RANKS", "Question", "is_same_row", "split_node", "statement"]

MOST_JOINS = 10  # SQLite joins 64 tables at most
ALL_RANKS = -1  # rows of every rank of the first sort key at once


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: comparisons that are joined, the one that leads, other conditions, scopes, order."""

    subject: Subject
    joined: Sequence[Comparison]
    rest: Sequence[Node]
    scopes: Sequence[tuple[str, Sequence[str] | None]]
    terms: Sequence[Term]
    leader: Comparison | None = None
    datasets: tuple[tuple[str, str | None], ...] = ()
    late: bool = False
    late_keys: frozenset[str] = field(default_factory=frozenset)
    clamped: bool = False

    def compiler(self, *, postgresql: bool) -> Compiler:
        """A compiler for it."""
        compiler = Compiler(self.subject, postgresql=postgresql, late=self.late, clamped=self.clamped)
        compiler.datasets = self.datasets
        compiler.late_keys = self.late_keys
        return compiler


def split_node(node: Node | None) -> tuple[list[Comparison], list[Node]]:
    """Comparisons that can be joined, and what is left of the parts that all must hold."""
    parts = node.parts if isinstance(node, And) else ((node,) if node else ())
    joined: list[Comparison] = []
    rest: list[Node] = []
    for part in parts:
        child = part.key.child if isinstance(part, Comparison) else None
        if isinstance(part, Comparison) and child and child.single and part.operator != "NULL":
            (joined if len(joined) < MOST_JOINS else rest).append(part)
        else:
            rest.append(part)
    return joined, rest


def is_same_row(term: Term, comparison: Comparison) -> bool:
    """Whether a comparison is about the row by which a term sorts."""
    key = term.key
    return key.child is not None and (key.entity, key.name) == (comparison.key.entity, comparison.key.name)


def statement(question: Question, rank: int, mark: Mark | None, limit: int, *, postgresql: bool) -> Sql:
    """Ids with ranks and values of the sort keys, after `mark`; of one rank of the first sort key, or ALL_RANKS."""
    builder = _Builder(question, question.compiler(postgresql=postgresql))
    return builder.built(rank, mark, limit)


class _Builder:
    def __init__(self, question: Question, compiler: Compiler) -> None:
        self.question = question
        self.compiler = compiler
        self.table = question.subject.table
        self.id = f"{self.table}.{question.subject.id}"
        self.sources: list[str] = []
        self.anchor = ""  # the id of the first source
        self.conditions: list[str] = []
        self.placed: list[Placed] = []

    def built(self, rank: int, mark: Mark | None, limit: int) -> Sql:
        question, compiler = self.question, self.compiler
        terms = list(question.terms)
        joined = list(question.joined)
        if rank in (0, 1):
            self._sorted_by(terms[0], rank, joined)
        if question.leader is not None:
            joined.remove(question.leader)
            self._join(question.leader, leads=True)
        if not self.sources:
            self._source(self.table, self.id)
        for comparison in joined:
            self._join(comparison)
        self._source(self.table, self.id)
        left = []
        for number, term in enumerate(terms):
            if number or rank in (ALL_RANKS, 2):
                left += self._place(term, missing=number == 0 and rank == 2)
        for sql, values in question.scopes:
            if values is None:
                self.conditions.append(sql)
            elif len(values) == 1:
                self.conditions.append(f"{sql} = {compiler.bind(values[0])}")
            else:
                self.conditions.append(compiler.text("IN", sql, values))
        self.conditions += [compiler.where(node) for node in question.rest]
        if mark is not None and (rank == ALL_RANKS or mark[0][0][0] == rank):
            self.conditions.append(after(compiler, self.placed, mark, self.id))
        columns = [f"{self.id} AS id"]
        for number, place in enumerate(self.placed):
            constant = str(rank) if number == 0 and rank > 0 else "0"
            columns += [f"{place.rank or constant} AS k{number}", f"{place.value} AS o{number}"]
        order = [place.order() for number, place in enumerate(self.placed) if number or rank <= 0]
        text = (
            f"SELECT {', '.join(columns)} FROM {' CROSS JOIN '.join(self.sources)}{''.join(left)}"
            f" WHERE {' AND '.join(self.conditions) or '1=1'} ORDER BY {', '.join([*order, self.id])}"
            f" LIMIT {compiler.bind(limit)}"
        )
        return Sql(text, compiler.values)

    def _source(self, table: str, row_id: str) -> None:
        if table in self.sources:
            return
        self.sources.append(table)
        if self.anchor:
            self.conditions.append(f"{row_id} = {self.anchor}")
        else:
            self.anchor = row_id

    def _sorted_by(self, term: Term, rank: int, joined: list[Comparison]) -> None:
        """Read first what the rows are sorted by, with the comparisons on the same row."""
        key, row = term.key, self.compiler.row()
        assert key.child is not None
        self._source(f"{key.child.table} {row}", f"{row}.{key.child.owner}")
        value = key.sql.format(row=row)
        self.conditions += [self.compiler.counts(key, row), f"{value} IS {'NOT ' if rank == 0 else ''}NULL"]
        for comparison in [found for found in joined if is_same_row(term, found)]:
            joined.remove(comparison)
            if comparison.operator != "NOT NULL":
                self.conditions.append(self.compiler.condition(comparison, comparison.key.sql.format(row=row)))
        self.placed.append(Placed(term, "", value))

    def _join(self, comparison: Comparison, *, leads: bool = False) -> None:
        key, row = comparison.key, self.compiler.row()
        assert key.child is not None
        self._source(f"{key.child.table} {row}", f"{row}.{key.child.owner}")
        self.conditions.append(self.compiler.counts(key, row))
        if comparison.operator == "NOT NULL":
            return
        value = key.sql.format(row=row)
        indexed = self.compiler.indexed(comparison, row) if leads else []
        if indexed:
            value = f"+{value}"  # else SQLite puts what the value must be into the expression of the index
        self.conditions += [*indexed, self.compiler.condition(comparison, value)]

    def _place(self, term: Term, *, missing: bool) -> list[str]:
        """Find what a term sorts by; gives the joins it needs."""
        key, compiler = term.key, self.compiler
        if key.child is None:
            value = key.sorted_by or compiler.expression(key)
            rank = f"CASE WHEN {value} IS NULL THEN 2 ELSE 0 END" if key.nullable else ""
            self.placed.append(Placed(term, rank, value))
            return []
        row = compiler.row()
        belongs = compiler.belongs(key, row)
        if not key.child.single:
            self.placed.append(_newest(key, term, row, belongs))
            return []
        if missing:
            self.conditions.append(f"NOT EXISTS (SELECT 1 FROM {key.child.table} {row} WHERE {belongs})")
            self.placed.append(Placed(term, "", "NULL"))
            return []
        value = key.sql.format(row=row)
        nan = f" WHEN {value} IS NULL THEN 1" if key.child.kind == "number" else ""
        rank = f"CASE WHEN {row}.{key.child.owner} IS NULL THEN 2{nan} ELSE 0 END"
        self.placed.append(Placed(term, rank, value))
        return [f" LEFT JOIN {key.child.table} {row} ON {belongs}"]


def _newest(key: Key, term: Term, row: str, belongs: str) -> Placed:
    """A term whose key may have several rows: the latest value counts."""
    assert key.child is not None
    rows = f"FROM {key.child.table} {row} WHERE {belongs}"
    newest = ", ".join(f"{row}.{name}" for name in ("ts_ms DESC", "step DESC", "run_id", "dataset_name"))
    value = f"(SELECT {row}.value {rows} ORDER BY {newest} LIMIT 1)"
    return Placed(term, f"CASE WHEN NOT EXISTS (SELECT 1 {rows}) THEN 2 WHEN {value} IS NULL THEN 1 ELSE 0 END", value)
