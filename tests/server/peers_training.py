"""A training as users of MLflow write it, with the whole of `mlflow`.

    python peers_training.py MODEL

Runs in the environment of `make test-peers`: autologging, registration, an alias, and the model loaded by it. Prints
what the model says about its data, as JSON.
"""

import json
import sys
import warnings

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

warnings.filterwarnings("ignore")


def main(name: str) -> None:
    data, kinds = load_iris(return_X_y=True, as_frame=True)
    mlflow.sklearn.autolog(registered_model_name=name, silent=True)
    model = LogisticRegression(max_iter=500).fit(data, kinds)
    mlflow.MlflowClient().set_registered_model_alias(name, "champion", "1")
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    print(json.dumps({"expected": model.predict(data).tolist(), "loaded": loaded.predict(data).tolist()}))


main(*sys.argv[1:])
