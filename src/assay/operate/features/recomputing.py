"""The offline join once more, for rows that were served: at the moment of their lookup, over the log of the view.

A view that never logged anything has only its source: there in knowledge time where it says when a row became known,
and in event time where it does not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data import columns
from assay.build.views.declared.history import ARRIVAL, ARRIVED, VISIBLE, source_rows, value_columns
from assay.build.views.joining.reading import narrowed
from assay.build.views.log.log import log_parts, log_schema, logged_rows
from assay.build.views.log.suppressing import Suppression
from assay.build.views.matching.matching import NOTHING, STATUSES, Matched, Mode, matched
from assay.build.views.matching.wanted import Wanted, wanted
from assay.build.views.registry.registered import ViewVersion, find_view, view_of
from assay.operate.features.differing import Said
from assay.operate.features.lookup import Value, as_input
from assay.operate.predictions.prediction import LookedUp
from assay.record.store import Store

__all__ = ["Recomputed"]

_TIME = "assay_as_of"
_NONE = pa.chunked_array([pa.array([], pa.int64())])


class Offline:
    """What the offline join says of lookups. `values` are lists by feature, as a model gets them."""

    def __init__(self, values: dict[str, list[Value]], found: Matched) -> None:
        self.values = values
        self._found = found

    def said(self, feature: str, place: int) -> Said:
        """All that is said of one feature for the lookup at that place."""
        ts = int(self._found.ts[place])
        status = STATUSES[self._found.status[place]]
        return Said(self.values[feature][place], status, None if ts == NOTHING else ts)


class Recomputed:
    """What a view's version gives for lookups that were logged. `rows_from` says where its rows are from.

    `features` are those that are asked for, and whether the model takes each as a number.
    """

    def __init__(self, store: Store, reference: str, features: Mapping[str, bool]) -> None:
        self.version: ViewVersion = find_view(store, reference)
        self._store = store
        self._features = dict(features)
        self._view = narrowed(view_of(self.version), features)
        parts = log_parts(store, self.version)
        self._logged = bool(parts)
        self._rebuilt_us = max((part.arrived_us for part in parts if part.kind == "rebuilt"), default=None)
        erased = [part.detail for part in parts if part.kind == "erased"]
        self._erased = [msgspec.json.decode(detail, type=Suppression) for detail in erased if detail is not None]
        known = self._logged or self._view.created is not None
        self._mode: Mode = "known" if known else "event"
        if self._logged:
            self.rows_from = "log"
        else:
            self.rows_from = "source" if known else "source, in event time"

    def can_answer(self, lookups: Sequence[LookedUp]) -> NDArray[np.bool_]:
        """[lookups] whose rows of then are still there: the log was not rebuilt since, nor the entity erased."""
        now = np.array([one.now_us for one in lookups], np.int64)
        able = np.ones(len(lookups), np.bool_) if self._rebuilt_us is None else now > self._rebuilt_us
        keys = self._wanted(lookups).keys
        for one in self._erased:
            able &= ~(one.covers(keys, list(self._view.entity)) & (now <= one.until_us))
        return able

    def match(self, lookups: Sequence[LookedUp], lag_us: int | None) -> "Offline":
        """From all rows that are there now, as a training set has it (None), or only from those that had arrived so
        long before each lookup; that is all rows where there is no log.
        """
        found = matched(self._wanted(lookups), self._rows(lag_us), self._view, self._mode)
        values = {
            feature: _inputs(found.values.column(feature), is_number, feature, self.version.reference)
            for feature, is_number in self._features.items()
        }
        return Offline(values, found)

    def _wanted(self, lookups: Sequence[LookedUp]) -> Wanted:
        schema = self.version.declared.rows_schema
        kinds = [schema.field(name).type for name in self._view.entity]
        asked = {
            name: _keys([one.keys.get(name) for one in lookups], kind)
            for name, kind in zip(self._view.entity, kinds, strict=True)
        }
        asked[_TIME] = pa.array([one.now_us for one in lookups], pa.timestamp("us", "UTC"))
        return wanted(pa.table(asked), self._view.entity, kinds, _TIME)

    def _rows(self, lag_us: int | None) -> Iterable[pa.Table]:
        return self._log(lag_us) if self._logged else [source_rows(self._view, self._store)]

    def _log(self, lag_us: int | None) -> Iterator[pa.Table]:
        schema = log_schema(self.version)
        wanted_columns = value_columns(self._view, self.version.declared.rows_schema.names)
        empty = schema.empty_table()  # all rows may have been erased
        yield empty.append_column(ARRIVAL, _NONE).append_column(ARRIVED, _NONE)
        for batch in logged_rows(self._store, self.version, columns=wanted_columns):
            late = None if lag_us is None else pc.add(batch.column(ARRIVED), lag_us)
            yield batch if late is None else batch.append_column(VISIBLE, late)


def _inputs(values: pa.ChunkedArray, is_number: bool, feature: str, reference: str) -> list[Value]:
    if is_number and (columns.is_number(values.type) or pa.types.is_boolean(values.type)):
        found: list[Value] = values.cast(pa.float64(), safe=False).to_pylist()
        return found
    return [as_input(value, is_number, feature, reference) for value in values.to_pylist()]


def _keys(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    if pa.types.is_date(kind):
        return pa.array([None if one is None else str(one) for one in values], pa.string()).cast(kind)
    return pa.array(values, kind)
