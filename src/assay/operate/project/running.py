"""`assay run`: the project's way from data to a candidate that was judged, as a pipeline."""

import time
import tomllib
from typing import Annotated

import msgspec

from assay.build.data.checks import CheckResult
from assay.build.data.finding import Finding
from assay.build.steps.handles import taken
from assay.build.steps.pipeline import pipeline
from assay.errors import InvalidInput
from assay.operate.project.approval import declare_approval
from assay.operate.project.baseline import SIMPLEST, baselines_of, scores_beside
from assay.operate.project.candidate import judge_candidate, prepare, register_once, train_model, trained
from assay.operate.project.settings import ProjectFile, load_project
from assay.operation import operation
from assay.progress import tell
from assay.prove.checks import OVERALL_NAME
from assay.prove.judgement import Judgement
from assay.record.store import Store
from assay.record.tracking.run_changes import update_run
from assay.record.tracking.runs import Run, current_run, show_run

__all__ = ["STORY_TAG", "CandidateRun", "StepOutcome", "make_candidate", "params_of", "run_project"]

STORY_TAG = "assay.story"  # the retraining that a run belongs to


class StepOutcome(msgspec.Struct, frozen=True):
    """A step of the run: computed, or remembered from before."""

    name: str
    state: str
    seconds: float


class Made(msgspec.Struct, frozen=True):
    """What the pipeline itself knows of a candidate."""

    run_id: str
    version: int
    is_new: bool
    rows: dict[str, int]
    features: list[str]
    checks: list[CheckResult]
    findings: list[Finding]
    beside: dict[str, dict[str, float]]
    judgement: Judgement


class CandidateRun(Made, frozen=True, kw_only=True):
    """What came of a run of a project. `is_new` is false where the same model was registered before.

    `checks` are expectations of the data that were looked at, `findings` what looks like a leak. `beside` are scores of
    simple models on the rows that judge. `next` is the command to go on with.
    """

    project: str
    model: str
    params: dict[str, str]
    steps: list[StepOutcome]
    verdict: str
    seconds: float
    next: str


def check_run(project: str | None, param: list[str], **_: object) -> None:
    """Refuse a wrong project file or param before a store is made."""
    params_of(load_project(project), param)


@operation("run", creates_store=True, check=check_run, local=True)
def run_project(
    store: Store,
    project: str | None = None,
    *,
    param: Annotated[list[str], "A param for this run, as max_iter=300; may be said several times"] = [],  # noqa: B006 - read only
    on: Annotated[
        str | None, "Where steps run, if not as assay.toml says: threads, processes, ray, ray://HOST:PORT"
    ] = None,
    workers: Annotated[int | None, "How many steps run at once"] = None,
    resume: Annotated[str | None, "Go on with this run, by the first characters of its id"] = None,
    no_cache: Annotated[bool, "Compute every step, whatever is remembered"] = False,
) -> CandidateRun:
    """Go from a project's data to a candidate that was judged: check, split, train, evaluate by segment, gate.

    The project is the nearest assay.toml, or the one of a folder. What did not change is remembered. The verdict is the
    exit code: 0 pass, 1 fail, 3 inconclusive.

    Raises InvalidInput with file, line and key for what is wrong in the project, Refused for data that must not teach.
    """
    settings = load_project(project)
    params = params_of(settings, param)
    return make_candidate(store, settings, params, on=on, workers=workers, resume=resume, no_cache=no_cache)


def make_candidate(
    store: Store,
    settings: ProjectFile,
    params: dict[str, object],
    *,
    story: str | None = None,
    data: str | None = None,
    trigger_type: str = "manual",
    on: str | None = None,
    workers: int | None = None,
    resume: str | None = None,
    no_cache: bool = False,
) -> CandidateRun:
    """What `assay run` does with a project that was read.

    `story` is the retraining that the run belongs to, `data` the hash of rows that it has read and checked.
    """
    began = time.perf_counter()
    flow = candidate.options(
        store=store,
        executor=on or settings.executor,
        workers=workers,
        experiment=settings.name,
        seed=settings.split.seed,
        trigger_type=trigger_type,
        no_cache=no_cache,
        resume=resume,
    )
    made = flow(str(settings.file), params, story, data)
    declare_approval(store, settings)
    steps = [StepOutcome(one.name, one.state, one.seconds) for one in show_run(store, made.run_id).steps]
    passed = made.judgement.verdict == "pass"
    return CandidateRun(
        project=settings.name,
        model=settings.model_name,
        params={key: str(value) for key, value in params.items()},
        steps=steps,
        verdict=made.judgement.verdict,
        seconds=time.perf_counter() - began,
        next=f"assay promote {settings.model_name} {made.version}" if passed else _other(settings),
        **msgspec.structs.asdict(made),
    )


@pipeline
def candidate(file: str, params: dict[str, object], story: str | None = None, data: str | None = None) -> Made:
    """The way itself. Reading, splitting and judging are done here, what is declared as a step where steps run."""
    project = load_project(file)
    run = current_run()
    assert run is not None
    store = run.store
    update_run(store, run.run_id, name=f"candidate of {project.model_name}")
    if story is not None:
        run.tags({STORY_TAG: story})
    run.params({**params, "test": project.split.test, "split": project.split.how})
    ready = prepare(store, project, run, data)
    tell("train", 0.0, project.model.code or str(project.model.estimator))
    baselines = baselines_of(project, ready)
    model = trained(project, train_model(project, ready.parts.train, ready.features, params))
    baselines = taken(baselines)
    tell("train", 1.0)
    simplest = next(name for name in SIMPLEST if name in baselines)
    first, _ = register_once(store, project, baselines[simplest], ready, run=run, description=f"baseline: {simplest}")
    version, is_new = register_once(
        store, project, model, ready, run=run, description=f"trained on {ready.parts.train.num_rows:,} rows"
    )
    beside = scores_beside(baselines, ready.parts.test, project.data.label)
    judgement = judge_candidate(store, project, ready, version, first)
    run.tags({"verdict": judgement.verdict, "evaluation": judgement.evaluation_id})
    _log_figures(run, judgement, beside)
    return Made(
        run_id=run.run_id,
        version=version.version,
        is_new=is_new,
        rows={name: ready.parts[name].num_rows for name in ready.parts.names},
        features=ready.features,
        checks=ready.checks,
        findings=ready.findings,
        beside=beside,
        judgement=judgement,
    )


def params_of(project: ProjectFile, given: list[str]) -> dict[str, object]:
    """The params of a run: those of the file, and what was said for once as `key=value`."""
    return {**project.params, **dict(_param(text) for text in given)}


def _other(project: ProjectFile) -> str:
    """What may lead to a better candidate: a search where there is a space, else a look at what this one learned."""
    return "assay search" if project.search is not None else "assay why train"


def _param(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not (equals and key.strip() and value.strip()):
        raise InvalidInput(f"--param {text!r} sets nothing", expected="such as --param max_iter=300")
    try:
        parsed: object = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()  # a word without quotes
    if not isinstance(parsed, str | int | float | bool):
        raise InvalidInput(f"--param {key.strip()} is {value.strip()}", expected="a number, a text, true or false")
    return key.strip(), parsed


def _log_figures(run: Run, judgement: Judgement, beside: dict[str, dict[str, float]]) -> None:
    """What the verdict says of all rows, and scores of baselines, as metrics: later runs are compared by them."""
    overall = [check for check in judgement.checks if check.where == OVERALL_NAME]
    run.metrics({check.metric: check.value for check in overall if check.value is not None})
    run.metrics({f"difference.{check.metric}": check.delta for check in overall if check.delta is not None})
    run.metrics({f"baseline.{name}.{key}": value for name, found in beside.items() for key, value in found.items()})
