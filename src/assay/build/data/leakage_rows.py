"""Rows that are, or could have been, on both sides of a split."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import column
from assay.build.data.finding import Finding, share_text
from assay.build.data.split_times import Moments, is_time

if TYPE_CHECKING:
    import duckdb

__all__ = ["later_rows", "later_values", "repeated", "shared"]

_TELLS_APART = 0.5  # distinct values to distinct rows: above, two rows do not agree in the column by chance
_MANY_TIMES = 0.1  # distinct rows to rows: below, rows agree as a rule
_COMPUTED = 0.9  # combinations of the other columns to distinct rows


def repeated(parts: Mapping[str, pa.Table], features: Sequence[str]) -> list[Finding]:
    """Rows that another part has too: whole, and in all features.

    Whole rows stop where a column tells rows apart, for then no two agree by chance; else they are a warning. Rows that
    agree in the features alone are said only where a feature tells rows apart.
    """
    everything = next(iter(parts.values())).column_names
    whole, apart = _in_both(parts, everything)
    found = [
        Finding(
            "rows",
            "stop" if apart else "warn",
            f"{share_text(rows, parts[late].num_rows)} of {late} stand in {early} too"
            + ("" if apart else "; no column tells rows apart, so it may be chance"),
            rows,
            parts[late].num_rows,
            parts=[early, late],
        )
        for (early, late), (rows, _) in whole.items()
    ]
    if not features or set(features) == set(everything):
        return found
    alike, apart = _in_both(parts, features)
    for (early, late), (rows, _) in alike.items():
        if apart and (more := rows - whole.get((early, late), (0, 0))[0]) > 0:
            of = parts[late].num_rows
            sentence = f"{share_text(more, of)} of {late} have the features of a row of {early}, and differ elsewhere"
            found.append(Finding("features", "stop", sentence, more, of, parts=[early, late]))
    return found


def shared(parts: Mapping[str, pa.Table], what: str, names: Sequence[str]) -> list[Finding]:
    """Keys or groups that two parts have; null is none."""
    if not names:
        return []
    present = {}
    for name, part in parts.items():
        kept = part.select(list(names))
        for one in names:
            kept = kept.filter(pc.is_valid(kept.column(one)))
        present[name] = kept
    found = []
    plural = f"{what}s" if len(names) == 1 else f"{what}s by {' and '.join(names)}"
    for (early, late), (rows, distinct) in _in_both(present, names)[0].items():
        of = parts[late].num_rows
        sentence = (
            f"{distinct:,} {plural if len(names) > 1 else f'values of {names[0]}'} are in {early} and in {late},"
            f" with {share_text(rows, of)} of {late}"
        )
        found.append(
            Finding("key" if what == "key" else "group", "stop", sentence, rows, of, list(names), [early, late])
        )
    return found


def later_rows(parts: Mapping[str, pa.Table], time: str) -> list[Finding]:
    """Rows of an earlier part that come after the first row of a later part."""
    moments = {name: Moments(part, time) for name, part in parts.items()}
    found = []
    for early, late in combinations(parts, 2):
        start = moments[late].values[moments[late].known].min()
        rows = int((moments[early].values[moments[early].known] > start).sum())
        if rows:
            of = parts[early].num_rows
            sentence = (
                f"{share_text(rows, of)} of {early} are later than the first row of {late}"
                f" ({moments[late].text(float(start))}): {early} knows what came after"
            )
            found.append(Finding("later rows", "stop", sentence, rows, of, [time], [early, late]))
    return found


def later_values(table: pa.Table, time: str, features: Sequence[str]) -> list[Finding]:
    """Columns of times that lie after the time of their row."""
    moments = Moments(table, time)
    if not moments.is_time:
        return []
    found = []
    for name in features:
        if name == time or not is_time(column(table, name).type) or column(table, name).null_count == table.num_rows:
            continue
        other = Moments(table, name)
        both = moments.known & other.known
        rows, of = int((other.values[both] > moments.values[both]).sum()), int(both.sum())
        if rows:
            sentence = f"{name} lies after {time} in {share_text(rows, of)}: was it known then?"
            found.append(Finding("later values", "warn", sentence, rows, of, [name]))
    return found


def _in_both(
    parts: Mapping[str, pa.Table], names: Sequence[str]
) -> tuple[dict[tuple[str, str], tuple[int, int]], bool]:
    """For two parts, rows of the later one that the earlier has too, and how many different ones, where there are any.

    Also whether the columns tell rows apart. Rows are compared by DuckDB's hash of 64 bits, null with null.
    """
    import duckdb

    own = [f"c{place}" for place in range(len(names))]
    rows = pa.concat_tables(
        [
            pa.table([*(column(part, name) for name in names), pa.repeat(place, part.num_rows)], [*own, "part"])
            for place, part in enumerate(parts.values())
        ],
        promote_options="permissive",
    )
    counts = ", ".join(f"count(*) filter (part = {place}) as n{place}" for place in range(len(parts)))
    pairs = list(combinations(range(len(parts)), 2))
    asked = ", ".join(
        f"sum(n{late}) filter (n{early} > 0), count(*) filter (n{early} > 0 and n{late} > 0)" for early, late in pairs
    )
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        connection.register("all_rows", rows)
        connection.execute(
            f"create table seen as select hash({', '.join(own)}) as row, {counts} from all_rows group by row"  # noqa: S608 - our own names
        )
        answer = connection.execute(f"select {asked}, count(*) from seen").fetchone()  # noqa: S608
        assert answer is not None
        common = zip(combinations(parts, 2), answer[:-1:2], answer[1:-1:2], strict=True)
        found = {pair: (int(rows), int(kinds)) for pair, rows, kinds in common if kinds}
        return found, bool(found) and _tells_apart(connection, own, answer[-1], rows.num_rows)


def _tells_apart(connection: "duckdb.DuckDBPyConnection", own: Sequence[str], different: int, rows: int) -> bool:
    """Whether two different rows hardly ever agree: some columns have about as many values as there are rows.

    Not where the other columns have as many combinations: then those columns may be computed from them, as a score is,
    and rows that agree in the others agree in all. Nor where most rows are there many times.
    """
    if different < _MANY_TIMES * rows:
        return False
    counted = connection.execute(
        f"select {', '.join(f'approx_count_distinct({name})' for name in own)} from all_rows"  # noqa: S608
    ).fetchone()
    assert counted is not None
    others = [name for name, values in zip(own, counted, strict=True) if values < _TELLS_APART * different]
    if len(others) == len(own):
        return False
    if not others:
        return True
    combined = connection.execute(f"select approx_count_distinct(hash({', '.join(others)})) from all_rows").fetchone()  # noqa: S608
    return combined is not None and combined[0] < _COMPUTED * different
