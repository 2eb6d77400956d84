"""What is drawn of an evaluation is what its numbers say."""

import pytest

from assay.prove.plots import forest, heatmap
from assay.prove.rows import EvaluationRow


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
    rows = [row("a=x & b=1", 0.04), row("a=x & b=2", -0.02), row("a=y & b=1", 0.01, half=None), row("a=x", 0.5)]
    found = heatmap(rows, "auc", "AUC", "d", "a", "b")
    assert found is not None
    assert found.columns == ["1", "2"]
    assert [[cell.text for cell in one.cells] for one in found.rows] == [["+0.040", "-0.020"], ["+0.010", "no rows"]]
    assert [[cell.kind for cell in one.cells] for one in found.rows] == [["up", "down"], ["none", "none"]]
    assert [cell.part for cell in found.rows[0].cells] == [40, 20], "the colour is as strong as the difference"
    assert heatmap(rows, "auc", "AUC", "d", "a", "c") is None
