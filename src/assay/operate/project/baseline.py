"""What any model has to beat: trained on the same rows, beside every candidate."""

import numpy as np
import pyarrow as pa

from assay.build.steps.step import step
from assay.build.training.baselines import baselines_for
from assay.build.training.labels import Labels, labels_like
from assay.build.training.scores import scores_of
from assay.build.training.train import TrainedModel
from assay.operate.project.settings import ProjectFile
from assay.operate.project.tables import Prepared

__all__ = ["SIMPLEST", "baselines_of", "scores_beside"]

SIMPLEST = ("majority", "mean")  # knows nothing: the first version of every model


def baselines_of(project: ProjectFile, ready: Prepared) -> dict[str, TrainedModel]:
    """Models that need no thought, by name: the simplest first, then a regression, and the last label where time is."""
    time = project.split.by[0] if project.split.how == "time" else None
    classes = project.model.task != "regression"
    return train_baselines(ready.parts.train, project.data.label, ready.features, classes, time)


@step
def train_baselines(
    table: pa.Table, label: str, features: list[str], classes: bool, time: str | None
) -> dict[str, TrainedModel]:
    """See `assay.build.baselines_for`."""
    return baselines_for(table, label=label, features=features, classes=classes, time=time)


def scores_beside(models: dict[str, TrainedModel], table: pa.Table, label: str) -> dict[str, dict[str, float]]:
    """A few numbers of each model on rows that taught none of them."""
    found = {}
    for name, model in models.items():
        known = Labels(model.task, np.empty(0), model.classes, np.empty(0, bool))
        labels = labels_like(known, table, label)
        found[name] = scores_of(model.answer_table(table.filter(pa.array(labels.kept))), labels)
    return found
