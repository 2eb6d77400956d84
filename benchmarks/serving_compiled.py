"""One row and 32 rows by compiled forms and by the estimators themselves, and what checking a row of a request costs.

python -m benchmarks.serving_compiled --rounds 5
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from benchmarks.measured import say
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from assay.build.models.compiled.parity import as_tuples
from assay.build.models.compiling import report_of
from assay.build.models.inputs import matrix
from assay.build.models.packaging import load_model, package_model
from assay.build.models.served_model import load_to_serve
from assay.operate.serving.inputs import Inputs
from assay.record.location import open_store
from assay.record.models.registry import find_version
from assay.record.store import Store
from assay.record.tracking.runs import start_run

COLUMNS = 20
ROWS = 5000
ESTIMATORS: dict[str, Any] = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "boosting": HistGradientBoostingClassifier(max_iter=100, early_stopping=False),
    "forest": RandomForestClassifier(100, min_samples_leaf=5, n_jobs=1),
}
_LOAD = """
import sys, time
began = time.perf_counter()
from assay.build.models.{module} import {load}
from assay.record.location import open_store
from assay.record.models.registry import find_version
imported = time.perf_counter()
store = open_store(sys.argv[1])
model = {load}(store, find_version(store, sys.argv[2], 1))
print(time.perf_counter() - imported, imported - began)
"""


def table() -> pa.Table:
    """Numbers, and a class that depends on some of them."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=(ROWS, COLUMNS))
    late = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + random.normal(size=ROWS) > 0
    names = [f"x{place}" for place in range(COLUMNS)]
    return pa.table([*numbers.T, late.astype(np.int8)], names=[*names, "late"])


def micros(call: Callable[[], object], rounds: int) -> float:
    """Of one call, the best round."""
    call()
    timer = timeit.Timer(call)
    number = max(1, int(0.05 / max(timer.timeit(1), 1e-6)))
    return min(timer.repeat(rounds, number)) / number * 1e6


def seconds_to_load(folder: Path, model: str, module: str, load: str) -> float:
    """Importing and loading in a process of its own."""
    code = _LOAD.format(module=module, load=load)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, str(folder), model]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return sum(map(float, said.stdout.split()))


def compare(store: Store, folder: Path, name: str, rounds: int) -> None:
    """One estimator."""
    version = find_version(store, name, 1)
    native, served = load_model(store, version), load_to_serve(store, version)
    report = report_of(store, version)
    assert report is not None
    assert report.parity is not None
    rows = matrix(table(), [one.name for one in native.columns])[:32]
    tuples = as_tuples(rows)
    timed: dict[str, Any] = {
        "native_us": micros(lambda: native.answers(rows[:1]), rounds),
        "compiled_us": micros(lambda: served.answer_rows(tuples[:1]), rounds),
        "native_32_us": micros(lambda: native.answers(rows), rounds),
        "compiled_32_us": micros(lambda: served.answer_rows(tuples), rounds),
    }
    loads = [
        min(seconds_to_load(folder, name, *how) for _ in range(min(rounds, 3)))
        for how in (("packaging", "load_model"), ("served_model", "load_to_serve"))
    ]
    say(
        f"one row compiled over native: {name}",
        0.1,
        timed["compiled_us"] / timed["native_us"],
        **timed,
        difference=report.parity.difference,
        flips=report.parity.flips,
        native_import_and_load_s=loads[0],
        compiled_import_and_load_s=loads[1],
    )


def checks(store: Store, rounds: int) -> None:
    """What it costs to read a row with all checks, over reading plain JSON."""
    model = load_model(store, find_version(store, "logistic", 1))
    inputs = Inputs(model)
    row = dict(zip([one.name for one in model.columns], model.example[0], strict=True))
    good = json.dumps({"rows": [row], "ids": ["a"]}).encode()
    flagged = json.dumps({"rows": [{**row, "x7": 1e6}], "ids": ["a"]}).encode()
    assert inputs.read(good).flags is None
    assert inputs.read(flagged).flags == [{"x7": "out_of_range"}]
    numbers = np.array([list(row.values())], dtype=np.float64)
    many = np.concatenate([numbers] * 1000)
    columns = {name: [value] for name, value in row.items()}
    say(
        f"microseconds to read and check a row of {COLUMNS} columns",
        10.0,
        micros(lambda: inputs.read(good), rounds),
        plain_json_us=micros(lambda: json.loads(good), rounds),
        flagged_us=micros(lambda: inputs.read(flagged), rounds),
        columns_us=micros(lambda: inputs.check(columns), rounds),
        matrix_us=micros(lambda: inputs.check(matrix=numbers), rounds),
        matrix_of_1000_us=micros(lambda: inputs.check(matrix=many), rounds),
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    data = table()
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(limits=1):
        store = open_store(Path(temporary))
        names = data.column_names[:COLUMNS]
        X, y = matrix(data, names).astype(np.float64), data["late"].to_numpy()
        with start_run(store, "compiled") as run:
            for name, estimator in ESTIMATORS.items():
                package_model(store, name, estimator.fit(X, y), data, names, run=run)
        for name in ESTIMATORS:
            compare(store, Path(temporary), name, rounds)
        checks(store, rounds)
        store.close()


if __name__ == "__main__":
    main()
