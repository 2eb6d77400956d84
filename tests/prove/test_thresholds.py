"""The threshold explorer: a table of rates by threshold and group, for eyes and for programs."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import InvalidInput
from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.thresholds import thresholds
from assay.stats import estimate_all

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def evaluated(n: int = 3000) -> Evaluation:
    generator = np.random.default_rng(1)
    sex = generator.choice(["f", "m"], n, p=[0.6, 0.4])
    score = np.clip(generator.beta(2, 3, n) + 0.1 * (sex == "m"), 0, 1)
    table = pa.table({"label": generator.random(n) < score, "score": score, "sex": sex}).set_column(
        0, "label", pa.array((generator.random(n) < score).astype(int))
    )
    return evaluate("score", table, label="label", segments=["sex"], threshold=0.4)


def test_at_the_evaluations_threshold_the_rates_are_those_of_its_table() -> None:
    evaluation = evaluated()
    own = [row for row in thresholds(evaluation, "sex").rows if row.own]
    assert {row.threshold for row in own} == {0.4}
    for row in own:
        estimates = estimate_all(evaluation.profile, "candidate", row.metric)
        place = [segment.name for segment in evaluation.profile.segments].index(row.group)
        found = estimates.at(place)
        assert (row.value, row.low, row.high) == (found.value, found.low, found.high)


def test_a_row_for_each_threshold_group_and_rate() -> None:
    table = thresholds(evaluated(), "sex", [0.25, 0.75])
    assert len(table) == 3 * 2 * 5
    frame = table.to_frame()
    assert frame.schema.field("own").type == pa.bool_()
    assert frame.column("threshold").unique().to_pylist() == [0.25, 0.4, 0.75]
    text = str(table)
    assert text == repr(table)
    assert "0.4 *" in text
    assert table._repr_html_().startswith("<table>")


def test_the_picture_has_a_line_for_each_group_and_all_numbers_beside_it() -> None:
    table = thresholds(evaluated(), "sex", points=9)
    html = table.plot().html
    assert html.count("<polyline") == 5 * 2
    assert html.count('role="img"') == html.count("<desc") == 5
    assert html.count("<tr") == 1 + len(table)
    assert "sex=f from " in html


def test_a_column_that_was_not_evaluated_is_told() -> None:
    with pytest.raises(InvalidInput, match="no segment column 'race'"):
        thresholds(evaluated(200), "race")
    with pytest.raises(InvalidInput, match="no model 'baseline'"):
        thresholds(evaluated(200), "sex", model="baseline")


@pytest.mark.browser
@pytest.mark.parametrize(("width", "theme"), [(400, "dark"), (1280, "light")])
def test_axe_finds_nothing_in_the_picture_and_it_fits(
    browser: "Browser", width: int, theme: str, tmp_path: Path
) -> None:
    from tests.page_browser import ANY_IMPACT, fits, grave, opened

    thresholds(evaluated(), "sex", points=9).plot().save(tmp_path / "plot.html")
    with opened(browser, (tmp_path / "plot.html").as_uri(), width=width, theme=theme) as page:
        assert grave(page, ANY_IMPACT) == []
        assert fits(page)
