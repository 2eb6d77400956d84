"""Rolling origin: one split after the other, each trained on what was known then and tested on what came next."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from assay.build.data.split_times import Moment, Moments, Span
from assay.build.data.splits import Split
from assay.errors import InvalidInput
from assay.record import tables

__all__ = ["rolling_splits"]

Rows = NDArray[np.int64]


def rolling_splits(
    data: object,
    time: str,
    *,
    horizon: Span,
    folds: int = 5,
    every: Span | None = None,
    gap: Span | None = None,
    window: Span | None = None,
    end: Moment | None = None,
) -> Iterator[Split]:
    """`folds` splits into `train` and `test`, oldest first; the last test ends with the table, or at `end`.

    A test holds the rows of a `horizon` after its origin: (origin, origin + horizon]. Origins lie `every` apart, by
    default a horizon, so that no row is tested twice. Training rows lie up to the origin less the `gap` (labels that
    would not have come yet, windows that reach across); with a `window` those of that time before it.

    All splits are made before the first is given. InvalidInput for a fold without rows on one of its sides.
    """
    table = tables.as_table(data)
    moments = Moments(table, time)
    length = moments.span(horizon, "the horizon")
    step = length if every is None else moments.span(every, "every")
    apart = 0.0 if gap is None else moments.span(gap, "the gap")
    reach = np.inf if window is None else moments.span(window, "the window")
    if folds < 1 or length <= 0 or step <= 0:
        raise InvalidInput(f"{folds} folds of {horizon}", expected="one fold or more, of a horizon above 0")
    known = moments.values[moments.known]
    last = float(known.max()) if end is None else moments.at(end)
    rows = [_fold(moments, last - length - step * (folds - 1 - fold), length, apart, reach) for fold in range(folds)]
    for fold, (train, test) in enumerate(rows):
        for part, found in (("train", train), ("test", test)):
            if not len(found):
                raise InvalidInput(
                    f"fold {fold + 1} of {folds} has no rows in {part}",
                    where=f"{time!r} is {moments.text(float(known.min()))} to {moments.text(float(known.max()))}",
                    hint="fewer folds, a shorter horizon or a smaller gap",
                )
    options = {"horizon": horizon, "every": every, "gap": gap, "window": window}
    said = {name: str(value) for name, value in options.items() if value is not None}
    return (
        Split(
            table,
            {"train": train, "test": test},
            {
                "how": "rolling",
                "time": time,
                **said,
                "fold": fold + 1,
                "folds": folds,
                "origin": moments.text(last - length - step * (folds - 1 - fold)),
            },
        )
        for fold, (train, test) in enumerate(rows)
    )


def _fold(moments: Moments, origin: float, length: float, apart: float, reach: float) -> tuple[Rows, Rows]:
    values = moments.values
    train = moments.known & (values <= origin - apart) & (values > origin - apart - reach)
    test = moments.known & (values > origin) & (values <= origin + length)
    return np.flatnonzero(train), np.flatnonzero(test)
