"""The fairness report: published counts, who is affected, and what is printed."""

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import InvalidInput
from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.gate import gate
from assay.prove.group_table import FairnessRow, FairnessTable, fairness
from assay.prove.policy import Bound, Policy

# ProPublica's counts for COMPAS, decile 5 and above: TN, FP, FN, TP.
COMPAS = {"African-American": (990, 805, 532, 1369), "Caucasian": (1139, 349, 461, 505)}


def of_counts(groups: dict[str, tuple[int, int, int, int]]) -> Evaluation:
    kinds = np.concatenate([np.repeat(np.arange(4), counts) for counts in groups.values()])
    table = pa.table(
        {
            "label": np.isin(kinds, (2, 3)).astype(int),
            "score": np.where(np.isin(kinds, (1, 3)), 0.9, 0.1),
            "race": np.repeat(list(groups), [sum(counts) for counts in groups.values()]),
        }
    )
    return evaluate("score", table, label="label", segments=["race"])


def row_of(table: FairnessTable, group: str, metric: str) -> FairnessRow:
    (found,) = (row for row in table.rows if (row.group, row.metric) == (f"race={group}", metric))
    return found


def test_the_published_rates_of_compas_with_their_gap_ratio_and_who_is_affected() -> None:
    table = fairness(of_counts(COMPAS), "race", ratio=0.8)
    black, white = (row_of(table, group, "fpr") for group in COMPAS)
    assert (black.is_reference, white.is_reference) == (True, False)
    assert (round(100 * (black.value or 0), 2), round(100 * (white.value or 0), 2)) == (44.85, 23.45)
    assert white.gap == pytest.approx(349 / 1488 - 805 / 1795)
    assert white.ratio == pytest.approx(349 / 1488 / (805 / 1795))
    assert white.ratio_low is not None
    assert white.ratio_high is not None
    assert white.ratio_low < (white.ratio or 0) < white.ratio_high
    assert white.affected == pytest.approx((805 / 1795 - 349 / 1488) * 1488)
    assert white.verdict == "fail"
    assert (white.p_holm or 0) >= (white.p or 1)
    everybody = fairness(of_counts({"all": (2681, 1282, 1216, 2035), "none": (10, 10, 10, 10)}), "race")
    assert row_of(everybody, "all", "fpr").value == 1282 / (1282 + 2681)
    assert row_of(everybody, "all", "recall").value == 2035 / (2035 + 1216)


def test_a_row_for_each_rate_and_group_the_reference_first() -> None:
    table = fairness(of_counts(COMPAS), "race", reference="Caucasian")
    assert len(table) == 5 * 2
    assert [row.group for row in table.rows[:2]] == ["race=Caucasian", "race=African-American"]
    assert all(row.verdict is None for row in table.rows)
    calibration = row_of(table, "African-American", "calibration_in_the_large")
    assert calibration.ratio is None
    assert calibration.gap is not None
    assert table.to_frame().num_rows == len(table)
    assert "race=Caucasian (reference)" in str(table)
    assert repr(table) == str(table)
    assert table._repr_html_().count("<tr>") == 1 + len(table)


def test_a_small_group_says_that_it_is_small() -> None:
    table = fairness(of_counts({**COMPAS, "Other": (3, 2, 1, 1)}), "race", gap=0.05)
    small = row_of(table, "Other", "fpr")
    assert (small.verdict, small.gap_low, small.p) == ("inconclusive", None, 1.0)
    assert small.rows_needed is not None


def test_the_picture_has_a_forest_for_each_rate_and_colours_what_is_proven() -> None:
    html = fairness(of_counts(COMPAS), "race").plot().html
    assert html.count("<caption>") == 5
    assert "race=African-American (reference)" in html
    assert 'class="dot worse"' in html


def test_the_page_of_an_evaluation_shows_the_groups_that_a_policy_bounds() -> None:
    evaluation = of_counts(COMPAS)
    policy = Policy(name="fair", fairness={"race": {"fpr": Bound(ratio=0.8), "equalised_odds": Bound(gap=0.1)}})
    html = evaluation.to_html(gate(evaluation, policy))
    assert "Groups against each other" in html
    assert html.count("<td>equalised_odds</td>") == 1
    assert "Groups against each other" not in evaluation.to_html()


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(InvalidInput, match="no segment column 'rase'") as raised:
        fairness(of_counts(COMPAS), "rase")
    assert raised.value.hint == "race"
    with pytest.raises(InvalidInput, match="no row has race=White"):
        fairness(of_counts(COMPAS), "race", reference="White")
    with pytest.raises(InvalidInput, match="no model 'baseline'"):
        fairness(of_counts(COMPAS), "race", model="baseline")
    with pytest.raises(InvalidInput, match="need one bound"):
        fairness(of_counts(COMPAS), "race", gap=0.1, ratio=0.8)
