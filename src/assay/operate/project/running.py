"""`assay run`: the project's way from data to a candidate that was judged."""

import time
import tomllib
from typing import Annotated

import msgspec

from assay.build.data.finding import Finding
from assay.errors import InvalidInput
from assay.operate.project.baseline import baseline_of
from assay.operate.project.candidate import judge_candidate, prepare, register_once, train_model
from assay.operate.project.settings import ProjectFile, load_project
from assay.operation import operation
from assay.progress import tell
from assay.prove.checks import OVERALL_NAME
from assay.prove.judgement import Judgement
from assay.record.store import Store
from assay.record.tracking.runs import Run, show_run, start_run

__all__ = ["CandidateRun", "StepOutcome", "run_project"]


class StepOutcome(msgspec.Struct, frozen=True):
    """A step of the run: computed, or remembered from before."""

    name: str
    state: str
    seconds: float


class CandidateRun(msgspec.Struct, frozen=True):
    """What came of a run of a project. `is_new` is false where the same model was registered before.

    `findings` are what looks like a leak. `next` is the command to go on with.
    """

    run_id: str
    project: str
    model: str
    version: int
    is_new: bool
    rows: dict[str, int]
    features: list[str]
    params: dict[str, str]
    steps: list[StepOutcome]
    findings: list[Finding]
    judgement: Judgement
    verdict: str
    seconds: float
    next: str


def check_run(project: str | None, param: list[str], **_: object) -> None:
    """Refuse a wrong project file or param before a store is made."""
    _settings(project, param)


@operation("run", creates_store=True, check=check_run)
def run_project(
    store: Store,
    project: str | None = None,
    *,
    param: Annotated[list[str], "A param for this run, as max_iter=300; may be said several times"] = [],  # noqa: B006 - read only
) -> CandidateRun:
    """Go from a project's data to a candidate that was judged: check, split, train, evaluate by segment, gate.

    The project is the nearest assay.toml, or the one of a folder. What did not change is remembered. The verdict is the
    exit code: 0 pass, 1 fail, 3 inconclusive.

    Raises InvalidInput with file, line and key for what is wrong in the project, Refused for data that must not teach.
    """
    settings, params = _settings(project, param)
    began = time.perf_counter()
    with start_run(
        store, settings.name, "candidate", model=settings.model_name, pipeline=settings.name, seed=settings.split.seed
    ) as run:
        run.params({**params, "test": settings.split.test, "split": settings.split.how})
        ready = prepare(store, settings, run)
        tell("train", 0.0, "the baseline")
        baseline = baseline_of(store, settings, ready, run)
        tell("train", 0.3, settings.model.code or str(settings.model.estimator))
        model = train_model(settings, ready, params)
        candidate, is_new = register_once(
            store, settings, model, ready, run=run, description=f"trained on {ready.parts.train.num_rows:,} rows"
        )
        tell("train", 1.0, f"version {candidate.version}")
        judgement = judge_candidate(store, settings, ready, candidate, baseline)
        run.tags({"verdict": judgement.verdict, "evaluation": judgement.evaluation_id})
        _log_figures(run, judgement)
    steps = [StepOutcome(one.name, one.state, one.seconds) for one in show_run(store, run.run_id).steps]
    passed = judgement.verdict == "pass"
    return CandidateRun(
        run_id=run.run_id,
        project=settings.name,
        model=settings.model_name,
        version=candidate.version,
        is_new=is_new,
        rows={name: ready.parts[name].num_rows for name in ready.parts.names},
        features=ready.features,
        params={key: str(value) for key, value in params.items()},
        steps=steps,
        findings=ready.findings,
        judgement=judgement,
        verdict=judgement.verdict,
        seconds=time.perf_counter() - began,
        next=f"assay promote {settings.model_name} {candidate.version}" if passed else "assay why train",
    )


def _settings(project: str | None, param: list[str]) -> tuple[ProjectFile, dict[str, object]]:
    """The project and the params of this run: those of the file, and what was said for once."""
    settings = load_project(project)
    return settings, {**settings.params, **dict(_param(text) for text in param)}


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


def _log_figures(run: Run, judgement: Judgement) -> None:
    """What the verdict says of all rows, as metrics of the run: later runs are compared by them."""
    overall = [check for check in judgement.checks if check.where == OVERALL_NAME]
    run.metrics({check.metric: check.value for check in overall if check.value is not None})
    run.metrics({f"difference.{check.metric}": check.delta for check in overall if check.delta is not None})
