"""Searches and trials in the record: a search is a run of kind `search`, each trial a child run of kind `trial`.

The parameters of a trial are the params of its run, as text; an objective is a metric of its name; intermediate values
are the points of the metric `reported/<objective>`, so that no trial that was pruned stands beside final values. A
trial that was lost with its worker is a run that was killed; the next attempt is another run with the same number.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from assay.build.searching.scores import pack_scores
from assay.build.searching.space import Misfit, Params, Space
from assay.build.searching.trial import Reports, Result
from assay.errors import InvalidInput
from assay.record.artifacts import point_to, run_root
from assay.record.clock import iso, moment, to_ms
from assay.record.environment import code_version, environment
from assay.record.store import Row, Store
from assay.record.tracking.experiments import ensure_experiment
from assay.record.tracking.metrics import add_points, history, latest, points_of
from assay.record.tracking.points import Points
from assay.record.tracking.run_changes import PARENT_TAG, create_run, log, update_run
from assay.record.tracking.runs import current_run, find_run

__all__ = [
    "ATTEMPT_TAG",
    "CODE_TAG",
    "DEFINITION_TAG",
    "NUMBER_TAG",
    "SAME_TAG",
    "SCORES_FILE",
    "SEARCH",
    "TRIAL",
    "TrialRecord",
    "begin_search",
    "begin_trial",
    "definition_of",
    "end_trial",
    "find_search",
    "lose_trial",
    "read_trials",
]

SEARCH, TRIAL = "search", "trial"
DEFINITION_TAG = "search.definition"
NUMBER_TAG = "trial.number"
ATTEMPT_TAG = "trial.attempt"
SAME_TAG = "trial.same_as"
CODE_TAG = "search.code"
REPORTED = "reported/"
SCORES_FILE = "scores"
_ENDED = ("finished", "pruned", "failed")


@dataclass(slots=True)
class TrialRecord:
    """A trial: `state` is running, lost, finished, pruned or failed; `values` are its final metrics by name."""

    number: int
    run_id: str
    params: Params
    attempt: int = 1
    state: str = "running"
    values: dict[str, float] = field(default_factory=dict)
    reports: Reports = field(default_factory=list)
    started: str = ""
    ended: str | None = None
    same_as: str | None = None
    reason: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has a result; a lost one is run once more."""
        return self.state in _ENDED

    @property
    def seconds(self) -> float:
        """How long it took; 0 where it has no result."""
        if self.ended is None or not self.has_ended:
            return 0.0
        return (moment(self.ended) - moment(self.started)).total_seconds()


def begin_search(
    store: Store,
    experiment: str,
    name: str,
    definition: Mapping[str, Any],
    said: Mapping[str, str],
    seed: int,
    code: str | None,
) -> Row:
    """Begin the run of a search; `said` are its params for people, `definition` is what it is for programs.

    `code` is the hash of the objective's code, where it has one.
    """
    version = code_version()
    env_hash = environment(store)
    outer = current_run(store)
    with store.transaction():
        run_id = create_run(
            store,
            ensure_experiment(store, experiment).experiment_id,
            name=name,
            kind=SEARCH,
            tags={
                DEFINITION_TAG: _text(definition),
                **({PARENT_TAG: outer.run_id} if outer else {}),
                **({CODE_TAG: code} if code else {}),
            },
            code_sha=version.code_sha,
            dirty=int(version.dirty),
            commit_ts=version.commit_ts,
            code_authors=_text(version.authors),
            env_hash=env_hash,
            seed=seed,
            host=platform.node(),
            pid=os.getpid(),
        )
        log(store, run_id, params=said)
    return store.get("run", {"run_id": run_id})


def find_search(store: Store, run: str) -> Row:
    """The run of a search by the first characters of its id; InvalidInput where it is another kind of run."""
    row = find_run(store, run)
    if row["kind"] != SEARCH:
        raise InvalidInput(f"run {row['run_id'][:8]} is no search", expected="a run of kind search")
    return row


def definition_of(store: Store, run_id: str) -> dict[str, Any]:
    """What a search is: space, sampler, seed, objectives and so on."""
    kept = store.get("run_tag", {"run_id": run_id, "key": DEFINITION_TAG})
    found: dict[str, Any] = msgspec.json.decode(kept["value"])
    return found


def begin_trial(
    store: Store,
    search: Row,
    number: int,
    params: Params,
    attempt: int,
    tags: Mapping[str, str],
    kind: str = TRIAL,
) -> TrialRecord:
    """Begin the run of a trial, with all that it is given, in one transaction."""
    given = {PARENT_TAG: search["run_id"], NUMBER_TAG: str(number), **tags}
    if attempt > 1:
        given[ATTEMPT_TAG] = str(attempt)
    started = iso(store.clock.now())
    with store.unguarded():
        run_id = create_run(
            store,
            search["experiment_id"],
            name=f"{search['name']} {number}",
            kind=kind,
            started=started,
            tags=given,
            code_sha=search["code_sha"],
            dirty=search["dirty"],
            commit_ts=search["commit_ts"],
            env_hash=search["env_hash"],
            host=platform.node(),
            pid=os.getpid(),
        )
        rows = [{"run_id": run_id, "key": key, "value": str(value), "layer": 0} for key, value in params.items()]
        store.append_many("run_param", rows)
    return TrialRecord(number, run_id, params, attempt, started=started)


def end_trial(store: Store, search: Row, trial: TrialRecord, result: Result, objective: str) -> None:
    """Keep what came of a trial and end its run, in one transaction."""
    now = iso(store.clock.now())
    ms = to_ms(now)
    points: dict[str, Points] = {name: points_of([(0, ms, value)]) for name, value in result.values.items()}
    if result.reports:
        points[REPORTED + objective] = points_of([(step, ms, value) for step, value in result.reports])
    root = run_root({"experiment_id": search["experiment_id"], "run_id": trial.run_id})
    files = {
        f"{SCORES_FILE}/{name}.{ending}": content
        for name, scores in result.scores.items()
        for ending, content in pack_scores(scores).items()
    }
    if result.trace is not None:
        files["traceback.txt"] = result.trace.encode(errors="replace")
    if result.log:
        files["log.txt"] = result.log.encode(errors="replace")
    blobs = [(path, store.blobs.put(content), len(content)) for path, content in files.items()]
    with store.unguarded():
        add_points(store, trial.run_id, points)
        if result.tags:
            log(store, trial.run_id, tags=result.tags)
        for path, blob, size in blobs:
            point_to(store, f"{root}/{path}", blob, size)
        changes = {"status": result.state, "ended": now, "seen": now, "reason": result.reason}
        store.amend("run", {"run_id": trial.run_id}, changes)
    trial.state, trial.values, trial.reports = result.state, dict(result.values), list(result.reports)
    trial.ended, trial.reason = now, result.reason


def lose_trial(store: Store, trial: TrialRecord, reason: str) -> None:
    """Say that a trial was lost with its worker, or with the search."""
    row = store.get("run", {"run_id": trial.run_id})
    if row["status"] == "running":
        update_run(store, trial.run_id, status="killed")
    if row["reason"] is None:
        store.amend("run", {"run_id": trial.run_id}, {"reason": reason})
    trial.state = "lost"


def read_trials(
    store: Store, search_id: str, space: Space, objective: str, *, reports: bool = True
) -> list[TrialRecord]:
    """The latest attempt at each trial of a search, in order of number.

    InvalidInput where a trial's params are none of the space: somebody changed the record.
    """
    rows = store.query("run", {"parent_run_id": search_id, "kind": TRIAL, "deleted": None})
    ids = [row["run_id"] for row in rows]
    params = _texts(store, "run_param", ids)
    tags = _texts(store, "run_tag", ids)
    metrics = latest(store, ids)
    found: dict[int, TrialRecord] = {}
    for row in rows:
        run_id = row["run_id"]
        number, attempt = int(tags[run_id][NUMBER_TAG]), int(tags[run_id].get(ATTEMPT_TAG, 1))
        if number in found and found[number].attempt > attempt:
            continue
        values = space.read(params[run_id])
        if isinstance(values, Misfit):
            raise InvalidInput(
                f"trial {number} is not of the search's space: {values.reason}", where=f"run {run_id[:8]}"
            )
        state = row["status"] if row["status"] in _ENDED else "running" if row["status"] == "running" else "lost"
        points = metrics[run_id]
        found[number] = TrialRecord(
            number,
            run_id,
            values,
            attempt,
            state,
            {name: point.value for name, point in points.items() if not name.startswith(REPORTED)},
            _reports(store, run_id, objective) if reports and REPORTED + objective in points else [],
            row["started"],
            row["ended"],
            tags[run_id].get(SAME_TAG),
            row["reason"],
        )
    return [found[number] for number in sorted(found)]


def _reports(store: Store, run_id: str, objective: str) -> Reports:
    points = history(store, run_id, REPORTED + objective)
    return sorted(zip(points.step.tolist(), points.value.tolist(), strict=True))


def _texts(store: Store, kind: str, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {run_id: {} for run_id in ids}
    for row in store.query(kind, {"run_id in": list(ids)}):
        found[row["run_id"]][row["key"]] = row["value"]
    return found


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()  # in its order: samplers draw in the order of the space
