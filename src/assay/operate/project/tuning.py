"""`assay search`: params of a project, tried on rows that teach; the rows that judge are not looked at."""

import functools
from contextlib import closing
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from assay.build.data.splits import split
from assay.build.searching.budget import Budget
from assay.build.searching.scores import Scores
from assay.build.searching.search import search
from assay.build.searching.searched import Searched
from assay.build.searching.space import Params, Space, parse_space
from assay.build.searching.trial import Trial
from assay.build.steps.values import value_hash
from assay.build.training.scores import scores_of
from assay.errors import InvalidInput
from assay.operate.project.candidate import prepare, taught_name, train_model, trained
from assay.operate.project.code import check_param, function_of, load_code, params_taken
from assay.operate.project.settings import ProjectFile, SearchPart, load_project
from assay.operation import operation
from assay.record.datasets import dataset, snapshot
from assay.record.location import open_store
from assay.record.store import Store
from assay.record.tracking.runs import start_run

__all__ = ["ProjectSearch", "score_params", "search_project"]

Metric = Literal["accuracy", "log_loss", "auc", "mae", "rmse", "r2"]
_LARGER_IS_BETTER = ("accuracy", "auc", "r2")
_OF_NUMBERS = ("mae", "rmse", "r2")
_BY_TASK: dict[str, Metric] = {"binary": "log_loss", "multiclass": "accuracy", "regression": "mae"}
_SCORED = 0.25  # of the rows that teach
_NEVER = 1e-15  # what a model calls impossible costs 35, and not infinity


class ProjectSearch(msgspec.Struct, frozen=True):
    """What a search over a project's params came to. `next` is the command that trains with the best ones."""

    project: str
    metric: str
    rows: dict[str, int]
    search: Searched
    next: str


def check_search(project: str | None, trials: int | None, **_: object) -> None:
    """Refuse a wrong project or space before a store is made."""
    _asked(load_project(project))
    _check_trials(trials)


@operation("search", creates_store=True, check=check_search, local=True)
def search_project(
    store: Store,
    project: str | None = None,
    *,
    trials: Annotated[int | None, "How many trials, if not as assay.toml says"] = None,
    on: Annotated[str | None, "Where trials run, if not as assay.toml says: threads, processes, ray"] = None,
    workers: Annotated[int, "How many trials run at once"] = 1,
    resume: Annotated[str | None, "Go on with this search, by the first characters of its id"] = None,
) -> ProjectSearch:
    """Search the space in assay.toml for the params with which the project's model is best.

    Trials learn from three quarters of the rows that teach and are scored on the rest; the rows that judge are left
    for the gate. The best params are no candidate yet: `assay run --param ...` makes one.

    Raises InvalidInput with file, line and key for what is wrong in the project or its space.
    """
    settings = load_project(project)
    part, space, metric = _asked(settings)
    _check_trials(trials)
    _check_params(settings, part)
    with start_run(store, settings.name, "rows of a search", kind="data", model=settings.model_name) as run:
        ready = prepare(store, settings, run)
        kept = snapshot(store, taught_name(settings), ready.parts.train)
    objective = functools.partial(
        score_params,
        file=str(settings.file),
        store=store.location,
        rows=kept.hash,
        features=tuple(ready.features),
        metric=metric,
        code=_code(settings),
    )
    found = search(
        objective,
        space,
        store=store,
        experiment=settings.name,
        name=f"search of {settings.model_name}",
        budget=_budget(settings, part, trials),
        sampler=part.sampler,
        seed=part.seed,
        warm_start=part.warm_start,
        objectives={metric: "maximize" if metric in _LARGER_IS_BETTER else "minimize"},
        executor=on or settings.executor,
        workers=workers,
        reuse=True,
        resume=resume,
    )
    if not any(trial.state == "finished" for trial in found.trials):
        reason = next((trial.reason for trial in found.trials if trial.reason), "none was run")
        raise InvalidInput(
            f"no trial has finished: {reason.splitlines()[0]}",
            where=f"search {found.run_id[:8]}",
            hint=f"assay trials {found.run_id[:8]}",
        )
    learned, scored = _rows(store.location, kept.hash, settings.data.label, metric)
    best = " ".join(f"--param {key}={value}" for key, value in found.best.params.items())
    return ProjectSearch(
        project=settings.name,
        metric=metric,
        rows={"learn": learned.num_rows, "score": scored.num_rows, "judge": ready.parts.test.num_rows},
        search=found,
        next=f"assay run {best}",
    )


def score_params(
    params: Params,
    trial: Trial,  # noqa: ARG001 - every objective is given one
    *,
    file: str,
    store: str,
    rows: str,
    features: tuple[str, ...],
    metric: Metric,
    code: str,  # noqa: ARG001 - what is trained is part of what is asked
) -> dict[str, float | Scores]:
    """What a project's model with these params comes to on rows that it did not learn from.

    A number for each row where the metric is a mean: then the best of many can be corrected for having been chosen.
    """
    project = load_project(file)
    label = project.data.label
    learned, scored = _rows(store, rows, label, metric)
    model: Any = trained(project, train_model(project, learned, list(features), {**project.params, **params}))
    answers, labels = model.answers_and_labels(scored, label)
    if metric == "accuracy":
        return {metric: Scores(answers.argmax(axis=1) == labels.values)}
    if metric == "log_loss":
        likely = answers[np.arange(len(answers)), labels.values] / answers.sum(axis=1)
        return {metric: Scores(-np.log(np.clip(likely, _NEVER, None)))}
    if metric == "mae":
        return {metric: Scores(np.abs(answers - labels.values))}
    return {metric: scores_of(answers, labels)[metric]}


def _budget(project: ProjectFile, part: SearchPart, trials: int | None = None) -> Budget:
    """Until when; `trials` in place of those of the file."""
    try:
        return Budget(
            trials=part.trials if trials is None else trials,
            seconds=part.seconds,
            money=part.money,
            cost_per_hour=part.cost_per_hour,
            patience=part.patience,
        )
    except InvalidInput as error:
        raise error.at(project.where("search") if trials is None else "--trials") from None


@functools.lru_cache(maxsize=2)
def _rows(store: str, content: str, label: str, metric: str) -> tuple[pa.Table, pa.Table]:
    """The rows that teach, and those that score; read once in each process that tries."""
    with closing(open_store(store, create=False)) as opened:
        table = dataset(opened, content)
    how = "random" if metric in _OF_NUMBERS else "stratified"
    parts = split(table, how, test=_SCORED, label=label if how == "stratified" else None)  # type: ignore[arg-type] # one of two
    return parts.train, parts.test


def _code(project: ProjectFile) -> str:
    """A hash of what trains: with other code the same params are another trial."""
    module = load_code(project)
    if module is None:
        return str(project.model.estimator)
    return value_hash(function_of(project, module, "train", needed=True), "train")


def _check_trials(trials: int | None) -> None:
    if trials is not None and trials < 1:
        raise InvalidInput(f"--trials is {trials}", expected="1 or more")


def _check_params(project: ProjectFile, part: SearchPart) -> None:
    """Look that the project's `train` takes what the space names, before a trial is made."""
    module = load_code(project)
    if module is None:
        return  # an estimator says it in its first trial
    train = function_of(project, module, "train", needed=True)
    assert train is not None
    for key in part.space:
        check_param(key, params_taken(train), "train", project.where("search", "space", key))


def _asked(project: ProjectFile) -> tuple[SearchPart, Space, Metric]:
    part = project.search
    if part is None:
        raise InvalidInput(
            "the project says nothing about a search",
            where=project.file.name,
            expected="[search.space] with lines such as learning_rate = { float = [0.01, 0.3], log = true }",
        )
    metric = part.metric or _BY_TASK[project.model.task]
    if (metric in _OF_NUMBERS) != (project.model.task == "regression"):
        raise InvalidInput(
            f"{metric} says nothing about a {project.model.task} task",
            where=project.where("search", "metric"),
            expected="mae, rmse or r2" if project.model.task == "regression" else "accuracy, log_loss or auc",
        )
    _budget(project, part)
    return part, parse_space(part.space, project.where("search", "space")), metric
