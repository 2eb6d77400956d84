import io
import math
from collections.abc import Sequence

import pytest
from rich.console import Console

from assay.cli.comparison import comparison, difference, sparkline
from assay.record.sqlstore import SqlStore
from assay.record.tracking.comparing import compare, diff
from assay.record.tracking.metrics import points_of
from assay.record.tracking.run_changes import log
from assay.record.tracking.runs import start_run


@pytest.mark.parametrize(
    ("values", "ends", "shown"),
    [
        ([0.0, 0.5, 1.0], (0.0, 1.0), "▁▅█"),
        ([2.0, 2.0], (2.0, 2.0), "▄▄"),
        ([0.0, math.nan, math.inf, 1.0], (0.0, 1.0), "▁··█"),
        ([], (0.0, 0.0), ""),
    ],
)
def test_a_course_is_a_line_of_blocks(values: Sequence[float], ends: tuple[float, float], shown: str) -> None:
    assert sparkline(values, *ends) == shown


def test_runs_side_by_side_in_a_terminal(store: SqlStore) -> None:
    ids = []
    for rate, losses in (("0.1", [3.0, 2.0, 1.0]), ("0.2", [3.0, 1.0, 2.0])):
        with start_run(store, "churn", f"rate {rate}") as run:
            run.params({"rate": rate, "depth": 3})
            log(store, run.run_id, metrics={"loss": points_of([(s, s, v) for s, v in enumerate(losses)])})
        ids.append(run.run_id)
    console = Console(file=io.StringIO(), width=120)
    console.print(comparison(compare(store, ids)))
    console.print(difference(diff(store, *ids)))
    said = console.file.getvalue()  # type: ignore[attr-defined] # it is the StringIO above
    for text in (ids[0][:8], ids[1][:8], "rate 0.1", "█▅▁", "█▁▅", "1 params, metrics and tags are the same"):
        assert text in said
    assert "depth" not in said
    assert "before" in said
