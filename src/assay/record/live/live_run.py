"""`assay.run`: a run that logs without waiting. What it says is in its journal within 100 ms, in the store soon after.

Logging never slows down or breaks what it watches: a store that is away, busy or full only makes the journal longer.
"""

import contextlib
import contextvars
import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import time_ns
from types import TracebackType
from typing import Literal, Self

import msgspec
import numpy as np

from assay.errors import AssayError, Conflict, InvalidInput, NotFound
from assay.record import tables
from assay.record.artifacts import checked_path
from assay.record.canonical import canonical_json
from assay.record.clock import Clock, iso
from assay.record.datasets import kept_table
from assay.record.environment import code_version, installed
from assay.record.identity import current_actor, new_id
from assay.record.live.capture import RERUN_OF, RERUN_TAG, captured
from assay.record.live.logged import Begin, End, File, Params, Tags, Used
from assay.record.live.logger import MOST_WAITING, Logger
from assay.record.live.system_metrics import SystemMetrics
from assay.record.live.targets import target_of
from assay.record.names import check_key
from assay.record.tracking.run_changes import ENDS
from assay.record.tracking.runs import Run, Unwaiting, ending, innermost, leave, printable, stand_in

__all__ = ["LiveRun", "flush", "pack_models_with", "run"]

_loggers: dict[tuple[object, ...], Logger] = {}
_opening = threading.Lock()
_packers: list[Callable[..., str]] = []  # a room above knows how models are packed, and says so when it is loaded
_WAIT_S = 30.0
_SEEDS = 2**32


class LiveRun:
    """A run that goes on. Made by `assay.run`; use it in a `with` block, or call `finish` at the end."""

    def __init__(self, logger: Logger, run_id: str, name: str, experiment: str) -> None:
        self.run_id = run_id
        self.name = name
        self.experiment = experiment
        self.ended = False
        self._logger = logger
        self._queue = logger.queue
        self._params: dict[str, str] = {}
        self._clock = Clock()
        self._cpu = time.process_time()
        self._known: set[str] = set()  # names that were checked; empty after the end
        self._token: contextvars.Token[Run | Unwaiting | None] | None = None
        self._sampler: SystemMetrics | None = None

    def log(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log numbers by name at a step. NaN and infinity are numbers too.

        Costs about a microsecond and waits for nothing. InvalidInput for what is no number or no name; Conflict after
        the end of the run.
        """
        known = self._known
        for name in values:
            if name not in known or values[name].__class__ is not float:
                values = self._checked(values)
                break
        queue = self._queue
        queue.extend((self.run_id, {**values}, step, time_ns()))  # at once: nobody else's comes between the four
        if len(queue) > MOST_WAITING:
            self._logger.relieve()

    def params(self, values: Mapping[str, object]) -> None:
        """Keep settings as text. A param is set once; InvalidInput for another value."""
        texts = {key: str(value) for key, value in values.items()}
        for key, value in texts.items():
            check_key("param", key)
            if self._params.get(key, value) != value:
                raise InvalidInput(
                    f"param {key} is {self._params[key]!r} already and cannot become {value!r}",
                    hint="a param is set once; use a tag for what changes",
                )
        self._params |= texts
        self._put(Params(self.run_id, texts))

    def tags(self, values: Mapping[str, object]) -> None:
        """Keep labels as text; the last value of a label stands."""
        for key in values:
            check_key("tag", key)
        self._put(Tags(self.run_id, {key: str(value) for key, value in values.items()}))

    def artifact(self, source: str | Path | bytes, name: str | None = None) -> None:
        """Keep a file, all files of a folder, or bytes under a name; the content is copied now."""
        if isinstance(source, bytes):
            if name is None:
                raise InvalidInput("bytes have no name", expected="name=...")
            self._file(name, source)
            return
        path = Path(source)
        if not path.exists():
            raise NotFound(f"there is no file {path}", hint="give the path of a file or a folder")
        if path.is_file():
            self._file(name or path.name, path)
            return
        for file in sorted(one for one in path.rglob("*") if one.is_file()):
            self._file(f"{name or path.name}/{file.relative_to(path).as_posix()}", file)

    def dataset(self, data: object, name: str, *, context: str | None = None) -> str:
        """Keep a table (Arrow, pandas, Polars, DuckDB, or the path of a file) under its content hash, as input.

        Returns the hash. `context` says what for, such as training.
        """
        table = tables.as_table(data)
        content = tables.content_hash(table)
        artifact = kept_table(self._logger.blobs, table, content, iso(self._clock.now()))
        self._logger.need(str(artifact["blob"]))
        schema = msgspec.json.encode({field.name: str(field.type) for field in table.schema}).decode()
        self._put(Used(self.run_id, name, content[:36], "assay", f"assay:{content}", schema, context, artifact))
        return content

    def model(
        self, estimator: object, example: object, *, name: str = "model", columns: Sequence[str] | None = None
    ) -> str:
        """Keep an estimator among the files of the run; returns its address, which MLflow's clients load.

        `example` is a table of rows it takes; `columns` names those it takes where the table has more.
        """
        if self.ended:
            raise self._over()
        if not _packers:
            raise InvalidInput("nothing is loaded that packs models", hint="import assay.build")
        return _packers[-1](self, estimator, example, name=name, columns=columns)

    def kept(self) -> Run | None:
        """This run as steps and evaluations use it, once all it said is in its store.

        None where that is a server, or away: then nothing is remembered, and a warning says so once.
        """
        store = self._logger.asked()
        return Run(store, self.run_id) if store is not None else None

    def finish(self, status: str = "finished", reason: str | None = None, *, wait: bool = True) -> None:
        """End the run. With `wait` it returns when all of it is in the store, or after 30 s; a warning says if not."""
        if status not in ENDS:
            raise InvalidInput(f"a run cannot end as {status!r}", expected=" | ".join(ENDS))
        if self.ended:
            raise self._over()
        with contextlib.suppress(AssayError):  # a store that is away is told again later
            ending()
        if self._sampler is not None:
            self._sampler.stop()
        self._put(End(self.run_id, status, iso(self._clock.now()), reason, round(time.process_time() - self._cpu, 3)))
        self.ended = True
        self._known.clear()
        self._logger.runs.discard(self.run_id)
        if wait:
            self._logger.wait(_WAIT_S)

    def __enter__(self) -> Self:
        self._token = stand_in(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            leave(self._token)
            self._token = None
        if self.ended:
            return
        if error is None:
            self.finish()
        elif isinstance(error, Exception):
            self.finish("failed", printable(f"{type(error).__name__}: {error}"[:500]))
        else:
            self.finish("killed", "interrupted")

    def _put(self, entry: Params | Tags | File | Used | End) -> None:
        if self.ended:
            raise self._over()
        self._queue.extend((self.run_id, entry, 0, 0))

    def _checked(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values with their numbers as floats; afterwards their names need no check."""
        if self.ended:
            raise self._over()
        numbers = {name: _number(name, value) for name, value in values.items()}
        for name in numbers.keys() - self._known:
            check_key("metric", name)
            self._known.add(name)
        return numbers

    def _file(self, name: str, content: bytes | Path) -> None:
        path = checked_path(name)
        blobs = self._logger.blobs
        if isinstance(content, bytes):
            blob, size = blobs.put(content), len(content)
        else:
            blob, size = blobs.put_file(content), content.stat().st_size
        self._put(File(self.run_id, path, blob, size))

    def _over(self) -> Conflict:
        return Conflict(
            f"run {self.run_id[:8]} has ended: it takes no new results",
            hint=f"assay.run(resume={self.run_id[:8]!r}) opens it again",
        )


def run(
    experiment: str = "Default",
    *,
    name: str | None = None,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
    store: str | Path | None = None,
    project: str | None = None,
    model: str | None = None,
    kind: str = "train",
    stage: str = "dev",
    seed: int | None = None,
    system_metrics: bool = True,
    resume: str | None = None,
    durability: Literal["process", "power"] = "process",
) -> LiveRun:
    """Begin a run and return it; use it as `with assay.run("flights") as run:`.

    `store` is a folder, postgresql://... or http://server, as everywhere. Code, what is not committed, environment,
    machine and command line are noted. A seed that is given is set for `random` and NumPy and kept.
    An experiment without a project is put into `project`.
    `durability="power"` flushes what is logged to the disk, which costs a few milliseconds each 50. With the variable
    ASSAY_OFFLINE nothing is sent until `assay sync`. `resume` is the whole id of a run to go on with.
    """
    if durability not in ("process", "power"):
        raise InvalidInput(f"durability is {durability!r}", expected="process | power")
    if not experiment.strip():
        raise InvalidInput("the experiment has no name", expected="at least one character")
    if project is not None and not project.strip():
        raise InvalidInput("the project has no name", expected="at least one character")
    logger = _logger(store, durability == "power")
    outer = innermost()
    run_id = resume or new_id()
    name = name or f"{experiment.rpartition('/')[2]}-{run_id[:6]}"
    actor = current_actor()
    code, environment = code_version(), installed()
    begun = LiveRun(logger, run_id, name, experiment)
    begin = Begin(
        run_id,
        experiment,
        name,
        iso(Clock().now()),
        actor.name,
        actor.kind,
        {
            "kind": kind,
            "stage": stage,
            "trigger_type": "manual",
            "model": model,
            "code_sha": code.code_sha,
            "dirty": int(code.dirty),
            "commit_ts": code.commit_ts,
            "code_authors": canonical_json(code.authors),
            "env_hash": environment.hash,
            "parent_run_id": outer.run_id if outer is not None and resume is None else None,
            "host": environment.host,
            "pid": os.getpid(),
            "seed": seed,
            "detail": msgspec.json.encode(captured(logger.blobs)).decode(),
        },
        logger.once(environment.hash, environment.detail),
        resume is not None,
        project,
    )
    if seed is not None:
        _set_seed(seed)
    logger.queue.extend((run_id, begin, 0, 0))
    logger.runs.add(run_id)
    if params:
        begun.params(params)
    repeated = os.environ.get(RERUN_OF)
    if tags or repeated:
        begun.tags({**(tags or {}), **({RERUN_TAG: repeated} if repeated else {})})
    if system_metrics:
        begun._sampler = SystemMetrics(begun.log)
    return begun


def pack_models_with(packer: Callable[..., str]) -> None:
    """Say what `LiveRun.model` calls: with the run, the estimator and the example, `name` and `columns`."""
    _packers.append(packer)


def flush(timeout_s: float = _WAIT_S) -> bool:
    """Wait until all that runs of this process logged is in their stores; whether it is."""
    reached = [logger.wait(timeout_s) for logger in list(_loggers.values()) if logger.alive]
    return all(reached)


def _logger(store: str | Path | None, flush_to_disk: bool) -> Logger:
    """The logger of this process for a place; after a fork, another one."""
    target = target_of(store)
    offline = os.environ.get("ASSAY_OFFLINE", "").lower() not in ("", "0", "false")
    key = (os.getpid(), target.name, getattr(target, "location", ""), flush_to_disk, offline)
    with _opening:
        found = _loggers.get(key)
        if found is None or not found.alive:
            found = _loggers[key] = Logger(target, flush_to_disk=flush_to_disk, offline=offline)
        return found


def _number(key: str, value: object) -> float:
    if not hasattr(value, "__float__"):
        raise InvalidInput(f"metric {key} is {value!r}", expected="a number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"metric {key} is {value!r}: {error}", expected="one number") from error


def _set_seed(seed: int) -> None:
    if not 0 <= seed < _SEEDS:
        raise InvalidInput(f"the seed is {seed}", expected="0 to 4294967295")
    random.seed(seed)
    np.random.seed(seed)
