"""Steps in SQL."""

from pathlib import Path

import pyarrow as pa
import pytest

from assay.errors import InvalidInput
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.project.sql import run_sql_steps
from assay.record.store import Store
from assay.record.tracking.runs import show_run, start_run

TABLE = pa.table({"x": [1, 2, 3], "y": [0, 1, 0]})


def project(folder: Path, *steps: str) -> ProjectFile:
    (folder / "assay.toml").write_text(
        'name = "p"\n[data]\nsource = "p.csv"\nlabel = "y"\n[model]\ntask = "binary"\nestimator = "linear"\n'
        "[policy.metrics.brier]\nmargin = 0.1\n"
        + "".join(f'[[steps]]\nname = "s{number}"\nsql = """{sql}"""\n' for number, sql in enumerate(steps))
    )
    return load_project(folder)


def test_each_step_sees_those_before_it_and_the_last_is_learned_from(tmp_path: Path) -> None:
    file = project(
        tmp_path, "select x, x * 2 as twice, y from data", "select s0.*, data.x + 1 as more from s0 join data using (x)"
    )
    assert run_sql_steps(file, TABLE).sort_by("x").to_pydict() == {
        "x": [1, 2, 3],
        "twice": [2, 4, 6],
        "y": [0, 1, 0],
        "more": [2, 3, 4],
    }
    assert run_sql_steps(project(tmp_path), TABLE) is TABLE


def test_a_step_is_remembered_until_its_sql_or_its_data_changes(tmp_path: Path, store: Store) -> None:
    def states(sql: str, table: pa.Table) -> list[str]:
        with start_run(store, "e") as run:
            run_sql_steps(project(tmp_path, sql), table)
        return [step.state for step in show_run(store, run.run_id).steps]

    assert states("select x, y from data", TABLE) == ["done"]
    assert states("select x, y from data", TABLE) == ["cached"]
    assert states("select y, x from data", TABLE) == ["done"]
    assert states("select x, y from data", TABLE.slice(1)) == ["done"]


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("selec x from data", "step 's0' cannot be run: Parser Error"),
        ("select z from data", "step 's0' cannot be run: Binder Error"),
        ("select * from dat", "step 's0' cannot be run: Catalog Error"),
        ("select * from read_csv('/etc/passwd')", "step 's0' cannot be run: Permission Error"),
        ("select * from data where x > 9", "step 's0' leaves no rows"),
    ],
)
def test_sql_that_cannot_be_run_is_told_with_its_line(sql: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        run_sql_steps(project(tmp_path, sql), TABLE)
    assert caught.value.what.startswith(what)
    assert caught.value.where == "assay.toml, line 12: steps[1].sql"
