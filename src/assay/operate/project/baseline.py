"""What knows nothing: every project's first version, which any model has to beat."""

import pyarrow as pa

from assay.build.steps.step import step
from assay.build.training.train import train
from assay.operate.project.candidate import Prepared, register_once
from assay.operate.project.settings import ProjectFile
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.record.tracking.runs import Run

__all__ = ["baseline_of"]


def baseline_of(store: Store, project: ProjectFile, ready: Prepared, run: Run) -> ModelVersion:
    """The version that answers the same for everybody: how often each class comes, or the mean."""
    numbers = project.model.task == "regression"
    model = train_baseline(ready.parts.train, project.data.label, ready.features, numbers)
    said = "the mean for everybody" if numbers else "how often each class comes, for everybody"
    version, _ = register_once(store, project, model, ready, run=run, description=said)
    return version


@step
def train_baseline(table: pa.Table, label: str, features: list[str], numbers: bool) -> object:
    """A model that looks at no feature."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    estimator = DummyRegressor() if numbers else DummyClassifier(strategy="prior")
    return train(estimator, table, label=label, features=features, name="baseline")
