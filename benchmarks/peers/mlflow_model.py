"""The model as a folder that `mlflow models serve` takes, with the signature of its columns.

python -m benchmarks.peers.mlflow_model FOLDER < rows.json
"""

import json
import logging
import sys

import mlflow.sklearn
import pandas as pd
from benchmarks.peers.model import NAMES, Model
from mlflow.models import infer_signature

if __name__ == "__main__":
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    rows = pd.DataFrame(json.load(sys.stdin))[NAMES]
    pipeline = Model().pipeline
    mlflow.sklearn.save_model(
        pipeline,
        sys.argv[1],
        signature=infer_signature(rows, pipeline.predict_proba(rows)),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )
