"""What the rows of a window looked like: the profile of all inputs and of the answers, made once and kept."""

from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.models.inputs import Column
from assay.build.models.packaging import inputs_of
from assay.errors import AssayError
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Window
from assay.operate.predictions.columns import FEATURES
from assay.record.canonical import canonical_json, digest_bytes
from assay.record.clock import iso
from assay.record.models.registry import version_by_id
from assay.record.store import Row, Store
from assay.stats.drift import Kind, TableProfile
from assay.stats.segment import OVERALL

__all__ = ["ANSWER", "CLASS", "input_columns", "loaded_profile", "only", "profile_of", "segments_key", "window_table"]

ANSWER = "(prediction)"  # the column of the answers, beside the inputs
CLASS = "(class)"  # the most probable of several classes, by its number


def input_columns(store: Store, monitor: Monitor, table: pa.Table) -> list[Column]:
    """The inputs of the version that is watched; those of the log where the store does not know it."""
    mv_id = monitor.mv_id or monitor.version
    if mv_id is not None:
        try:
            return inputs_of(store, version_by_id(store, mv_id))[0]
        except (AssayError, KeyError):  # it was removed, or came from elsewhere: its log tells
            pass
    if FEATURES not in table.column_names:
        return []
    return [Column(one.name, "double" if pa.types.is_floating(one.type) else "string") for one in table[FEATURES].type]


def window_table(table: pa.Table, columns: list[Column]) -> pa.Table:
    """Rows of the log as a table of inputs, each of the kind that the model takes, and of answers.

    What cannot be read as a number is missing.
    """
    names, arrays = [], []
    features = table[FEATURES].combine_chunks() if FEATURES in table.column_names else None
    there = set() if features is None else {one.name for one in features.type}
    for one in columns:
        if features is not None and one.name in there:
            values = features.field(one.name)
            values = values if not features.null_count else pc.if_else(features.is_valid(), values, None)
        else:
            values = pa.nulls(table.num_rows)
        names.append(one.name)
        arrays.append(_number(values) if one.is_number else values.cast(pa.string()))
    names.append(ANSWER)
    arrays.append(table["output"].combine_chunks())
    scores = table["scores"].combine_chunks()
    if len(scores) and scores.null_count < len(scores):
        names.append(CLASS)
        arrays.append(pa.array([_largest(one) for one in scores.to_pylist()], pa.string()))
    return pa.table(arrays, names=names)


def profile_of(store: Store, monitor: Monitor, window: Window) -> TableProfile | None:
    """The profile of a window by the monitor's segments; made and kept where there is none. None without rows."""
    if not window.rows.num_rows:
        return None
    key = segments_key(monitor)
    said = [monitor.endpoint, iso(window.started), iso(window.ended), monitor.version or "", key]
    profile_id = digest_bytes(canonical_json(said).encode())[:32]
    known = store.query("window_profile", {"profile_id": profile_id}, limit=1)
    if known:
        return loaded_profile(store, known[0])
    columns = input_columns(store, monitor, window.rows)
    kinds: dict[str, Kind] = {one.name: "number" if one.is_number else "category" for one in columns}
    made = TableProfile.of(
        window_table(window.rows, columns), segments=monitor.definition.segments, kinds={**kinds, ANSWER: "number"}
    )
    row: Row = {"profile_id": profile_id, "model": monitor.model, "endpoint": monitor.endpoint, "role": "window"}
    row |= {"window": window.name, "started": iso(window.started), "ended": iso(window.ended), "segments": key}
    row |= {"mv_id": monitor.version, "rows": window.rows.num_rows, "blob": store.blobs.put(made.to_bytes())}
    store.append_many("window_profile", [row], skip_existing=True)
    return made


def segments_key(monitor: Monitor) -> str:
    """The segments of a monitor as the record of a profile says them."""
    return ",".join(monitor.definition.segments)


def loaded_profile(store: Store, row: Row) -> TableProfile:
    """The profile that a row of `window_profile` stands for."""
    return _decoded(store.blobs.get(row["blob"]))


def only(profile: TableProfile, columns: Sequence[str]) -> TableProfile:
    """Some columns of a profile, over all rows; those that it lacks are left out."""
    return TableProfile({name: {OVERALL: profile.column(name)} for name in columns if name in profile.columns})


@lru_cache(maxsize=256)
def _decoded(content: bytes) -> TableProfile:
    return TableProfile.from_bytes(content)


def _number(values: pa.Array) -> pa.Array:
    if pa.types.is_floating(values.type) or pa.types.is_null(values.type):
        return values.cast(pa.float64())
    found = []
    for one in values.cast(pa.string()).to_pylist():
        try:
            found.append(None if one is None else float(one))
        except ValueError:
            found.append(None)
    return pa.array(found, pa.float64())


def _largest(scores: list[float] | None) -> str | None:
    return None if not scores else str(max(range(len(scores)), key=scores.__getitem__))
