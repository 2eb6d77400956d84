"""What the project trains: boosting on what is known of a flight before it departs."""

import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier

import assay

__all__ = ["train"]


@assay.step
def train(
    table: pa.Table,
    features: list[str],
    label: str,
    seed: int,
    max_iter: int,
    learning_rate: float,
    max_leaf_nodes: int,
) -> object:
    """A fitted model; airports and carriers are its categories."""
    model = HistGradientBoostingClassifier(
        max_iter=max_iter,
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=50,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
    return assay.train(model, table, label=label, features=features)
