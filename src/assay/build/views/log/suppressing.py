"""Entities that were erased from a view: what was so before is not taken in again, whoever brings it.

Only salted hashes of their keys are kept. A row of an erased entity is left out if its time is not after the erasure;
an entity that comes back later begins anew.
"""

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.declared.history import TS
from assay.build.views.log.row_hashes import HASH, row_hashes
from assay.build.views.matching.wanted import whole
from assay.record.store import Row

__all__ = ["Suppression", "suppressed"]


class Suppression(msgspec.Struct, frozen=True):
    """Keys that were erased at a moment: their hashes under a salt, 32 characters each."""

    salt: int
    hashes: list[str]
    until_us: int

    @classmethod
    def of(cls, keys: pa.Table, salt: int, until_us: int) -> "Suppression":
        """Of keys, a column for each part of them."""
        found = row_hashes(keys, keys.column_names, salt)
        return cls(salt, sorted({one.tobytes().hex() for one in found}), until_us)

    def covers(self, rows: pa.Table, entity: list[str]) -> NDArray[np.bool_]:
        """[rows] which of them are of one of these entities."""
        known = np.frombuffer(bytes.fromhex("".join(self.hashes)), HASH)
        found = row_hashes(rows, entity, self.salt)
        covered = np.isin(found["high"], known["high"])
        places = np.flatnonzero(covered)
        ours = {one.tobytes() for one in known}
        covered[places] = [found[place].tobytes() in ours for place in places]
        return covered


def suppressed(parts: list[Row], rows: pa.Table, entity: list[str]) -> NDArray[np.bool_]:
    """[rows] which of them must not be taken in; `parts` are rows of the log, of which those that erased count."""
    gone = np.zeros(rows.num_rows, np.bool_)
    for part in parts:
        if part["kind"] == "erased":
            one = msgspec.json.decode(part["detail"], type=Suppression)
            gone |= one.covers(rows, entity) & (whole(rows[TS]) <= one.until_us)
    return gone
