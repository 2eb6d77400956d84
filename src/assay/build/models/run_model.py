"""`run.model`: an estimator among the files of a run that goes on, in the layout that MLflow's clients load."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from assay.build.models.folder import save_model
from assay.build.models.inputs import signature_of
from assay.build.models.table_model import columns_for
from assay.record import tables
from assay.record.clock import Clock, iso
from assay.record.live.live_run import LiveRun, pack_models_with, run

__all__ = ["log_model", "run"]  # whoever begins a run from here can pack models in it

_EXAMPLE_ROWS = 3


def log_model(
    run: LiveRun, estimator: object, example: object, *, name: str = "model", columns: Sequence[str] | None = None
) -> str:
    """Keep an estimator with the columns it takes and three rows of the example; returns `runs:/<run id>/<name>`.

    `example` is a table (Arrow, pandas, Polars, DuckDB, or the path of a file); without `columns` the estimator takes
    all of it, and a model of `assay.train` its own. InvalidInput for an estimator that cannot be pickled, a column that
    is not there, or no number or text.
    """
    table = tables.as_table(example)
    inputs = signature_of(table, columns_for(estimator, table, columns))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        created = iso(Clock().now())
        save_model(folder, estimator, inputs, table.slice(0, _EXAMPLE_ROWS), run_id=run.run_id, created=created)
        run.artifact(folder, name)
    return f"runs:/{run.run_id}/{name}"


pack_models_with(log_model)
