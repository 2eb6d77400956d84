"""What any model has to beat: trained on the same rows, beside every candidate."""

import pyarrow as pa

from assay.build.data.columns import column
from assay.build.steps.step import step
from assay.build.training.baselines import baselines_for
from assay.build.training.scores import scores_of
from assay.build.training.train import TrainedModel, fit
from assay.operate.project.looking import is_prose
from assay.operate.project.settings import ProjectFile
from assay.operate.project.tables import Prepared

__all__ = ["SIMPLEST", "baselines_of", "scores_beside"]

_MOST_COLUMNS = 200
SIMPLEST = ("majority", "mean")  # knows nothing: the first version of every model


def baselines_of(project: ProjectFile, ready: Prepared) -> dict[str, TrainedModel]:
    """Models that need no thought, by name: the simplest first, then a regression, and the last label where time is.

    A regression learns nothing from prose, where every text would be a category of its own, and hundreds of columns
    such as pixels would take it longer than the model it stands beside.
    """
    time = project.split.by[0] if project.split.how == "time" else None
    classes = project.model.task != "regression"
    plain = [name for name in ready.features if not is_prose(column(ready.parts.train, name))]
    plain = plain if len(plain) <= _MOST_COLUMNS else []
    return train_baselines(ready.parts.train, project.data.label, plain, ready.features, classes, time)


@step
def train_baselines(
    table: pa.Table, label: str, plain: list[str], features: list[str], classes: bool, time: str | None
) -> dict[str, TrainedModel]:
    """See `assay.build.baselines_for`; where no feature is plain, what looks at none of them alone."""
    if plain:
        return baselines_for(table, label=label, features=plain, classes=classes, time=time)
    from sklearn.dummy import DummyClassifier, DummyRegressor

    name, estimator = ("majority", DummyClassifier(strategy="prior")) if classes else ("mean", DummyRegressor())
    return {name: fit(estimator, table, label=label, features=features, positive=None, prepare="none", name=name)[0]}


def scores_beside(models: dict[str, TrainedModel], table: pa.Table, label: str) -> dict[str, dict[str, float]]:
    """A few numbers of each model on rows that taught none of them."""
    return {name: scores_of(*model.answers_and_labels(table, label)) for name, model in models.items()}
