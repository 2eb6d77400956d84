"""`assay.toml`: what a project is made of. Read whole and checked before anything runs."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operate.monitors.definition import Definition, check_definition
from assay.operate.online_tests.metric_files import TestsPart
from assay.operate.project.alert_rules import AlertRulesPart, check_alert_rules
from assay.operate.releases.rules import Rules, read_rules
from assay.operate.releases.strategy import parse_strategy
from assay.operate.triggers.definition import TriggerDefinition, check_trigger
from assay.prove.approvals.policy import check_policy_words
from assay.prove.policy import Policy, check_margins, check_policy
from assay.record.lengths import checked_length
from assay.record.location import PROJECT_FILE, find_project
from assay.record.models.registered_models import check_model_name
from assay.record.toml_text import parse_toml, place, read_text

__all__ = [
    "ApprovalPart",
    "Data",
    "ModelPart",
    "ProjectFile",
    "ReleasePart",
    "RetrainingPart",
    "SearchPart",
    "SplitPart",
    "SqlStep",
    "StalenessPart",
    "load_project",
]

Tasks = Literal["binary", "multiclass", "regression"]


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where rows come from. `source` is what `assay.source` reads, `options` what it takes besides.

    `label` is the column to be predicted, `positive` its value that counts as 1 where there are two; `ignore` are
    columns that no model may learn from, such as ids; `unit` those that say which rows belong together, such as a day
    or a customer: only such units are independent. `owner` is told when the rows are broken.
    """

    source: str
    label: str
    positive: str | int | float | bool | None = None
    ignore: list[str] = []
    unit: list[str] = []
    options: dict[str, Any] = {}
    owner: str | None = None


class SqlStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table out of those before it, by SQL. The first is called `data`; the last one is learned from."""

    name: str
    sql: str


class SplitPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows judge: a share `test` of them, or by time also a length such as `14d`, the last of them.

    `by` are the columns of the time, the group or the strata; by default the label's.
    """

    how: Literal["random", "stratified", "group", "time"] = "random"
    test: float | str = 0.25
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


class ReleasePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a candidate that the loop has trained goes live: steps as `assay release` takes them, and its rules.

    `direct` promotes at once; `rules` is a TOML file of guardrails beside the project file. With `approval` it waits
    for a person who says yes. A champion that is proven worse than the one before it, within `rollback_within` of its
    promotion, is taken back; with "0d" none is.
    """

    strategy: str = "shadow,canary:1,5,25,50"
    rules: str | None = None
    approval: bool = False
    rollback_within: str = "30d"


class ApprovalPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who has to agree before a version goes live, as `assay approve policy` takes it: the risk tier, for how long.

    With `one_person` a team of one waits for `delay` instead, as long as nobody else can agree.
    """

    tier: str
    days: int | None = None
    one_person: bool | None = None
    delay: str | None = None


class RetrainingPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked before a training is paid for.

    With `estimate_gain` a cheap model tells what fresh rows are worth; where that is proven to be less than
    `least_gain` (a Brier score, or an absolute error), nothing is trained. Who trains by hand is not kept back.
    """

    estimate_gain: bool = True
    least_gain: float = 0.0


class StalenessPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the staleness curve is measured: after each promotion, over so many `windows` of the rows that teach.

    `share` of these rows teach the model that grows old. With `training` (what a training costs), `loss` (what a loss
    of 1 costs per prediction) and `predictions` per day it also says how often to train; `success` is the chance that
    a candidate is let through.
    """

    windows: int = 5
    share: float = 0.5
    training: float | None = None
    loss: float | None = None
    predictions: float | None = None
    success: float = 1.0


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
    monitors: dict[str, Definition] = {}
    triggers: dict[str, TriggerDefinition] = {}
    release: ReleasePart = ReleasePart()
    retraining: RetrainingPart = RetrainingPart()
    staleness: StalenessPart | None = None
    alert_rules: AlertRulesPart | None = None
    approval: ApprovalPart | None = None


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
    monitors: dict[str, Definition]
    triggers: dict[str, TriggerDefinition]
    release: ReleasePart
    retraining: RetrainingPart
    staleness: StalenessPart | None
    alert_rules: AlertRulesPart | None
    approval: ApprovalPart | None

    @property
    def model_name(self) -> str:
        """What versions are registered under."""
        return self.model.name or self.name

    def rules(self) -> Rules:
        """The guardrails of releases, with file and line in errors about them."""
        return read_rules(self.folder / self.release.rules) if self.release.rules else Rules()

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
    for name, monitor in project.monitors.items():
        check_definition(monitor, project.where("monitors", name))
    for name, trigger in project.triggers.items():
        check_trigger(trigger, project.where("triggers", name))
    try:
        parse_strategy(project.release.strategy)
    except InvalidInput as error:
        raise error.at(project.where("release", "strategy")) from error
    for keys, wrong in check_alert_rules(project.alert_rules) if project.alert_rules is not None else ():
        raise wrong.at(project.where("alert_rules", *keys))
    where = project.where("release", "rollback_within")
    checked_length(project.release.rollback_within, "rollback_within", where=where)
    if (asked := project.approval) is not None:
        check_policy_words(asked.tier, asked.days, asked.delay, project.where("approval"))
    _check_staleness(project)
    model, split = project.model, project.split
    check_model_name(project.model_name)
    if (model.code is None) == (model.estimator is None):
        raise InvalidInput(
            "the model has neither code nor an estimator" if model.code is None else "the model has two sources",
            where=project.where("model"),
            expected='code = "pipeline.py", or estimator = "linear"',
        )
    _check_test(project)
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


def _check_test(project: ProjectFile) -> None:
    test, where = project.split.test, project.where("split", "test")
    if isinstance(test, str):
        if project.split.how != "time":
            raise InvalidInput(f"test is {test!r}", where=where, expected='a share between 0 and 1, or how = "time"')
        checked_length(test, "test", where=where, zero=False)
    elif not 0 < test < 1:
        raise InvalidInput(f"test is {test:g}", where=where, expected="a share between 0 and 1")


def _check_staleness(project: ProjectFile) -> None:
    part = project.staleness
    if part is None:
        return
    if project.split.how != "time":
        raise InvalidInput(
            "staleness is a matter of time, and the rows are not split by it",
            where=project.where("staleness"),
            expected='how = "time" in [split]',
        )
    if part.windows < 2 or not 0 < part.share < 1:
        raise InvalidInput(
            f"staleness has {part.windows} windows after a share of {part.share:g}",
            where=project.where("staleness"),
            expected="2 windows or more, and a share between 0 and 1",
        )
    costs = (part.training, part.loss, part.predictions)
    if any(one is not None and not one > 0 for one in costs) or not 0 < part.success <= 1:
        raise InvalidInput(
            "a cost of staleness is not above 0, or success is no chance",
            where=project.where("staleness"),
            expected="numbers above 0",
        )
