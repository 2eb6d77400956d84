"""How much more one model loses than another on the same rows, with an error that knows which rows belong together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column
from assay.build.data.split_hashes import codes_of
from assay.build.models.table_model import TableModel
from assay.stats.clustered import MeanEstimate, clustered_ratio, paired_t

__all__ = ["labelled_rows", "losses_of", "mean_gap"]

Floats = NDArray[np.float64]


def labelled_rows(table: pa.Table, label: str) -> pa.Table:
    """The rows whose label is known."""
    values = column(table, label)
    known = values.is_valid()
    if pa.types.is_floating(values.type):
        known = pa.array(known.to_numpy() & ~np.isnan(values.fill_null(np.nan).to_numpy()))
    return table.filter(known)


def losses_of(model: TableModel, table: pa.Table, label: str) -> Floats:
    """[rows] what a model loses on rows whose labels are known.

    Of classes the squared error of the probabilities, halved: with two of them that is the Brier score. A class that
    the model does not know counts as one to which it gave no chance. Of numbers the absolute error.
    """
    answers: Any = model.answer_table(table)
    truth = column(table, label)
    if answers.ndim == 1 and not model.classes:
        off: Floats = np.abs(answers - truth.cast(pa.float64()).to_numpy())
        return off
    if answers.ndim == 1:
        answers = np.column_stack([1.0 - answers, answers])
    likely = answers / answers.sum(axis=1, keepdims=True)
    place = {_plain(name): number for number, name in enumerate(model.classes)}
    codes = np.array([place.get(value, -1) for value in truth.to_pylist()])
    known = codes >= 0
    right = np.zeros(len(codes))
    right[known] = likely[np.nonzero(known)[0], codes[known]]
    lost: Floats = (np.square(likely).sum(axis=1) - 2.0 * right + 1.0) / 2.0
    return lost


def mean_gap(gaps: Floats, table: pa.Table, unit: Sequence[str]) -> tuple[MeanEstimate, int]:
    """The mean of differences [rows] and how many independent units they come from: rows, or what `unit` names."""
    if not unit:
        return paired_t(len(gaps), float(gaps.sum()), float(np.square(gaps).sum())), len(gaps)
    codes, names = codes_of(table, unit)
    count = names.num_rows
    sums = np.bincount(codes, weights=gaps, minlength=count)
    return clustered_ratio(sums, np.bincount(codes, minlength=count)), count


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
