"""What a trial scored on each row: from these the best of many trials is corrected for being the best."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import row_identities, text_hashes

__all__ = ["Scores", "pack_scores", "unpack_scores"]


class Scores:
    """The value of an objective on every row of the validation data; the objective is their mean.

    `rows` [n] are losses, or 0 and 1 for wrong and right, or whatever is averaged, in the same order of rows in every
    trial. `unit` [n] names what a row is about, where rows of one unit belong together: texts, or whole numbers.
    InvalidInput for rows that are no finite numbers, and for units of another length.
    """

    def __init__(self, rows: Any, unit: Any = None) -> None:
        values = np.asarray(rows)
        if values.ndim != 1 or not len(values) or values.dtype.kind not in "biuf":
            raise InvalidInput(
                f"scores of shape {values.shape} and type {values.dtype}", expected="one number a row, at least one row"
            )
        self.rows: NDArray[np.float64] = values.astype(np.float64)
        if not np.isfinite(self.rows).all():
            raise InvalidInput("a score is not finite", expected="a finite number for every row")
        self.units = _identities(unit, len(values))

    @property
    def mean(self) -> float:
        """The objective."""
        return float(self.rows.mean())


def pack_scores(scores: Scores) -> dict[str, bytes]:
    """The scores as files by their ending: one bit a row where all are 0 or 1.

    The units are a file of their own: they are the same in every trial, and equal content is kept once.
    """
    rows: NDArray[Any] = scores.rows
    is_binary = bool(((rows == 0) | (rows == 1)).all())
    kept = {"bits": np.packbits(rows.astype(bool))} if is_binary else {"rows": rows}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, n=len(rows), **kept)
    units = {} if scores.units is None else {"units": scores.units.astype("<u8").tobytes()}
    return {"npz": buffer.getvalue(), **units}


def unpack_scores(content: bytes, units: bytes | None) -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
    """The rows and the identities of their units, of files that `pack_scores` wrote."""
    with np.load(io.BytesIO(content), allow_pickle=False) as kept:
        count = int(kept["n"])
        rows = kept["rows"] if "rows" in kept else np.unpackbits(kept["bits"], count=count).astype(np.float64)
    if units is None:
        return rows, row_identities([np.arange(count, dtype=np.float64)])
    return rows, np.frombuffer(units, "<u8").astype(np.uint64)


def _identities(unit: Any, count: int) -> NDArray[np.uint64] | None:
    if unit is None:
        return None
    units = np.asarray(unit)
    if units.shape != (count,):
        raise InvalidInput(f"units of shape {units.shape} for {count} rows", expected="one unit a row")
    if units.dtype.kind in "iu":
        return row_identities([units.astype(np.uint64)])
    import pyarrow as pa

    return text_hashes(pa.array([str(one) for one in units.tolist()], pa.string()))
