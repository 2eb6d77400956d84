"""The model as a user of the peers has it: a file of joblib, asked in the order of its columns."""

import os
from collections.abc import Mapping, Sequence

import joblib
import numpy as np

__all__ = ["NAMES", "TEXTS", "Model"]

NAMES = os.environ["COLUMNS"].split(",")
TEXTS = os.environ["TEXT_COLUMNS"].split(",")


class Model:
    """The pipeline of scikit-learn from the file of the variable MODEL."""

    def __init__(self) -> None:
        self.pipeline = joblib.load(os.environ["MODEL"])

    def probabilities(self, rows: Sequence[Mapping[str, object]]) -> list[float]:
        """Of each row."""
        matrix = np.array([[row[name] for name in NAMES] for row in rows], dtype=object)
        numbers: list[float] = self.pipeline.predict_proba(matrix)[:, 1].tolist()
        return numbers
