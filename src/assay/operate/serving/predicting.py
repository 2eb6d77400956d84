"""One variant as the server asks it: rows of a request into what its model takes, and what it gives into numbers."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.models.inputs import object_rows
from assay.build.models.packaging import LoadedModel
from assay.build.models.served_model import ServedModel
from assay.operate.routing.table import LoadedVariant

__all__ = ["SLOW_S", "ModelFailed", "Outputs", "Predicting", "Rows"]

Rows = list[tuple[Any, ...]]

SLOW_S = 0.001  # a call that takes longer is worth a queue: what waits meanwhile is answered by one call
_SAID = 500  # characters of somebody else's exception that are kept
_OUTLIER = 4  # times the mean: more than that counts as so much
_WEIGHT = 0.1  # of the last call in the running mean of what calls take


class ModelFailed(Exception):
    """A model that raised, or gave something else than one finite number for each row; the text says which."""


class Outputs(NamedTuple):
    """Of each row the number that is logged, and the probabilities of all classes where there are more than two."""

    numbers: list[float]
    scores: list[tuple[float, ...]] | None


class Predicting:
    """Asks one loaded variant for rows whose values stand in the order of `names`.

    `seconds` is a running mean of what one call takes, whatever its rows: 32 cost little more than one. `is_likely`
    says that it gives probabilities, and no predictions of a regressor.
    """

    __slots__ = ("_answers", "_model", "_places", "is_likely", "loaded", "lookup", "name", "seconds", "version")

    def __init__(self, loaded: LoadedVariant, names: Sequence[str]) -> None:
        self.loaded = loaded
        self.lookup = loaded.lookup
        self.version = loaded.model.version
        self.name = loaded.variant.name
        self._model = loaded.model
        self._answers = _asked_for(loaded.model)
        self.is_likely = True
        columns = [column.name for column in loaded.model.columns]
        keys = [key.name for key in loaded.lookup.keys if key.name not in columns] if loaded.lookup else []
        takes = [*columns, *keys]
        where = {name: place for place, name in enumerate(names)}
        same = takes == list(names)
        self._places = None if same else [where.get(name) for name in takes]
        self.seconds = self._measure()

    @property
    def called(self) -> str:
        """The version in words."""
        return f"{self.version.model}/{self.version.version}"

    @property
    def is_slow(self) -> bool:
        """Whether a call takes so long that others are better answered meanwhile."""
        return self.seconds > SLOW_S

    def rows_of(self, rows: Rows) -> Rows:
        """The rows in the order that this variant takes; UNSET stands for what the request did not bring."""
        places = self._places
        if places is None:
            return rows
        return [tuple([msgspec.UNSET if place is None else row[place] for place in places]) for row in rows]

    def lacks(self, row: tuple[Any, ...]) -> bool:
        """Whether a row of `rows_of` has not all that the variant takes and cannot look up."""
        if msgspec.UNSET not in row:
            return False
        if self.lookup is None:
            return True
        looked_up = self.lookup.looked_up
        columns = self._model.columns
        return any(
            value is msgspec.UNSET and column.name not in looked_up for column, value in zip(columns, row, strict=False)
        )

    def predict(self, rows: Rows) -> Outputs:
        """One finite number for each row. ModelFailed says why not."""
        began = time.perf_counter()
        try:
            found = self._found(rows)
            values: list[Any] = found.tolist()
        except Exception as error:  # noqa: BLE001 - a model is somebody else's code; what it raises is logged and told
            said = f"{type(error).__name__}: {error}"[:_SAID]
            raise ModelFailed(said.encode(errors="backslashreplace").decode()) from None
        took = min(time.perf_counter() - began, _OUTLIER * self.seconds + SLOW_S / 10)  # the machine may have been busy
        self.seconds += _WEIGHT * (took - self.seconds)
        if len(values) != len(rows):
            raise ModelFailed(f"{len(values)} outputs for {len(rows)} rows")
        if not (math.isfinite(values[0]) if len(rows) == 1 and found.ndim == 1 else np.isfinite(found).all()):
            bad = int(np.argmin(np.isfinite(found).reshape(len(rows), -1).all(axis=1)))
            raise ModelFailed(f"the output for row {bad} is {values[bad]}")
        if found.ndim == 1:
            return Outputs(values, None)
        return Outputs([max(one) for one in values], [tuple(one) for one in values])

    def _found(self, rows: Rows) -> NDArray[np.float64]:
        found = np.asarray(self._answers(rows), dtype=np.float64)
        self.is_likely = found.ndim == 2
        return found[:, 1] if found.ndim == 2 and found.shape[1] == 2 else found

    def _measure(self) -> float:
        """Seconds of a call on the stored example, at best; the model has been warmed up with it."""
        example = [tuple(row) for row in self._model.example]
        if not example:
            return 0.0
        took = []
        for _ in range(3):
            began = time.perf_counter()
            self._found(example)
            took.append(time.perf_counter() - began)
        return min(took)


def _asked_for(model: LoadedModel) -> Callable[[Rows], Any]:
    """What gives the answers for rows, by the compiled form where there is one."""
    if isinstance(model, ServedModel):
        return model.answer_rows
    return lambda rows: model.answers(object_rows(model.columns, rows))
