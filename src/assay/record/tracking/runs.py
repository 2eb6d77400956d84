"""Runs: one piece of work with its params, metrics, tags, inputs, outputs and how it ended."""

import contextvars
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Protocol

import msgspec

from assay.errors import AssayError, InvalidInput, NotFound
from assay.operation import operation
from assay.record.canonical import canonical_json
from assay.record.clock import iso, moment, to_ms
from assay.record.environment import code_version, environment
from assay.record.identity import new_id
from assay.record.store import Row, Store
from assay.record.tracking.experiments import ensure_experiment
from assay.record.tracking.lost import state_of
from assay.record.tracking.metrics import latest, points_of
from assay.record.tracking.run_changes import ENDS, NAME_TAG, create_run, log, update_run
from assay.record.tracking.run_steps import Question, RunStep, StepLog, logs_of, question_of, shown_step

__all__ = [
    "Run",
    "RunDetail",
    "RunSummary",
    "Unwaiting",
    "before_end",
    "continue_run",
    "current_run",
    "ending",
    "find_run",
    "innermost",
    "leave",
    "printable",
    "show_run",
    "stand_in",
    "start_run",
    "summaries",
]

_current: contextvars.ContextVar["Run | Unwaiting | None"] = contextvars.ContextVar("assay_run", default=None)
_before_end: list[Callable[[], None]] = []


class Unwaiting(Protocol):
    """A run that does not wait for its store, until somebody needs it there."""

    run_id: str

    def kept(self) -> "Run | None":
        """The same run once all that it said is in its store; None where this process cannot ask that store."""
        ...


class Run:
    """A run that is going on, until `ended`. Every call returns when what it says is in the store."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.run_id = run_id
        self.ended = False

    def params(self, values: Mapping[str, object]) -> None:
        """Keep settings as text. A param is set once; InvalidInput for another value."""
        log(self.store, self.run_id, params={key: str(value) for key, value in values.items()})

    def tags(self, values: Mapping[str, object]) -> None:
        """Keep labels as text; the last value of a label stands."""
        log(self.store, self.run_id, tags={key: str(value) for key, value in values.items()})

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Keep numbers measured at `step`."""
        now = to_ms(iso(self.store.clock.now()))
        log(self.store, self.run_id, metrics={key: points_of([(step, now, value)]) for key, value in values.items()})

    def uses(self, artifact_id: str, name: str) -> None:
        """Record an artifact as input. Saying it twice is harmless."""
        self._io("input", artifact_id, name)

    def makes(self, artifact_id: str, name: str) -> None:
        """Record an artifact as output. Saying it twice is harmless."""
        self._io("output", artifact_id, name)

    def finish(self, status: str, reason: str | None = None) -> None:
        """End the run: `finished`, `failed` with the reason, `killed` or `stopped`. Conflict where it has ended."""
        if status not in ENDS:
            raise InvalidInput(f"a run cannot end as {status!r}", expected=" | ".join(ENDS))
        ending()
        changes = {"status": status, "ended": iso(self.store.clock.now()), "reason": reason}
        self.store.amend("run", {"run_id": self.run_id}, changes, expect={"status": "running"})
        self.ended = True

    def pause(self) -> None:
        """Let the run wait for a person: it has not ended, and nothing goes on until it is opened again."""
        ending()
        now = iso(self.store.clock.now())
        self.store.amend(
            "run", {"run_id": self.run_id}, {"status": "waiting", "seen": now}, expect={"status": "running"}
        )
        self.ended = True

    def _io(self, role: str, artifact_id: str, name: str) -> None:
        row = {"run_id": self.run_id, "role": role, "artifact_id": artifact_id, "name": name}
        self.store.append_many("run_io", [row], skip_existing=True)


def before_end(write: Callable[[], None]) -> None:
    """Have something written before any run of this process ends: a room above gathers what it writes."""
    _before_end.append(write)


def ending() -> None:
    """Have everything written that was gathered."""
    for write in _before_end:
        write()


def current_run(store: Store | None = None) -> Run | None:
    """The run whose `with` block this is, in this thread or task; with `store`, only if it is a run of that store.

    One of `assay.run` is waited for, until what it said is in its store.
    """
    found = _current.get()
    run = found if found is None or isinstance(found, Run) else found.kept()
    return run if run is None or store is None or run.store.location == store.location else None


def innermost() -> "Run | Unwaiting | None":
    """The run whose block this is, whichever kind, without waiting."""
    return _current.get()


def stand_in(run: "Run | Unwaiting") -> "contextvars.Token[Run | Unwaiting | None]":
    """Begin a block of a run in this thread or task; `leave` ends it."""
    return _current.set(run)


def leave(token: "contextvars.Token[Run | Unwaiting | None]") -> None:
    """End the block."""
    _current.reset(token)


@contextmanager
def start_run(
    store: Store,
    experiment: str,
    name: str = "run",
    *,
    kind: str = "train",
    stage: str = "dev",
    trigger_type: str = "manual",
    model: str | None = None,
    pipeline: str | None = None,
    pipeline_hash: str | None = None,
    seed: int | None = None,
) -> Iterator[Run]:
    """A run around the block: finished at its end, failed with the reason where it raises, killed at Ctrl-C.

    kind: train | eval | batch | feature | data. stage: dev | preprod | prod. trigger_type: manual | schedule | data |
    drift | performance | event | ci. A run inside another one is its child. A block may end its run earlier by
    `finish`, such as with `stopped`.
    """
    parent = current_run(store)
    code = code_version()
    run_id = create_run(
        store,
        ensure_experiment(store, experiment).experiment_id,
        name=name,
        run_id=new_id(),
        kind=kind,
        stage=stage,
        trigger_type=trigger_type,
        model=model,
        pipeline=pipeline,
        pipeline_hash=pipeline_hash,
        code_sha=code.code_sha,
        dirty=int(code.dirty),
        commit_ts=code.commit_ts,
        code_authors=canonical_json(code.authors),
        env_hash=environment(store),
        parent_run_id=parent.run_id if parent else None,
        seed=seed,
        host=platform.node(),
        pid=os.getpid(),
    )
    with _going_on(Run(store, run_id)) as run:
        yield run


@contextmanager
def continue_run(store: Store, run_id: str) -> Iterator[Run]:
    """Open a run again, whether it has ended or its process died; it ends with the block, as in `start_run`."""
    update_run(store, run_id, status="running")
    store.amend("run", {"run_id": run_id}, {"reason": None, "host": platform.node(), "pid": os.getpid()})
    with _going_on(Run(store, run_id)) as run:
        yield run


@contextmanager
def _going_on(run: Run) -> Iterator[Run]:
    token = stand_in(run)
    try:
        yield run
    except Exception as error:
        _end(run, "failed", error, f"{type(error).__name__}: {error}"[:500])
        raise
    except BaseException as error:
        _end(run, "killed", error, "interrupted")
        raise
    else:
        if not run.ended:
            run.finish("finished")
    finally:
        leave(token)


def printable(text: str) -> str:
    """The text without what a database may refuse: null characters, halves of characters."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def _end(run: Run, status: str, error: BaseException, reason: str) -> None:
    """End a run because of an error, which matters more than what may now go wrong as well."""
    if run.ended:
        return
    try:
        run.finish(status, printable(reason))
    except AssayError as fault:
        error.add_note(f"run {run.run_id[:8]} could not be marked as {status}: {fault}")


class RunSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of `assay runs`. `seconds` is None while the run goes on; `columns` is what `--columns` asked for."""

    run_id: str
    experiment: str
    name: str
    kind: str
    status: str
    trigger_type: str
    started: str
    event_ts: str | None
    seconds: float | None
    metrics: dict[str, float]
    columns: dict[str, str | float | None] = {}


class RunDetail(msgspec.Struct, frozen=True):
    """All that a run recorded. `question` is what it waits for; `logs` are there where they were asked for."""

    run: RunSummary
    params: dict[str, str]
    tags: dict[str, str]
    inputs: dict[str, str]
    outputs: dict[str, str]
    steps: list[RunStep]
    children: list[RunSummary]
    code_sha: str | None
    dirty: bool
    env_hash: str | None
    packages: int
    pipeline: str | None
    pipeline_hash: str | None
    seed: int | None
    actor: str
    reason: str | None
    question: Question | None
    logs: list[StepLog]


@operation("show")
def show_run(
    store: Store,
    run: str,
    *,
    log: Annotated[
        str | None, "Print what attempts at this step wrote, by its name or the beginning of its key"
    ] = None,
) -> RunDetail:
    """Show all that a run recorded; the first characters of its id are enough."""
    ending()
    row = find_run(store, run)
    key = {"run_id": row["run_id"]}
    artifacts: dict[str, dict[str, str]] = {"input": {}, "output": {}}
    for link in store.query("run_io", key, order_by=["name"]):
        artifact = store.get("artifact", {"artifact_id": link["artifact_id"]})
        artifacts[link["role"]][link["name"]] = artifact["hash"]
    steps = store.query("step", key, order_by=["started", "step_id"])
    return RunDetail(
        run=summaries(store, [row])[0],
        params={p["key"]: p["value"] for p in store.query("run_param", key, order_by=["key"])},
        tags={t["key"]: t["value"] for t in store.query("run_tag", {**key, "key !=": NAME_TAG}, order_by=["key"])},
        steps=[shown_step(step) for step in steps],
        question=question_of(store, row["run_id"], steps),
        logs=logs_of(store, steps, log) if log is not None else [],
        children=summaries(store, store.query("run", {"parent_run_id": row["run_id"]}, order_by=["started"])),
        packages=_package_count(store, row["env_hash"]),
        dirty=bool(row["dirty"]),
        inputs=artifacts["input"],
        outputs=artifacts["output"],
        **{
            name: row[name] for name in ("code_sha", "env_hash", "pipeline", "pipeline_hash", "seed", "actor", "reason")
        },
    )


def find_run(store: Store, run: str) -> Row:
    """The row of the run whose id begins like that."""
    rows = store.query("run", {"run_id prefix": run}, limit=2) if run else []
    if not rows:
        raise NotFound(f"no run whose id begins with {run!r}", where=store.location, hint="`assay runs` lists them")
    if len(rows) > 1:
        raise InvalidInput(f"more than one run begins with {run!r}", hint="give more characters of the id")
    return rows[0]


def _package_count(store: Store, env_hash: str | None) -> int:
    if env_hash is None:  # an imported run
        return 0
    detail = msgspec.json.decode(store.get("environment", {"env_hash": env_hash})["detail"])
    return len(detail["packages"])


def summaries(store: Store, rows: list[Row]) -> list[RunSummary]:
    """Rows of runs as `assay runs` lists them."""
    metrics = latest(store, [row["run_id"] for row in rows])
    experiments = store.query("experiment", {"experiment_id in": sorted({row["experiment_id"] for row in rows})})
    names = {row["experiment_id"]: row["name"] for row in experiments}
    kept = ("run_id", "name", "kind", "trigger_type", "started", "event_ts")
    now = store.clock.now()
    return [
        RunSummary(
            **{name: row[name] for name in kept},
            experiment=names[row["experiment_id"]],
            status=state_of(row, now),
            seconds=(moment(row["ended"]) - moment(row["started"])).total_seconds() if row["ended"] else None,
            metrics={key: point.value for key, point in metrics[row["run_id"]].items()},
        )
        for row in rows
    ]
