"""`assay.toml`: what a project is made of. Read whole and checked before anything runs."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operate.online_tests.metric_files import TestsPart
from assay.prove.policy import Policy, check_margins, check_policy
from assay.record.location import PROJECT_FILE, find_project
from assay.record.models.registered_models import check_model_name
from assay.record.toml_text import parse_toml, place, read_text

__all__ = ["Data", "ModelPart", "ProjectFile", "SearchPart", "SplitPart", "SqlStep", "load_project"]

Tasks = Literal["binary", "multiclass", "regression"]


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where rows come from. `source` is what `assay.source` reads, `options` what it takes besides.

    `label` is the column to be predicted, `positive` its value that counts as 1 where there are two; `ignore` are
    columns that no model may learn from, such as ids; `unit` those that say which rows belong together, such as a day
    or a customer: only such units are independent.
    """

    source: str
    label: str
    positive: str | int | float | bool | None = None
    ignore: list[str] = []
    unit: list[str] = []
    options: dict[str, Any] = {}


class SqlStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table out of those before it, by SQL. The first is called `data`; the last one is learned from."""

    name: str
    sql: str


class SplitPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows judge. `by` are the columns of the time, the group or the strata; by default the label's."""

    how: Literal["random", "stratified", "group", "time"] = "random"
    test: float = 0.25
    by: list[str] = []
    seed: int = 0


class ModelPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is trained: the function `train` of a file, or an estimator by name."""

    task: Tasks
    name: str | None = None
    code: str | None = None
    estimator: str | None = None


class SearchPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which params are tried: `space` by name, as `{ float = [0.01, 0.3], log = true }`, how, and until when.

    `metric` is accuracy, log_loss, auc, mae, rmse or r2; by default what suits the task. `warm_start` are searches and
    runs that the sampler learns from. All else is as `assay.search` and `assay.build.Budget` take it.
    """

    space: dict[str, dict[str, Any]]
    metric: Literal["accuracy", "log_loss", "auc", "mae", "rmse", "r2"] | None = None
    trials: int = 30
    seconds: float | None = None
    money: float | None = None
    cost_per_hour: float | None = None
    patience: int | None = None
    sampler: str = "random"
    seed: int = 0
    warm_start: list[str] = []


class _OwnPolicy(Policy, frozen=True, forbid_unknown_fields=True):
    name: str = ""  # the project's, where none is given


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    data: Data
    model: ModelPart
    policy: _OwnPolicy
    store: str | None = None
    online: str | None = None
    steps: list[SqlStep] = []
    split: SplitPart = SplitPart()
    params: dict[str, str | int | float | bool] = {}
    expectations: str | None = None
    executor: str = "threads"
    search: SearchPart | None = None
    tests: TestsPart = TestsPart()


class ProjectFile(msgspec.Struct, frozen=True):
    """A project as its file says it. `folder` is where the file is; paths in it begin there."""

    folder: Path
    file: Path
    name: str
    data: Data
    model: ModelPart
    policy: Policy
    steps: list[SqlStep]
    split: SplitPart
    params: dict[str, str | int | float | bool]
    expectations: str | None
    executor: str
    search: SearchPart | None
    tests: TestsPart

    @property
    def model_name(self) -> str:
        """What versions are registered under."""
        return self.model.name or self.name

    def where(self, *keys: str | int) -> str:
        """File, line and key, as messages say it."""
        return place(self.file.read_text(encoding="utf-8"), self.file.name, keys)


def load_project(path: str | Path | None = None) -> ProjectFile:
    """The project of a file, or of the nearest `assay.toml` here or above.

    NotFound where there is none; InvalidInput with file, line and key for what is wrong in it.
    """
    file = Path(path) if path is not None else find_project()
    if file is None:
        raise NotFound(
            f"there is no {PROJECT_FILE} here or above", where=str(Path.cwd()), hint="assay init FILE --label COLUMN"
        )
    if file.is_dir():
        file = file / PROJECT_FILE
    text = read_text(file, "project file")
    where = file.name
    check_margins(text, where, ["policy"])
    read = parse_toml(text, where, _File, "project file")
    policy = Policy(**{name: getattr(read.policy, name) for name in Policy.__struct_fields__})
    policy = msgspec.structs.replace(policy, name=policy.name or read.name)
    project = ProjectFile(
        folder=file.absolute().parent,
        file=file.absolute(),
        policy=policy,
        **{name: getattr(read, name) for name in _File.__struct_fields__ if name not in ("policy", "store", "online")},
    )
    _check(project)
    return project


def _check(project: ProjectFile) -> None:
    """What types alone do not say."""
    check_policy(project.policy, f"{project.file.name}: policy")
    model, split = project.model, project.split
    check_model_name(project.model_name)
    if (model.code is None) == (model.estimator is None):
        raise InvalidInput(
            "the model has neither code nor an estimator" if model.code is None else "the model has two sources",
            where=project.where("model"),
            expected='code = "pipeline.py", or estimator = "linear"',
        )
    if not 0 < split.test < 1:
        raise InvalidInput(
            f"test is {split.test:g}", where=project.where("split", "test"), expected="a share between 0 and 1"
        )
    if split.how in ("group", "time") and len(split.by) < 1:
        raise InvalidInput(
            f"a split by {split.how} names no column", where=project.where("split"), expected='by = ["COLUMN"]'
        )
    names = ["data"]
    for number, step in enumerate(project.steps):
        if not step.name.isidentifier() or step.name in names:
            raise InvalidInput(
                f"a step cannot be called {step.name!r}",
                where=project.where("steps", number, "name"),
                expected=f"letters, digits and _, other than {', '.join(names)}",
            )
        names.append(step.name)
    if project.data.label in project.data.ignore:
        raise InvalidInput("the label is ignored", where=project.where("data", "ignore"), expected="other columns")
