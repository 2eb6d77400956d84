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

import lightgbm
import numpy as np
import onnxruntime
import pyarrow as pa
from benchmarks.measured import say
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier

from assay.build.models.compiled.features import raw_features
from assay.build.models.compiled.parity import as_tuples
from assay.build.models.compiled.sklearn_trees import trees_of
from assay.build.models.compiled.trees import trees_form
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
    "lightgbm": LGBMClassifier(n_estimators=100, num_threads=1, verbose=-1),
    "lightgbm in a pipeline": make_pipeline(StandardScaler(), LGBMClassifier(n_estimators=100, n_jobs=1, verbose=-1)),
    "xgboost": XGBClassifier(n_estimators=100, nthread=1),
    "xgboost in a pipeline": make_pipeline(StandardScaler(), XGBClassifier(n_estimators=100, n_jobs=1)),
}
TARGETS = {"lightgbm": 1.0, "xgboost": 1.0}  # where scikit-learn is not asked: not slower, and no library to load
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
    version = find_version(store, name.replace(" ", "-"), 1)
    native, served = load_model(store, version), load_to_serve(store, version)
    report = report_of(store, version)
    assert report is not None
    assert report.outcome == "compiled", report.reason
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
        min(seconds_to_load(folder, version.model, *how) for _ in range(min(rounds, 3)))
        for how in (("packaging", "load_model"), ("served_model", "load_to_serve"))
    ]
    say(
        f"one row compiled over native: {name}",
        TARGETS.get(name, 0.1),
        timed["compiled_us"] / timed["native_us"],
        **timed,
        difference=report.parity.difference,
        flips=report.parity.flips,
        borders=report.parity.border,
        size_bytes=report.size,
        native_import_and_load_s=loads[0],
        compiled_import_and_load_s=loads[1],
    )


def runtimes(store: Store, X: NDArray[np.float64], y: NDArray[Any], rounds: int) -> None:
    """One prediction of the gradient boosting by each way to have it, but for Assay's from a matrix that is ready.

    LightGBM has as many trees of as many leaves on the same table, ONNX Runtime the graph that Assay compiles: skl2onnx
    1.20 converts no gradient boosting of scikit-learn 1.9.
    """
    estimator, row = ESTIMATORS["boosting"], np.ascontiguousarray(X[:1])
    served, tuples = load_to_serve(store, find_version(store, "boosting", 1)), as_tuples(row.astype(object))
    booster = lightgbm.train(
        {"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, y), 100
    )
    form = trees_form(trees_of(estimator, raw_features(served.columns)))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(form.graph, options)
    calls: dict[str, Callable[[], object]] = {
        "Assay": lambda: served.answer_rows(tuples),
        "scikit-learn": lambda: estimator.predict_proba(row),
        "LightGBM": lambda: booster.predict(row, num_threads=1),
        "ONNX Runtime": lambda: session.run(None, {"rows": row}),
    }
    for name, call in calls.items():
        say(f"microseconds of one prediction: {name}", None, micros(call, rounds))


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
                package_model(store, name.replace(" ", "-"), estimator.fit(X, y), data, names, run=run, compile=True)
        for name in ESTIMATORS:
            compare(store, Path(temporary), name, rounds)
        runtimes(store, X, y, rounds)
        checks(store, rounds)
        store.close()


if __name__ == "__main__":
    main()
