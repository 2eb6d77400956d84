"""What other ways to certify, accuse and resample would do: the figures of the specification."""

import pytest
from benchmarks.simulations.certifying import (
    AT_MARGIN,
    AT_MARGIN_RUNS,
    certified_at_the_margin,
    resampled_area,
    twenty_nulls,
)
from benchmarks.simulations.figures import Share

pytestmark = pytest.mark.slow


def test_certifying_at_the_margin_errs_as_the_specification_says() -> None:
    for row, expected in zip(certified_at_the_margin(1, 600), AT_MARGIN.values(), strict=True):
        for name, value, runs in zip(row.shares, expected, AT_MARGIN_RUNS, strict=True):
            assert row.share(name).near(Share(value, runs)), (name, row)
        assert row.share("Tango").value <= 0.055, row


def test_twenty_true_nulls_are_rejected_as_often_as_promised() -> None:
    found = {row.of["correction"]: row.share("any rejection") for row in twenty_nulls(1, 2000)}
    assert found["Holm"].at_most(0.1)
    assert found["Benjamini–Hochberg"].at_most(0.1)
    assert found["Benjamini–Hochberg"].at_least(0.1)
    assert found["none"].value > 0.8


def test_weights_on_cells_weights_on_rows_and_delong_give_one_error() -> None:
    """Of 20,000 rows; 1,000 replicates have an error of 2.2 %, so that three of them are 6.7 %."""
    found = resampled_area(1, 20_000, 1000)
    assert found["cells"] == pytest.approx(found["DeLong"], rel=0.067)
    assert found["rows"] == pytest.approx(found["DeLong"], rel=0.067)
