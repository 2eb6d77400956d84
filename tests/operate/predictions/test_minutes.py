import numpy as np
import pyarrow as pa
import pytest
from tests.operate.serving_helpers import ENDPOINT, prediction

from assay.operate.predictions.columns import Signatures, prediction_table
from assay.operate.predictions.compacting import compact_predictions
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.minutes import (
    Minutes,
    cell_of,
    latency_us,
    minutes_in,
    minutes_of,
    minutes_of_predictions,
)
from assay.operate.predictions.parts import all_parts, part_path
from assay.operate.predictions.prediction import Prediction
from assay.record.sqlstore import SqlStore


def _some() -> list[Prediction]:
    """Rows over three hours, of two versions, shadows and replays among them, with errors and all latencies."""
    draw = np.random.default_rng(3)
    roles = ("live", "live", "shadow", "replay")
    return [
        prediction(
            str(number),
            ts=f"2026-01-01T{draw.integers(3):02d}:{draw.integers(60):02d}:{draw.integers(60):02d}.000000Z",
            event_ts=None if number % 2 else f"2025-12-31T23:{draw.integers(60):02d}:59.999999Z",
            mv_id=f"m{number % 2}",
            role=roles[draw.integers(4)],
            status="error" if draw.random() < 0.1 else "ok",
            latency_us=(0, 1, 2, 8, int(draw.integers(10_000_000)))[draw.integers(5)],
        )
        for number in range(500)
    ]


def _by_hand(some: list[Prediction]) -> dict[tuple[str, str, bool], int]:
    found: dict[tuple[str, str, bool], int] = {}
    for one in some:
        if one.role != "replay":
            key = (one.mv_id, one.role, one.status == "error")
            found[key] = found.get(key, 0) + 1
    return found


def _counted(minutes: Minutes) -> dict[tuple[int, str, str, bool, int], int]:
    return {
        (int(minute), *minutes.who[place], bool(failed), int(bin)): int(rows)
        for minute, place, failed, bin, rows in zip(
            minutes.minutes, minutes.places, minutes.failed, minutes.bins, minutes.rows, strict=True
        )
    }


def test_a_part_has_the_counts_that_its_rows_give_one_by_one(store: SqlStore) -> None:
    some = _some()
    with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
        writer.append(some)
    compact_predictions(store, ENDPOINT)
    cells: dict[tuple[str, str, str, bool, int], int] = {}
    for one in some:
        if one.role != "replay":
            cells[cell_of(one)] = cells.get(cell_of(one), 0) + 1
    expected = _counted(minutes_of_predictions(cells))
    found: dict[tuple[int, str, str, bool, int], int] = {}
    for part in all_parts(store, ENDPOINT):
        found |= _counted(minutes_in(part_path(store, part)))
    assert found == expected
    by_hand = _by_hand(some)
    for (mv_id, role, failed), rows in by_hand.items():
        assert sum(n for key, n in found.items() if key[1:4] == (mv_id, role, failed)) == rows
    assert sum(found.values()) == sum(by_hand.values())


def test_nothing_counts_as_nothing(store: SqlStore) -> None:
    assert minutes_of(prediction_table([], Signatures(store))).num_rows == 0
    assert len(minutes_of_predictions({}).rows) == 0
    replay = prediction_table([prediction(role="replay")], Signatures(store))
    assert isinstance(minutes_of(replay), pa.Table)
    assert minutes_of(replay).num_rows == 0


@pytest.mark.parametrize("latency", [1, 2, 3, 100, 99_999, 12_345_678])
def test_a_latency_lies_in_its_bin(latency: int) -> None:
    bin = cell_of(prediction(latency_us=latency))[4]
    assert latency_us(bin) <= latency * (1 + 1e-9)
    assert latency < latency_us(bin + 1)
