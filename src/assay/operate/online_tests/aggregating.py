"""Values of units into sums by phase and variant, for all metrics at once: exact, so that nothing can change a verdict.

Each value is rounded to a whole number of steps of its column and added as an integer. So neither threads, order nor
parts change a sum by one bit, and sums of parts add up to the sums of all. A step is 2**-30, 2**-20, 2**-10, 1 and so
on: the finest with which the largest value still fits into 31 bits, which the values alone determine.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from assay.errors import InvalidInput
from assay.operate.online_tests.metric import Metric
from assay.stats.effects import PRODUCTS, Sums

if TYPE_CHECKING:
    import duckdb

__all__ = ["ARMS", "Cell", "ExactSums", "Exponents", "cell_sums", "columns_of", "terms_of"]

ARMS = 16  # variants of a test at most: a cell is phase * ARMS + the position of the variant
Cell = tuple[int, int, str]  # phase, position of the variant, name of the metric
Exponents = dict[str, int]  # by column: a step is 2**-exponent

_FINEST, _COARSEST, _BETWEEN = 30, -960, 10
_BITS = 31
_SAMPLE = 2048


@dataclass(slots=True)
class ExactSums:
    """Sums over `n` units of a variant in a phase: whole numbers by term, `y` to `xw` as `stats.Sums` has them.

    `exponents` are those of its columns y, d, x and w: a term of two letters has both.
    """

    n: int = 0
    terms: dict[str, int] = field(default_factory=dict)
    exponents: dict[str, int] = field(default_factory=dict)

    def add(self, other: "ExactSums", times: int = 1) -> None:
        """Take in the sums of other units, or take them out again with -1. Both have the same steps."""
        assert not self.terms or self.exponents == other.exponents, "sums of other steps do not add up"
        self.n += times * other.n
        self.exponents = self.exponents or dict(other.exponents)
        for term, total in other.terms.items():
            self.terms[term] = self.terms.get(term, 0) + times * total

    def sums(self, *, ratio: bool) -> Sums:
        """As the statistics take them: each term the double nearest to its exact sum."""
        totals = {
            term: float(Fraction(total) / Fraction(2) ** sum(self.exponents[letter] for letter in term))
            for term, total in self.terms.items()
        }
        return Sums(n=self.n, ratio=ratio, **totals)


def columns_of(metric: Metric) -> str:
    """The columns that a metric has for each unit: y, d for a ratio, x with a covariate, w with one of a ratio."""
    ratio, adjusted = metric.kind == "ratio", metric.covariate != "none"
    return "y" + "d" * ratio + "x" * adjusted + "w" * (ratio and adjusted)


def terms_of(columns: str) -> Iterator[str]:
    """All sums and sums of products of these columns, in the spelling of `stats.Sums`."""
    yield from columns
    for pair in PRODUCTS:
        if set(pair) <= set(columns):
            yield pair


def cell_sums(
    connection: "duckdb.DuckDBPyConnection", table: str, metrics: Sequence[Metric], exponents: Exponents | None = None
) -> tuple[dict[Cell, ExactSums], Exponents]:
    """The sums of a table with a row for each unit, and the steps they are in.

    It has `cell` and for metric number i of `metrics` the columns y{i}, d{i}, x{i} and w{i} that `columns_of` names,
    doubles; a unit that does not count for it has null in all of them. With `exponents` those steps are taken;
    InvalidInput where a value does not fit.
    """
    import duckdb

    steps = exponents or _guessed(connection, table, metrics)
    try:
        rows = connection.execute(_statement(table, metrics, steps)).fetchall()
    except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
        if exponents is not None:
            raise InvalidInput(f"a unit's value does not fit the steps of the sums: {error}") from error
        steps = _fitting(connection, table, metrics)
        rows = connection.execute(_statement(table, metrics, steps)).fetchall()
    found: dict[Cell, ExactSums] = {}
    for cell, *totals in rows:
        given = iter(totals)
        for number, metric in enumerate(metrics):
            columns = columns_of(metric)
            sums = ExactSums(n=next(given), exponents={letter: steps[f"{letter}{number}"] for letter in columns})
            sums.terms = {term: int(next(given) or 0) for term in terms_of(columns)}
            if sums.n:
                found[cell // ARMS, cell % ARMS, metric.name] = sums
    return found, steps


def _statement(table: str, metrics: Sequence[Metric], exponents: Exponents) -> str:
    whole, sums = [], []
    for number, metric in enumerate(metrics):
        columns = columns_of(metric)
        for letter in columns:
            name = f"{letter}{number}"
            whole.append(f"({name} * {2.0 ** exponents[name]!r})::integer as {name}")
        sums.append(f"count(y{number})")
        for term in terms_of(columns):
            names = [f"{letter}{number}" for letter in term]
            sums.append(f"sum({names[0]})" if len(names) == 1 else f"sum({names[0]}::bigint * {names[1]})")
    values = f"select cell, {', '.join(whole)} from {table}"
    return f"select cell, {', '.join(sums)} from ({values}) group by cell order by cell"


def _guessed(connection: "duckdb.DuckDBPyConnection", table: str, metrics: Sequence[Metric]) -> Exponents:
    """Steps that fit some of the values: never coarser than those that fit all."""
    return _fitting(connection, f"(select * from {table} limit {_SAMPLE})", metrics)


def _fitting(connection: "duckdb.DuckDBPyConnection", table: str, metrics: Sequence[Metric]) -> Exponents:
    names = [f"{letter}{number}" for number, metric in enumerate(metrics) for letter in columns_of(metric)]
    row = connection.execute(f"select {', '.join(f'max(abs({name}))' for name in names)} from {table}").fetchone()
    assert row is not None
    return {name: _exponent(largest or 0.0) for name, largest in zip(names, row, strict=True)}


def _exponent(largest: float) -> int:
    if not math.isfinite(largest):
        raise InvalidInput(f"a unit's value is {largest}", expected="finite numbers")
    for exponent in range(_FINEST, _COARSEST, -_BETWEEN):
        if largest * 2.0**exponent < 2**_BITS - 1:
            return exponent
    raise InvalidInput(f"a unit's value is {largest:g}", hint="measure in a larger unit")
