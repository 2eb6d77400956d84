"""What retraining would gain is told from rows that neither model saw, and only what is proven stops a training."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.operate.loop_helpers import BEGIN

from assay.operate.project.gain import gain_on
from assay.operate.project.gaps import losses_of, mean_gap
from assay.operate.project.settings import ProjectFile, load_project

FILE = """
name = "rates"

[data]
source = "rows.csv"
label = "y"
{unit}

[model]
task = "regression"
estimator = "linear"

[split]
how = "{how}"
{by}

[policy.metrics.mae]
margin = 0.1

[retraining]
least_gain = {least}
"""


def project(folder: Path, *, how: str = "time", unit: str = "", least: float = 0.0) -> ProjectFile:
    by = 'by = ["t"]' if how == "time" else ""
    (folder / "assay.toml").write_text(FILE.format(how=how, by=by, unit=unit, least=least))
    return load_project(folder)


def rows(count: int, *, slope: float, first: int = 0, seed: int = 0) -> pa.Table:
    """y is slope * x and noise; a row an hour, twenty rows a group."""
    chance = np.random.default_rng(seed)
    x = chance.normal(size=count)
    begin = BEGIN.replace(tzinfo=None)
    return pa.table(
        {
            "t": [begin + timedelta(hours=first + one) for one in range(count)],
            "group": [(first + one) // 20 for one in range(count)],
            "x": x,
            "y": slope * x + chance.normal(size=count),
        }
    )


@pytest.mark.parametrize("how", ["time", "random"])
def test_where_the_world_has_changed_fresh_rows_help(tmp_path: Path, how: str) -> None:
    before = rows(800, slope=1.0)
    now = pa.concat_tables([before, rows(800, slope=-1.0, first=800, seed=1)])
    found = gain_on(project(tmp_path, how=how), before, now, ["x"], None)
    assert found.verdict == "helps"
    assert found.value is not None
    assert found.value > 0.3
    assert found.rows < 800


def test_rows_that_the_gate_or_either_model_saw_do_not_judge(tmp_path: Path) -> None:
    before = rows(600, slope=1.0)
    same = gain_on(project(tmp_path), before, before, ["x"], None)
    assert (same.verdict, same.words) == ("unclear", "only 0 fresh rows to judge by")


def test_it_stops_nothing_unless_proven(tmp_path: Path) -> None:
    before = rows(3000, slope=1.0)
    now = pa.concat_tables([before, rows(1500, slope=1.0, first=3000, seed=1)])
    doubtful = gain_on(project(tmp_path), before, now, ["x"], None)
    assert doubtful.verdict != "helps too little" or (doubtful.high is not None and doubtful.high < 0)
    asked = gain_on(project(tmp_path, least=0.5), before, now, ["x"], None)
    assert asked.verdict == "helps too little"
    assert asked.high is not None
    assert asked.high < 0.5


def test_rows_of_one_unit_stay_together(tmp_path: Path) -> None:
    before = rows(800, slope=1.0)
    now = pa.concat_tables([before, rows(800, slope=-1.0, first=800, seed=1)])
    found = gain_on(project(tmp_path, unit='unit = ["group"]'), before, now, ["x"], None)
    assert found.units < found.rows / 10
    alone = gain_on(project(tmp_path), before, now, ["x"], None)
    assert found.units < alone.units


def test_a_gap_over_units_is_wider_where_their_rows_hang_together() -> None:
    chance = np.random.default_rng(0)
    gaps = np.repeat(chance.normal(size=40), 25)
    table = pa.table({"unit": np.repeat(np.arange(40), 25)})
    alone, rows_alone = mean_gap(gaps, table, [])
    together, units = mean_gap(gaps, table, ["unit"])
    assert (rows_alone, units) == (1000, 40)
    assert together.standard_error == pytest.approx(5 * alone.standard_error, rel=0.05)


def test_losses_are_brier_scores_and_absolute_errors() -> None:
    class Says:
        classes: tuple[object, ...] = ("no", "yes")

        def answer_table(self, table: pa.Table) -> np.ndarray:
            return np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])

    truth = pa.table({"y": ["yes", "yes", "maybe"]})
    lost = losses_of(Says(), truth, "y")  # type: ignore[arg-type] # answers as a model does
    assert lost.tolist() == pytest.approx([0.0625, 1.0, 0.75])

    class Numbers:
        classes: tuple[object, ...] = ()

        def answer_table(self, table: pa.Table) -> np.ndarray:
            return np.array([1.0, 5.0])

    assert losses_of(Numbers(), pa.table({"y": [2, 2]}), "y").tolist() == [1.0, 3.0]  # type: ignore[arg-type]
