"""What of the log counts for a release, and for whom."""

from typing import Any

import pyarrow as pa
import pytest
from tests.operate.serving_helpers import prediction

from assay.operate.predictions.columns import Signatures, prediction_table
from assay.operate.predictions.prediction import Prediction
from assay.operate.releases.counts import Baseline, Tally
from assay.operate.releases.log_rows import log_rows
from assay.record.sqlstore import SqlStore

BASELINE = Baseline((0.2, 0.5), slow_us=1000)


def row(id: str, unit: str | None = None, arm: str = "champion", **changes: object) -> Prediction:
    said: dict[str, object] = {"reason": "hash", "propensity": 0.5, "variant": arm, "mv_id": arm, "unit": unit}
    return prediction(id, **{**said, **changes})


@pytest.fixture
def table(store: SqlStore) -> "Table":
    return Table(Signatures(store))


class Table:
    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures

    def __call__(self, *rows: Prediction) -> pa.Table:
        return prediction_table(rows, self._signatures)


def counted(table: pa.Table, *, paired: bool = False, by_row: bool = False) -> Tally:
    tally = Tally(paired, BASELINE)
    tally.add(log_rows(table, "challenger", 1000, by_row=by_row))
    return tally


def test_a_unit_counts_once_for_each_kind_of_event(table: Table) -> None:
    bad: dict[str, Any] = {"status": "error", "output": None}
    rows = [row("1", "u", **bad), row("2", "u", **bad), row("3", "u", latency_us=2000), row("4", "v", "challenger")]
    counts = counted(table(*rows)).counts
    assert (counts.rows, counts.units, counts.part) == ([3, 1], [1, 1], [1, 1])
    assert counts.events == {"errors": [1, 0], "slow": [1, 0], "invalid": [0, 0], "schema": [0, 0]}
    assert counted(table(*rows), by_row=True).counts.events["errors"] == [2, 0]


def test_rows_without_a_unit_are_units_of_their_own(table: Table) -> None:
    counts = counted(table(row("1"), row("2"), row("3", arm="challenger"))).counts
    assert counts.units == [2, 1]


def test_an_output_that_is_no_number_is_invalid_and_a_failure_is_not(table: Table) -> None:
    rows = [row("1", output=float("nan")), row("2", output=None), row("3", output=None, status="error")]
    assert counted(table(*rows)).counts.events["invalid"] == [2, 0]


def test_outputs_stand_below_at_and_above_the_cuts(table: Table) -> None:
    rows = [row(str(place), output=output) for place, output in enumerate((0.1, 0.2, 0.3, 0.5, 0.9, 0.9))]
    assert counted(table(*rows)).counts.bins == [[1, 1, 1, 1, 2], [0, 0, 0, 0, 0]]


def test_forced_rows_and_those_outside_of_the_segment_count_for_nobody(table: Table) -> None:
    rows = [row("1", reason="forced", arm="challenger"), row("2", reason="outside", propensity=1.0)]
    counts = counted(table(*rows, row("3", reason="outside", propensity=0.9))).counts
    assert (counts.units, counts.part, counts.forced) == ([1, 0], [0, 0], 1)


def test_a_row_that_the_challenger_could_not_answer_breaks_its_signature(table: Table) -> None:
    counts = counted(table(row("1", "u", reason="fallback"), row("2", "u", reason="fallback"))).counts
    assert (counts.events["schema"], counts.units, counts.part, counts.fallback) == ([0, 1], [0, 1], [0, 0], 2)


def test_flagged_values_break_the_signature_for_who_answered(table: Table) -> None:
    counts = counted(table(row("1", flags={"x": "unseen"}), row("2", arm="challenger"))).counts
    assert counts.events["schema"] == [1, 0]


def test_a_shadow_is_compared_on_the_same_rows_in_whatever_order_they_come(table: Table) -> None:
    failed = {"status": "error", "output": None}
    tally = counted(
        table(
            row("1", "u", output=0.1),
            row("2", "v", "challenger", role="shadow", **failed),
            row("1", "u", "challenger", role="shadow", output=0.3),
            row("3", "w", output=0.3),
        ),
        paired=True,
    )
    tally.add(log_rows(table(row("2", "v", output=0.3)), "challenger", 1000, by_row=False))
    counts = tally.counts
    assert counts.units == [2, 2], "row 3 still waits for its shadow"
    assert counts.events["errors"] == [0, 1]
    assert counts.crossed == [[1, 0], [1, 0], [0, 0], [0, 0]], "below 0.2, and at most 0.2, lies the champion alone"


def test_rows_in_pieces_count_as_rows_at_once(table: Table) -> None:
    rows = [row(str(n), f"u{n % 5}", "challenger" if n % 5 > 2 else "champion", output=n / 20) for n in range(20)]
    whole = counted(table(*rows)).counts
    pieces = Tally(False, BASELINE)
    for start in range(0, 20, 3):
        pieces.add(log_rows(table(*rows[start : start + 3]), "challenger", 1000, by_row=False))
    assert pieces.counts == whole


def test_what_both_sides_of_a_pair_have_speaks_for_neither_and_the_limit_itself_is_not_slow(table: Table) -> None:
    bad: dict[str, Any] = {"status": "error", "output": None}
    both = table(row("1", "u", **bad), row("1", "u", "challenger", role="shadow", **bad))
    assert counted(both, paired=True).counts.events["errors"] == [0, 0]
    rows = table(row("1", "u", latency_us=1000), row("2", "v", latency_us=1001))
    assert counted(rows).counts.events["slow"] == [1, 0]
