"""Ideas: what might make a model better, what was expected of it, and what came of trying it on the frozen benchmark.

A try keeps verdict, effect and evaluation whatever they are: what did not work is worth knowing too.
"""

import math
from typing import Annotated, Literal

import msgspec

from assay.errors import InvalidInput, NotFound, nearest
from assay.operation import operation
from assay.prove.benchmark import Benchmark, benchmark_of
from assay.prove.checks import Verdict
from assay.prove.evaluation import BASELINE, CANDIDATE, Evaluation
from assay.prove.gate import gate
from assay.prove.judgement import find_row
from assay.prove.tasks import default_metrics
from assay.record.identity import new_id
from assay.record.models.registry import ModelVersion, find_version, version_by_id
from assay.record.store import Row, Store
from assay.record.tracking.runs import find_run
from assay.stats import compare_all, known_metrics, metric_named, metric_of_any_task, metrics_of

__all__ = ["Idea", "IdeaTry", "add_idea", "list_ideas", "try_idea"]

Outcome = Literal["better", "worse", "unclear"]

_ALPHA = 0.025  # one-sided: intervals are of 95 %
_LEAST_OF_AN_ID = 6  # characters: a shorter number is a version, even where the id of a run begins like that


class IdeaTry(msgspec.Struct, frozen=True):
    """What came of an idea. `gain` is the improvement of `metric` over the champion, above 0 whatever its direction.

    `low` and `high` are its 95 % interval: "better" lies above 0, "worse" below, "unclear" is neither. `verdict` is
    that of the policy the champion was judged by, None where there is none. `uses` counts the verdicts on these rows:
    the more ideas are tried on them, the more of those that look better are luck.
    """

    try_id: str
    idea_id: str
    idea: str
    candidate: str
    champion: str
    metric: str
    gain: float | None
    low: float | None
    high: float | None
    outcome: Outcome
    expected_gain: float | None
    verdict: Verdict | None
    evaluation_id: str
    gate_id: str | None
    uses: int
    tried: str


class Idea(msgspec.Struct, frozen=True):
    """An idea with its tries, the latest first. `expected_gain` is in the unit of `metric`, larger being better."""

    idea_id: str
    model: str
    text: str
    technique: str | None
    source: str | None
    metric: str | None
    expected_gain: float | None
    by: str
    added: str
    tries: list[IdeaTry]


@operation("idea add")
def add_idea(
    store: Store,
    model: str,
    text: str,
    *,
    technique: Annotated[str | None, "What is to be done, in a word or two, such as target encoding"] = None,
    source: Annotated[str | None, "Where it comes from: a paper, a person, an address"] = None,
    metric: Annotated[str | None, "What it should improve; by default what the champion's policy guards first"] = None,
    expected_gain: Annotated[float | None, "By how much, in the metric's unit; above 0 is better"] = None,
) -> Idea:
    """Write down what might make a model better, before it is tried.

    Raises NotFound for an unknown model, InvalidInput for an empty text, an unknown metric, a gain without a metric.
    """
    _check_model(store, model)
    if not text.strip():
        raise InvalidInput("the idea has no text", expected="what might make the model better, in a sentence")
    if expected_gain is not None and (metric is None or not math.isfinite(expected_gain)):
        raise InvalidInput(
            f"a gain of {expected_gain:g} says little without its metric", expected="--metric auc --expected-gain 0.01"
        )
    if metric is not None and metric_of_any_task(metric) is None:
        close = nearest(metric, known_metrics())
        raise InvalidInput(
            f"there is no metric {metric!r}",
            expected="one that `assay evaluate` shows",
            hint=f"did you mean {close!r}?" if close else None,
        )
    row: Row = {
        "idea_id": new_id(),
        "model": model,
        "text": text.strip(),
        "technique": technique,
        "origin": source,
        "metric": metric,
        "expected_gain": expected_gain,
    }
    store.append("idea", row)
    return _idea(store, store.get("idea", {"idea_id": row["idea_id"]}))


@operation("idea list")
def list_ideas(store: Store, model: str | None = None) -> list[Idea]:
    """List ideas with what was expected and what was measured, newest first."""
    if model is not None:
        _check_model(store, model)
    rows = store.query("idea", {"model": model} if model else {}, order_by=["-ts", "-idea_id"])
    return [_idea(store, row) for row in rows]


@operation("idea try")
def try_idea(
    store: Store,
    idea: str,
    *,
    candidate: Annotated[
        str | None, "The version that carries it out, by number, or the run that registered it"
    ] = None,
) -> IdeaTry:
    """Measure a version that carries out an idea on the model's frozen benchmark, and keep what came of it.

    The benchmark is the rows, the segments and the policy by which the champion was judged; the champion is the
    baseline. The first characters of the idea's id are enough. The verdict is the exit code: 0 pass, 1 fail, 3
    inconclusive.

    Raises NotFound for what is not there, InvalidInput for the champion itself and a run of several versions.
    """
    row = find_row(store, "idea", "idea_id", idea, {})
    if candidate is None:
        raise InvalidInput(
            "which version carries the idea out?", expected="--candidate", hint=f"assay idea try {idea} --candidate 3"
        )
    version = _candidate(store, row["model"], candidate)
    benchmark = benchmark_of(store, row["model"])
    metric = _metric(row, benchmark)
    evaluation = benchmark.measure(store, version)
    judged = gate(evaluation, benchmark.policy, store=store) if benchmark.policy else None
    gain, low, high = _gain(evaluation, metric)
    tried: Row = {
        "try_id": new_id(),
        "idea_id": row["idea_id"],
        "mv_id": version.mv_id,
        "baseline_mv_id": benchmark.champion.mv_id,
        "evaluation_id": evaluation.evaluation_id,
        "metric": metric,
        "outcome": "better" if low is not None and low > 0 else "worse" if high is not None and high < 0 else "unclear",
        "gate_id": judged.gate_id if judged else None,
        "verdict": judged.verdict if judged else None,
        "gain": gain,
        "low": low,
        "high": high,
    }
    store.append("idea_try", tried)
    return _tried(store, row, store.get("idea_try", {"try_id": tried["try_id"]}))


def _candidate(store: Store, model: str, text: str) -> ModelVersion:
    """A version by number, or the one that a run registered."""
    known = {"model": model, "version": int(text), "deleted": None} if text.isdecimal() else None
    if known and (len(text) < _LEAST_OF_AN_ID or store.query("model_version", known)):
        return find_version(store, model, int(text))
    try:
        run = find_run(store, text)
    except NotFound:
        return find_version(store, model, text)  # says which versions there are
    rows = store.query(
        "model_version", {"model": model, "run_id": run["run_id"], "deleted": None}, order_by=["version"]
    )
    if not rows:
        raise NotFound(
            f"run {run['run_id'][:8]} registered no version of {model!r}",
            where=store.location,
            hint=f"assay register {model} runs:/{run['run_id'][:8]}/NAME",
        )
    if len(rows) > 1:
        numbers = ", ".join(str(row["version"]) for row in rows)
        raise InvalidInput(f"run {run['run_id'][:8]} registered the versions {numbers}", expected="one of them")
    return version_by_id(store, rows[0]["mv_id"])


def _metric(idea: Row, benchmark: Benchmark) -> str:
    """What the idea is to improve: its own metric, else the first the policy guards, else the task's first."""
    if idea["metric"]:
        return metric_named(idea["metric"], benchmark.task).name
    known = metrics_of(benchmark.task)
    guarded = list(benchmark.policy.metrics) if benchmark.policy else []
    names = [name for name in (*guarded, *default_metrics(benchmark.task)) if name in known]
    return next(name for name in names if known[name].larger_is_better is not None and known[name].gated)


def _gain(evaluation: Evaluation, metric: str) -> tuple[float | None, float | None, float | None]:
    clustered = bool(evaluation.unit)
    found = compare_all(evaluation.profile, CANDIDATE, BASELINE, metric, 0.0, alpha=_ALPHA, clustered=clustered).at(0)
    gain, low, high = (value if math.isfinite(value) else None for value in (found.delta, found.low, found.high))
    return gain, low, high


def _check_model(store: Store, model: str) -> None:
    known = [row["name"] for row in store.query("registered_model", {"deleted": None}, order_by=["name"])]
    if model not in known:
        close = nearest(model, known)
        hint = f"did you mean {close!r}?" if close else f"there are {', '.join(known) or 'no models'}"
        raise NotFound(f"no model {model!r}", where=store.location, hint=hint)


def _idea(store: Store, row: Row) -> Idea:
    tries = store.query("idea_try", {"idea_id": row["idea_id"]}, order_by=["-ts", "-try_id"])
    return Idea(
        **{name: row[name] for name in ("idea_id", "model", "text", "technique", "metric", "expected_gain")},
        source=row["origin"],
        by=row["actor"],
        added=row["ts"],
        tries=[_tried(store, row, tried) for tried in tries],
    )


def _tried(store: Store, idea: Row, row: Row) -> IdeaTry:
    candidate, champion = version_by_id(store, row["mv_id"]), version_by_id(store, row["baseline_mv_id"])
    evaluation = store.get("evaluation", {"evaluation_id": row["evaluation_id"]})
    same = [one["evaluation_id"] for one in store.query("evaluation", {"dataset_hash": evaluation["dataset_hash"]})]
    kept = ("try_id", "idea_id", "metric", "gain", "low", "high", "outcome", "verdict", "evaluation_id", "gate_id")
    return IdeaTry(
        **{name: row[name] for name in kept},
        idea=idea["text"],
        candidate=f"{candidate.model}/{candidate.version}",
        champion=f"{champion.model}/{champion.version}",
        expected_gain=idea["expected_gain"],
        uses=len(store.query("gate", {"evaluation_id in": same, "mode": "auto"})),
        tried=row["ts"],
    )
