"""What is kept of a view of single values: for each key the current row and those that become visible later."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.declared.view import FeatureView
from assay.build.views.online.packing import RowPacker, python_rows
from assay.build.views.online.rows import NO_KEY, Answered, KeptRow, answer, candidates, kept_rows, rule_of
from assay.build.views.online.shelf import Found

__all__ = ["Folded", "NewestRows"]

_NOTHING: Found = (0, None)


class Folded(NamedTuple):
    """What is to be kept of a key, if it changes: None for nothing. Rows that came in, visible now and later."""

    place: int
    data: bytes | None
    applied: int
    waiting: int


class NewestRows:
    """Rows of a view as bytes by key, and what they answer. Holds nothing itself."""

    def __init__(self, view: FeatureView, values: pa.Schema) -> None:
        self.features, self.types = values.names, values.types
        self._rule = rule_of(view)
        self._packer = RowPacker(values.types)

    def few(self, rows: pa.Table, codes: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
        """Places of the rows that can matter, whatever is there already."""
        return candidates(rows, codes, self._rule, horizon)

    def folded(
        self, before: Sequence[bytes | None], rows: pa.Table, codes: NDArray[np.int64], now: int, horizon: int
    ) -> list[Folded]:
        """The keys that change when rows come to what is there; `codes` says of each row whose it is."""
        new: list[list[KeptRow]] = [[] for _ in before]
        for code, row in zip(codes.tolist(), python_rows(rows, self.features), strict=True):
            new[code].append(row)
        found = []
        for place, (data, came) in enumerate(zip(before, new, strict=True)):
            there = [] if data is None else self._packer.unpack(data)
            kept = kept_rows([*there, *came], self._rule, horizon)
            if kept != there:
                known = {row[2] for row in there}
                seen = [self._rule.visible_from(row) <= now for row in kept if row[2] not in known]
                found.append(Folded(place, self._packer.pack(kept), sum(seen), len(seen) - sum(seen)))
        return found

    def answers(self, keys: Sequence[bytes | None], found: Mapping[bytes, Found], now: int) -> list[Answered]:
        """What each key gives at a moment, of what is kept."""
        unpack, rule = self._packer.unpack, self._rule
        answers = []
        for key in keys:
            if key is None:
                answers.append(NO_KEY)
                continue
            _, data = found.get(key, _NOTHING)
            answers.append(answer(unpack(data) if data is not None else (), rule, now))
        return answers
