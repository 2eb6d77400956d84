"""What a fitted model's columns are worth on rows it was not fitted on, and which of them say the same."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import column, is_number, is_text
from assay.build.data.split_hashes import codes_of, names_of, positions_of
from assay.build.features.honest import Outcome, mean_gain
from assay.errors import InvalidInput
from assay.progress import tell
from assay.record import tables

__all__ = ["FeatureReport", "Importance", "feature_report", "redundant_groups"]

Floats = NDArray[np.float64]

_ALIKE = 0.95  # |rank correlation| from which two numbers say the same
_KNOWN = 0.9  # share of the entropy of the poorer of two columns that the other tells
_BINS = 20
_REPEATS = 3


class Importance(msgspec.Struct, frozen=True):
    """How much more is lost on a row when the values of `columns` are shuffled together; [`low`, `high`] is 95 %.

    Above 0 the model uses them. Where the interval holds 0 nothing is shown, which is no proof that they are of no use.
    """

    columns: list[str]
    loss: float
    low: float
    high: float


class FeatureReport(msgspec.Struct, frozen=True):
    """Importances of columns and of redundant groups, the largest first; `base_loss` is what is lost on a row as it is.

    `redundant` are groups of columns that say the same: shuffling one of them shows little, as the others still tell,
    so the group is shuffled as a whole too.
    """

    label: str
    rows: int
    loss: str
    base_loss: float
    importances: list[Importance]
    redundant: list[list[str]]

    def __str__(self) -> str:
        said = [f"{self.loss} of {self.label} is {self.base_loss:.5g} on {self.rows:,} rows; shuffled, more is lost:"]
        said += [
            f"{one.loss:+.3g} [{one.low:+.3g}, {one.high:+.3g}] {' + '.join(one.columns)}" for one in self.importances
        ]
        said += [f"say the same: {', '.join(group)}" for group in self.redundant]
        return "\n".join(said)

    __repr__ = __str__


def feature_report(
    model: Callable[[pa.Table], Any],
    data: object,
    label: str,
    features: Sequence[str],
    *,
    unit: str | Sequence[str] = (),
    seed: int = 0,
) -> FeatureReport:
    """Permutation importance of `features` on held-out rows, with intervals, and which of them are redundant.

    `model` is a function of a table: probabilities of class 1, or [rows, classes] of the classes in sorted order, or
    numbers. Each column's values are shuffled three times and the losses compared row by row with those of the rows as
    they are (Fisher, Rudin & Dominici 2019); rows that agree in `unit` hang together. It is about the model and not
    about the world: a column that another stands in for may be worth nothing to this model. InvalidInput for answers of
    another shape, and a label without several values.
    """
    table = tables.as_table(data)
    table = table.filter(pc.is_valid(column(table, label)))
    outcome = Outcome(table, label)
    units = codes_of(table, names_of(unit))[0] if unit else None
    classes = None
    if outcome.task != "regression":
        order = sorted(range(len(outcome.classes)), key=outcome.classes.__getitem__)
        classes = np.argsort(order)
    base = _losses(model, table, outcome, classes)
    groups = redundant_groups(table, features)
    asked = [[name] for name in features] + groups
    found = []
    for place, columns in enumerate(asked):
        more = np.zeros(table.num_rows)
        for repeat in range(_REPEATS):
            places = np.argsort(positions_of(table.num_rows, f"shuffle {repeat} {columns}", seed), kind="stable")
            shuffled = table
            for name in columns:
                at = table.column_names.index(name)
                shuffled = shuffled.set_column(at, name, table.column(name).take(pa.array(places)))
            more += (_losses(model, shuffled, outcome, classes) - base) / _REPEATS
        estimate = mean_gain(more, units)
        interval = estimate.interval(0.95)
        found.append(Importance(columns, estimate.value, interval.low, interval.high))
        tell("importance", (place + 1) / len(asked), " + ".join(columns))
    return FeatureReport(
        label, table.num_rows, outcome.loss, float(base.mean()), sorted(found, key=lambda one: -one.loss), groups
    )


def redundant_groups(data: object, features: Sequence[str]) -> list[list[str]]:
    """Groups of columns that say the same, directly or through others of the group.

    Two numbers do where |Spearman's rank correlation| is .95 or more; others where one tells 90 % of the entropy of the
    poorer of both (numbers in 20 bins of about as many rows). Columns of one value are in no group.
    """
    table = tables.as_table(data)
    ranks: dict[str, Floats] = {}
    codes: dict[str, NDArray[np.int64]] = {}
    for name in features:
        values = column(table, name)
        if is_number(values.type):
            from scipy.stats import rankdata

            numbers = values.cast(pa.float64()).to_numpy()
            known = np.nan_to_num(numbers, nan=float(np.nanmin(numbers)) - 1.0 if not np.isnan(numbers).all() else 0.0)
            ranks[name] = rankdata(known)
        codes[name] = _binned(values, ranks.get(name))
    parent = {name: name for name in features}

    def root(name: str) -> str:
        return name if parent[name] == name else root(parent[name])

    for first, second in combinations(features, 2):
        if _say_the_same(first, second, ranks, codes):
            parent[root(second)] = root(first)
    groups: dict[str, list[str]] = {}
    for name in features:
        groups.setdefault(root(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _say_the_same(first: str, second: str, ranks: Mapping[str, Floats], codes: Mapping[str, NDArray[np.int64]]) -> bool:
    if np.ptp(codes[first]) == 0 or np.ptp(codes[second]) == 0:
        return False
    if first in ranks and second in ranks:
        return bool(abs(np.corrcoef(ranks[first], ranks[second])[0, 1]) >= _ALIKE)
    joint = codes[first] * (codes[second].max() + 1) + codes[second]
    one, two, both = (_entropy(values) for values in (codes[first], codes[second], joint))
    return one + two - both >= _KNOWN * min(one, two)


def _entropy(values: NDArray[np.int64]) -> float:
    counts = np.unique(values, return_counts=True)[1] / len(values)
    return float(-(counts * np.log(counts)).sum())


def _binned(values: pa.ChunkedArray, ranks: Floats | None) -> NDArray[np.int64]:
    if ranks is not None:
        edges = np.unique(np.quantile(ranks, np.linspace(0, 1, _BINS + 1)[1:-1]))
        return np.searchsorted(edges, ranks, side="left").astype(np.int64)
    texts = values if is_text(values.type) else values.cast(pa.string())
    codes = texts.combine_chunks().dictionary_encode(null_encoding="encode").indices
    return np.asarray(codes.to_numpy(), dtype=np.int64)


def _losses(
    model: Callable[[pa.Table], Any], table: pa.Table, outcome: Outcome, places: NDArray[np.int64] | None
) -> Floats:
    """[rows] squared errors or log losses of the model's answers."""
    answers = np.asarray(model(table), dtype=np.float64)
    labels = outcome.values
    if places is None:
        if answers.shape != labels.shape:
            raise InvalidInput(
                f"the model gives shape {answers.shape}", expected=f"{labels.shape}, a number for each row"
            )
        squares: Floats = (answers - labels) ** 2
        return squares
    if answers.ndim == 1:
        answers = np.column_stack([1.0 - answers, answers])
    if answers.shape != (len(labels), len(outcome.classes)):
        raise InvalidInput(
            f"the model gives shape {answers.shape}",
            expected=f"a probability of each of {len(outcome.classes)} classes",
        )
    picked = answers[np.arange(len(labels)), places[labels.astype(np.int64)]]
    logs: Floats = -np.log(np.clip(picked, 1e-6, 1.0))
    return logs
