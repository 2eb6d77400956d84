"""What is drawn of an evaluation is what its numbers say."""

import msgspec
import numpy as np
import pytest

from assay.prove.plots import forest, forest_of_datasets, forest_of_gaps, heatmap
from assay.prove.rows import EvaluationRow
from assay.stats import Profile, group_gaps


def row(segment: str, delta: float | None, half: float | None = 0.01, p: float = 0.5, n: int = 100) -> EvaluationRow:
    ends = (None, None) if delta is None or half is None else (delta - half, delta + half)
    return EvaluationRow(
        dataset="d",
        segment=segment,
        metric="auc",
        n=n,
        n_unlabelled=0,
        value=0.7,
        low=0.6,
        high=0.8,
        method="delong",
        baseline_value=0.7 if delta is not None else None,
        delta=delta,
        delta_low=ends[0],
        delta_high=ends[1],
        p_worse=p,
        p_adjusted=p,
        comparison_method="delong",
    )


def test_overall_comes_first_and_then_the_evidence_of_harm() -> None:
    rows = [row("a=1", 0.02, p=0.9), row("a=2", -0.05, p=0.001), row("overall", 0.01, p=0.8), row("a=3", None, p=1.0)]
    found = forest(rows, "auc", "AUC", "d")
    assert [bar.segment for bar in found.bars] == ["overall", "a=2", "a=1", "a=3"]
    assert [bar.kind for bar in found.bars] == ["open", "worse", "better", "open"]
    assert found.bars[1].interval == "-0.0600 to -0.0400"
    assert (found.bars[3].value, found.bars[3].interval, found.bars[3].at) == ("–", "too small", None)


def test_places_are_on_one_scale_with_zero() -> None:
    found = forest([row("overall", 0.02), row("a=1", -0.02)], "auc", "AUC", "d")
    (better, worse), zero = found.bars, found.zero
    assert zero == pytest.approx(50.0)
    for bar in (better, worse):
        assert bar.start is not None
        assert bar.at is not None
        assert bar.end is not None
        assert 0 < bar.start < bar.at < bar.end < 100
    assert (better.at or 0) - 50 == pytest.approx(50 - (worse.at or 0), abs=0.02)


def test_a_model_alone_shows_its_values() -> None:
    found = forest([row("overall", None)], "auc", "AUC", "d")
    assert (found.what, found.zero, found.bars[0].value, found.bars[0].interval) == (
        "Value",
        None,
        "0.7000",
        "0.6000 to 0.8000",
    )


def test_many_segments_are_cut_and_counted() -> None:
    found = forest([row(f"a={n}", 0.01, p=n / 100) for n in range(60)], "auc", "AUC", "d")
    assert len(found.bars) == 40
    assert "20 more segments are in the table below" in found.caption


def test_a_heatmap_has_a_cell_for_every_cross() -> None:
    rows = [
        row("a=x & b=1", 0.04),
        row("a=x & b=2", -0.02, p=0.001),
        row("a=y & b=1", 0.01, half=None),
        row("a=y & b=3", 0.005),
        row("a=x", 0.5),
    ]
    found = heatmap(rows, "auc", "AUC", "d", "a", "b")
    assert found is not None
    assert found.columns == ["1", "2", "3"]
    texts = [[cell.text for cell in one.cells] for one in found.rows]
    assert texts == [["+0.040", "-0.020", "no rows"], ["+0.010", "no rows", "+0.005"]]
    kinds = [[cell.kind for cell in one.cells] for one in found.rows]
    assert kinds == [["up", "down", "none"], ["none", "none", "open"]], "what is not shown to differ has no colour"
    assert [cell.part for cell in found.rows[0].cells] == [40, 20, 0], "the colour is as strong as the difference"
    assert heatmap(rows, "auc", "AUC", "d", "a", "c") is None


def test_ticks_are_round_numbers_on_the_scale() -> None:
    found = forest([row("overall", 0.02), row("a=1", -0.02)], "auc", "AUC", "d")
    assert [number for _, number in found.ticks] == ["-0.02", "0", "+0.02"]
    assert [place for place, _ in found.ticks][1] == found.zero


def test_crosses_can_be_left_out() -> None:
    rows = [row("overall", 0.02), row("a=1", 0.01), row("a=1 & b=2", 0.01), row("a=1 & b=2 & c=3", 0.01)]
    assert [len(forest(rows, "auc", "AUC", "d", cross=depth).bars) for depth in (1, 2, 3)] == [2, 3, 4]


def test_a_segment_is_drawn_over_datasets_in_their_order() -> None:
    rows = [
        msgspec.structs.replace(row(name, 0.01), dataset=when)
        for when in ("july", "april")
        for name in ("overall", "a=1")
    ]
    found = forest_of_datasets(rows, "auc", "AUC", "a=1")
    assert [bar.segment for bar in found.bars] == ["july", "april"]
    assert found.names == "Dataset"


def test_gaps_are_drawn_with_their_bound() -> None:
    labels = np.tile([0.0, 0.0, 0.0, 1.0], 300)
    groups = np.repeat(["a", "b", "c"], [590, 600, 10])
    scores = np.where((groups == "a") & (np.arange(1200) % 8 == 0), 0.9, 0.1)
    profile = Profile.build(
        labels=labels, scores={"m": scores}, segments={"g": groups}, units=None, thresholds={"m": 0.5}
    )
    gaps = group_gaps(profile, "m", "fpr", "g", gap=0.05, reference="b")
    found = forest_of_gaps(gaps)
    assert found.title == "False positive rate: difference to g=b"
    assert [(bar.segment, bar.kind) for bar in found.bars] == [("g=a", "worse"), ("g=c", "open")]
    assert found.zero == pytest.approx(sum(found.limits) / 2, abs=0.01)
    assert found.bars[1].interval == "too small"


def alone(segment: str, value: float, half: float = 0.01) -> EvaluationRow:
    return msgspec.structs.replace(row(segment, None), value=value, low=value - half, high=value + half)


def test_values_are_coloured_from_the_smallest_and_signed_ones_from_zero() -> None:
    rows = [alone("a=x & b=1", 0.2), alone("a=x & b=2", 0.005), alone("a=x & b=3", -0.1)]
    plain, signed = (heatmap(rows, "auc", "AUC", "d", "a", "b", signed=signed) for signed in (False, True))
    assert plain is not None
    assert signed is not None
    assert [cell.text for cell in plain.rows[0].cells] == ["0.200", "0.005", "-0.100"]
    assert [cell.part for cell in plain.rows[0].cells] == [40, 14, 0]
    assert [(cell.kind, cell.part) for cell in signed.rows[0].cells] == [("up", 40), ("open", 0), ("down", 20)]
