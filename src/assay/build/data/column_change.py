"""How the values of a column changed from one table to another, in numbers and in words."""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.column_summary import CATEGORIES
from assay.build.data.column_values import Named, Ordered, Value, counted, plain
from assay.stats.contingency import shares_differ_p
from assay.stats.stability_index import stability_index

__all__ = ["ColumnChange", "column_change"]

_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_TENTHS = tuple(tenth / 10 for tenth in range(1, 10))
_LISTED = 10  # values by name in the result, half of them in words
_SHARE = 0.005  # smaller shifts of a share are not worth a sentence
_MOVED, _FAR = 0.1, 0.25
_BY_CHANCE = 0.001


class ColumnChange(msgspec.Struct, frozen=True):
    """A column in both tables. `words` is empty where nothing of note changed.

    `missing_*` are shares of rows. `quantiles_*` are those of 5, 25, 50, 75 and 95 % of numbers and times. New and gone
    values are counted for text, and the most frequent of them listed where they are categories. `stability` is the
    population stability index over tenths of the values before, or over categories.
    """

    name: str
    type: str
    words: list[str]
    missing_before: float
    missing_after: float
    stability: float | None = None
    quantiles_before: list[Value] = []
    quantiles_after: list[Value] = []
    new_count: int = 0
    gone_count: int = 0
    new_values: list[Value] = []
    gone_values: list[Value] = []


def column_change(name: str, before: pa.ChunkedArray, after: pa.ChunkedArray) -> ColumnChange:
    """Compare a column with the same one of another table; both are of one type."""
    old, new = counted(before), counted(after)
    missing = [_missing(column, values) for column, values in ((before, old), (after, new))]
    words = []
    if abs(missing[1] - missing[0]) >= _SHARE or (missing[0] == 0) != (missing[1] == 0):
        words.append(f"missing {missing[0]:.1%} -> {missing[1]:.1%}")
    more: dict[str, Any] = {}
    if old is not None and new is not None and old.rows and new.rows:
        if isinstance(old, Ordered) and isinstance(new, Ordered):
            more = _ordered(old, new, words)
        elif isinstance(old, Named) and isinstance(new, Named):
            more = _named(old, new, words)
    return ColumnChange(name, str(after.type), words, missing[0], missing[1], **more)


def _missing(column: pa.ChunkedArray, values: Ordered | Named | None) -> float:
    if not len(column):
        return 0.0
    return 1 - values.rows / len(column) if values is not None else column.null_count / len(column)


def _ordered(old: Ordered, new: Ordered, words: list[str]) -> dict[str, Any]:
    edges = np.unique([old.ascending[min(int(level * old.rows), old.rows - 1)] for level in _TENTHS])
    shares = []
    for values in (old, new):
        below = np.searchsorted(values.ascending, edges, side="right")
        shares.append(np.diff(np.concatenate(([0], below, [values.rows]))))
    index = stability_index(*shares)
    quantiles = [[values.at(level) for level in _LEVELS] for values in (old, new)]
    if old.median() != new.median():
        words.append(f"median {_text(old.median())} -> {_text(new.median())}")
    verdict = _verdict(index, *shares)
    if verdict:
        ends = [f"{_text(values[0])} to {_text(values[-1])}" for values in quantiles]
        words.append(f"nine tenths lie in {ends[1]}, before in {ends[0]}")
    for word, place, goes in (("smallest", 0, np.less), ("largest", -1, np.greater)):
        ends_at = [values.ascending[place] for values in (old, new)]
        if goes(ends_at[1], ends_at[0]):
            words.append(f"{word} {_text(old.shown(ends_at[0]))} -> {_text(new.shown(ends_at[1]))}")
    words += verdict
    return {"stability": index, "quantiles_before": quantiles[0], "quantiles_after": quantiles[1]}


def _named(old: Named, new: Named, words: list[str]) -> dict[str, Any]:
    are_categories = max(len(old.values), len(new.values)) <= CATEGORIES
    found: dict[str, Any] = {}
    for key, one, other in (("new", new, old), ("gone", old, new)):
        apart = ~pc.is_in(one.values, other.values.cast(one.values.type)).to_numpy(zero_copy_only=False)
        count = int(apart.sum())
        listed = one.values.filter(pa.array(apart))[:_LISTED].to_pylist() if are_categories else []
        found |= {f"{key}_count": count, f"{key}_values": [plain(value) for value in listed]}
        if count:
            shown = ", ".join(map(_text, listed[: _LISTED // 2])) + (", ..." if count > _LISTED // 2 else "")
            what = "gone" if key == "gone" else "new value" + ("s" if count > 1 else "")
            rows = one.counts[apart].sum() / one.rows
            words.append(f"{count:,} {what}{f' ({shown})' if listed else ''}, {rows:.1%} of rows")
    if are_categories:
        by_name = [dict(zip(one.values.to_pylist(), one.counts.tolist(), strict=True)) for one in (old, new)]
        names = list(by_name[0] | by_name[1])
        counts = [np.array([one.get(name, 0.0) for name in names]) for one in by_name]
        found["stability"] = stability_index(*counts)
        before, after = counts[0] / old.rows, counts[1] / new.rows
        shift = np.where((before > 0) & (after > 0), np.abs(after - before), 0)
        most = int(np.argmax(shift))
        if shift[most] >= _SHARE:
            words.append(f"{_text(names[most])} {before[most]:.1%} -> {after[most]:.1%}")
        words += _verdict(found["stability"], *counts)
    return found


def _verdict(index: float, before: NDArray[np.float64], after: NDArray[np.float64]) -> list[str]:
    """A sentence where the index is large, and the counts of bins differ by more than chance does among so few rows."""
    if index < _MOVED or shares_differ_p(after, before + after) > _BY_CHANCE:
        return []
    return [f"the distribution moved{' far' if index >= _FAR else ''} (stability index {index:.2f})"]


def _text(value: object) -> str:
    shown = plain(value)
    if isinstance(shown, float):
        return f"{shown:,.5g}"
    return f"{shown:,}" if isinstance(shown, int) and not isinstance(shown, bool) else str(shown)
