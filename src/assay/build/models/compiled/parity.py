"""The proof that a compiled form says what its model says: on rows of training, and on rows made to tell them apart."""

import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.models.inputs import Column
from assay.build.models.table_model import TableModel

__all__ = ["Answering", "Border", "Parity", "as_tuples", "border_rows", "compare"]

Rows = NDArray[np.object_]
Floats = NDArray[np.float64]
_MOST_SPLITS = 5000  # all of most models; of more, so many from the least to the greatest
_LARGEST = 1e38  # of single precision, nearly
_SINGLE = 300  # rows that are asked for one by one as well
_BEYOND = (-1e200, -1e39, 1e39, 1e200)  # of no use in single precision
_UNSEEN = "\x00 a text that training did not have"


class Answering(Protocol):
    """What answers in place of a model."""

    def predict(self, rows: Any) -> Floats:
        """[rows] predictions, or [rows, classes] probabilities."""
        ...


class Parity(msgspec.Struct, frozen=True):
    """What a comparison found: on how many rows of training and how many `border` rows, of which the model itself
    refuses some. `difference` is the greatest of probabilities, or of numbers in units of the largest answer; `flips`
    are rows that get another class.
    """

    rows: int
    border: int
    refused: int
    difference: float
    flips: int
    worst: str | None = None

    def within(self, tolerance: float) -> bool:
        """Whether nothing flips and no answer is further away."""
        return self.flips == 0 and self.difference <= tolerance and self.worst is None


class Border(msgspec.Struct, frozen=True):
    """Rows of one kind, such as those at splits or with no value in a column: answered or refused together.

    `is_beyond`: with numbers so large that the answers, too, may not be compared with those of other rows.
    """

    words: str
    rows: Any
    is_beyond: bool = False


def border_rows(sample: Rows, columns: Sequence[Column], splits: Sequence[tuple[int, float]]) -> list[Border]:
    """Rows where a careless form goes wrong: at and beside the splits of trees, also in single precision; with no value
    in one column and in all, with texts that training did not have, with numbers far away, and with such as are none
    in single precision.
    """
    made = [Border("at splits", _at_splits(sample, splits))] if splits else []
    some = sample[: min(20, len(sample))]
    for place, one in enumerate(columns):
        made.append(Border(f"no value in {one.name!r}", _changed(some, place, np.nan if one.is_number else None)))
        if one.is_number:
            known = sample[:, place].astype(np.float64)
            size = float(np.nanmax(np.abs(known))) if np.isfinite(known).any() else 1.0
            far = [_changed(some[:3], place, value) for value in (-1e9 - size, -size - 1, 0.0, size + 1, 1e9 + size)]
            made.append(Border(f"{one.name!r} far away", np.concatenate(far)))
            beyond = np.concatenate([_changed(some[:1], place, value) for value in _BEYOND])
            made.append(Border(f"{one.name!r} beyond single precision", beyond, is_beyond=True))
        else:
            made.append(Border(f"an unseen text in {one.name!r}", _changed(some, place, _UNSEEN)))
    blank = np.empty((1, len(columns)), dtype=object)
    blank[0] = [np.nan if one.is_number else None for one in columns]
    return [*made, Border("no value at all", blank)]


def compare(
    model: TableModel, form: Answering, sample: Rows, borders: Sequence[Border], *, threshold: float = 0.5
) -> Parity:
    """Both on all rows, in batches and one by one. Where the model refuses rows the form has to refuse them too.

    Two classes flip at the threshold, more where another one is likeliest.
    """
    count = sum(len(one.rows) for one in borders)
    found = _compared(model, form, Border("of training", sample), threshold)
    if found.refused:
        return msgspec.structs.replace(found, rows=len(sample), worst="the model refuses rows of its own training")
    parts: list[Parity] = []
    for is_beyond in (False, True):
        group = [one for one in borders if one.is_beyond == is_beyond]
        # All at once where none is refused: a call takes the estimator as long for one row as for hundreds.
        whole = [Border("at the border", np.concatenate([one.rows for one in group]))] if group else []
        answered = [_compared(model, form, one, threshold) for one in whole]
        if any(one.refused for one in answered):
            answered = [_compared(model, form, one, threshold) for one in group]
        parts += answered
    parts.append(found)
    return Parity(
        rows=len(sample),
        border=count,
        refused=sum(one.refused for one in parts),
        difference=max(one.difference for one in parts),
        flips=sum(one.flips for one in parts),
        worst=next((one.worst for one in parts if one.worst), None),
    )


def _compared(model: TableModel, form: Answering, border: Border, threshold: float) -> Parity:
    rows = border.rows
    expected, failure = _answers(model.answers, rows)
    found, problem = _answers(form.predict, rows)
    if expected is None:
        worst = f"the model refuses rows with {border.words} ({failure}), and the compiled form answers"
        return Parity(0, 0, len(rows), 0.0, 0, None if found is None else worst)
    if found is None or found.shape != expected.shape:
        shapes = "" if found is None else f"answers of shape {found.shape} for {expected.shape}"
        return Parity(0, 0, 0, 0.0, 0, f"rows with {border.words}: {problem or shapes}")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(_SINGLE, len(rows))).astype(int))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        single = np.concatenate([form.predict(as_tuples(rows[row : row + 1])) for row in chosen.tolist()])
    difference, flips = 0.0, 0
    known = np.abs(expected[np.isfinite(expected)])
    size = max(float(known.max(initial=0.0)), 1e-300) if expected.ndim == 1 else 1.0
    for said, wanted in ((found, expected), (single, expected[chosen])):
        with np.errstate(invalid="ignore", over="ignore"):
            gaps = np.where(said == wanted, 0.0, np.abs(said - wanted) / size)  # infinite both: no difference
        difference = max(difference, float(np.where(np.isnan(gaps), np.inf, gaps).max(initial=0.0)))
        flips += _flips(said, wanted, threshold)
    return Parity(0, 0, 0, difference, flips)


def _flips(said: Floats, wanted: Floats, threshold: float) -> int:
    if wanted.ndim == 1:
        return 0
    if wanted.shape[1] == 2:
        return int(((said[:, 1] >= threshold) != (wanted[:, 1] >= threshold)).sum())
    return int((said.argmax(axis=1) != wanted.argmax(axis=1)).sum())


def _answers(predict: Any, rows: Rows) -> tuple[Floats | None, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of texts that an encoder does not know, and numbers too large for a float
            return np.asarray(predict(rows), dtype=np.float64), ""
    except Exception as error:  # noqa: BLE001 - models are somebody else's code, and refusing is an answer too
        return None, f"{type(error).__name__}: {str(error).partition(chr(10))[0][:100]}"


def _at_splits(sample: Rows, splits: Sequence[tuple[int, float]]) -> Rows:
    """For each split rows with its threshold, the numbers next to it, and those next to it in single precision."""
    chosen = np.linspace(0, len(splits) - 1, min(_MOST_SPLITS, len(splits))).astype(int)
    places, numbers, of_sample = [], [], []
    for number, (place, threshold) in enumerate(splits[one] for one in chosen.tolist()):
        if not abs(threshold) < _LARGEST:  # a split of what is missing from what is not
            continue
        single = np.float32(threshold)
        values = {
            threshold,
            float(np.nextafter(threshold, -np.inf)),
            float(np.nextafter(threshold, np.inf)),
            float(single),
            float(np.nextafter(single, np.float32(-np.inf))),
            float(np.nextafter(single, np.float32(np.inf))),
        }
        numbers += sorted(values)
        places += [place] * len(values)
        of_sample += [number % len(sample)] * len(values)
    rows = sample[of_sample] if of_sample else sample[:1].copy()
    rows[np.arange(len(places)), places] = numbers
    return rows


def _changed(rows: Rows, place: int, value: object) -> Rows:
    changed = rows.copy()
    changed[:, place] = value
    return changed


def as_tuples(rows: Rows) -> list[tuple[Any, ...]]:
    """As JSON brings them."""
    return [tuple(None if isinstance(one, float) and np.isnan(one) else one for one in row) for row in rows.tolist()]
