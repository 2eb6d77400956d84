"""Old predictions go, and those of one unit: from parts, on a decision in the ledger; nothing goes before it was shown.

What goes was compacted before. A segment that a server still writes is left, and said.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.errors import InvalidInput
from assay.operate.predictions.columns import put_together
from assay.operate.predictions.compacting import clear_away, compact_closed, only_one
from assay.operate.predictions.folder import existing_log, log_folder, segments
from assay.operate.predictions.parts import (
    Part,
    all_parts,
    compacted_in,
    enter_part,
    part_path,
    read_part,
    reading,
    write_part,
)
from assay.operate.predictions.reading import segment_pieces
from assay.operation import operation
from assay.record.clock import iso
from assay.record.ledger import decide
from assay.record.lengths import FORM, written_length
from assay.record.store import Store

__all__ = ["ErasedUnit", "PrunedPredictions", "erase_predictions", "prune_predictions"]


_AT_ONCE = 500  # keys in one statement


class PrunedPredictions(msgspec.Struct, frozen=True):
    """What went, or would go where `deleted` is false: everything of days that were over `before`.

    `decision` is its number in the ledger. `waiting` files go when nobody reads the log.
    """

    endpoint: str
    deleted: bool
    before: str
    parts: int
    rows: int
    bytes: int
    days: list[str]
    decision: int | None
    waiting: int


class ErasedUnit(msgspec.Struct, frozen=True):
    """What of a unit went, or would go where `deleted` is false: rows of the log, and labels.

    `in_use` are its rows in segments that servers still write: they stay until the servers have ended and this is done
    again. `decision` is its number in the ledger, which does not say which unit it was. `waiting` files go when nobody
    reads the log.
    """

    endpoint: str
    deleted: bool
    rows: int
    labels: int
    in_use: int
    decision: int | None
    waiting: int


@operation("predictions prune")
def prune_predictions(
    store: Store,
    endpoint: str,
    *,
    older_than: Annotated[str, "How long rows are kept, such as 90d"] = "90d",
    delete: Annotated[bool, "Do it; otherwise only say what would go"] = False,
) -> PrunedPredictions:
    """Say which days of an endpoint's prediction log are older than a span and can go, or take them away.

    The parts of a day go when its last row is older; they stay on record as deleted. Labels stay.

    Raises NotFound where there is no log, InvalidInput for what is no span, Conflict while somebody compacts the log.
    """
    length = written_length(older_than)
    if length is None or not length:
        raise InvalidInput(f"older_than is {older_than!r}", expected=FORM)
    folder = existing_log(store, endpoint)
    before = iso(store.clock.now() - length)
    decision = None
    with only_one(folder):
        if delete:
            compact_closed(store, endpoint)
        going = [part for part in all_parts(store, endpoint) if part.deleted is None and part.last_ts < before]
        days, rows = sorted({part.day for part in going}), sum(part.rows for part in going)
        if delete and going:
            with store.transaction():
                for part in going:
                    _mark(store, part)
                decision = decide(store, "prune_predictions", endpoint, {"before": before, "days": days, "rows": rows})
        waiting = clear_away(store, endpoint) if delete else 0
    return PrunedPredictions(
        endpoint, delete, before, len(going), rows, sum(part.bytes for part in going), days, decision, waiting
    )


@operation("predictions erase")
def erase_predictions(
    store: Store,
    endpoint: str,
    *,
    unit: Annotated[str | None, "The unit, as its requests named it"] = None,
    delete: Annotated[bool, "Do it; otherwise only say what would go"] = False,
) -> ErasedUnit:
    """Say what an endpoint's prediction log and the labels hold of one unit, or take it out for good.

    Raises NotFound where there is no log, InvalidInput without a unit, Conflict while somebody compacts the log.
    """
    folder = existing_log(store, endpoint)
    if not unit:
        raise InvalidInput("no unit is named", expected="--unit UNIT")
    decision = None
    with only_one(folder):
        if delete:
            compact_closed(store, endpoint)
        parts = [part for part in all_parts(store, endpoint) if part.deleted is None]
        ids = {part.part_id: _ids(store, part, unit) for part in parts}
        held = [part for part in parts if ids[part.part_id]]
        open_ids = _in_segments(store, endpoint, unit)
        gone = sorted({id for part in held for id in ids[part.part_id]})
        rows = sum(len(ids[part.part_id]) for part in held)
        labels = _labels(store, endpoint, unit, gone, delete=False)
        if delete and (held or labels):
            new = [_without(store, part, unit) for part in held]
            with store.transaction():
                for part, replaced in zip(held, new, strict=True):
                    if replaced is None:
                        _mark(store, part)
                    else:
                        store.remove("prediction_part", {"part_id": part.part_id})
                        enter_part(store, replaced)
                _labels(store, endpoint, unit, gone, delete=True)
                decision = decide(store, "erasure", endpoint, {"of": "a unit", "rows": rows, "labels": labels})
        waiting = clear_away(store, endpoint) if delete else 0
    return ErasedUnit(endpoint, delete, rows, labels, len(open_ids), decision, waiting)


def _mark(store: Store, part: Part) -> None:
    """A part without rows stays on record: so nobody reads its segments again."""
    store.amend("prediction_part", {"part_id": part.part_id}, {"deleted": iso(store.clock.now())})


def _ids(store: Store, part: Part, unit: str) -> list[str]:
    table = pq.read_table(part_path(store, part), columns=["id"], filters=[("unit", "=", unit)], partitioning=None)
    found: list[str] = table["id"].to_pylist()
    return found


def _in_segments(store: Store, endpoint: str, unit: str) -> list[str]:
    """The ids of rows that are not in parts."""
    folder = log_folder(store, endpoint)
    with reading(folder):
        done = compacted_in(all_parts(store, endpoint))
        loose = [path for path in segments(folder) if path.name not in done]
        pieces = [piece for path in loose for piece in segment_pieces(path)]
        return [one.id for piece in pieces for one in piece.predictions if one.unit == unit]


def _without(store: Store, part: Part, unit: str) -> Part | None:
    """The part without the rows of the unit; None where nothing is left."""
    tables = [
        table.filter(pc.fill_null(pc.not_equal(table["unit"], unit), fill_value=True))
        for table in read_part(store, part)
    ]
    rows = put_together(tables)
    if not rows.num_rows and not part.gaps:
        return None
    return write_part(store, part.endpoint, part.day, rows, part.segments, part.gaps)


def _labels(store: Store, endpoint: str, unit: str, ids: Sequence[str], *, delete: bool) -> int:
    """How many labels there are of the unit and of the predictions, which go if `delete`."""
    conditions: list[tuple[str, dict[str, object]]] = [("unit_label", {"endpoint": endpoint, "unit": unit})]
    for start in range(0, len(ids), _AT_ONCE):
        conditions.append(("label", {"prediction_id in": ids[start : start + _AT_ONCE]}))
    if delete:
        return sum(store.remove(kind, where) for kind, where in conditions)
    return sum(len(store.query(kind, where)) for kind, where in conditions)
