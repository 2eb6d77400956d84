"""The calls of a pipeline as they run: what is ready is claimed and goes to the executor, what is remembered is read.

Everything happens in the thread that waits for a value. What ended and what is to begin are written in one commit;
nothing is given to anybody before that.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.build.executors.executor import Executor, Outcome, Task, TaskId
from assay.build.steps import values
from assay.build.steps.at_once import read_back, told_failure
from assay.build.steps.calls import Definition, keep, key_of
from assay.build.steps.choices import Choices
from assay.build.steps.handles import Handle, Mapped, replaced
from assay.build.steps.node import Node
from assay.build.steps.step_record import Attempt, Found, Held, Keyed, record_of
from assay.build.steps.work import derived_seed, perform, work_of
from assay.errors import InvalidInput, WorkerLost
from assay.progress import tell
from assay.record.store import Row
from assay.record.tracking.runs import Run

__all__ = ["Flow"]

_MOST_LOST = 3  # workers that may die under one step
_AHEAD = 4  # calls at the executor for each worker: one runs, others wait
_ASK_S = 0.05  # how often a step that another process computes is asked for


@dataclass(slots=True)
class _Queues:
    """Calls by what they wait for."""

    ready: deque[Node] = field(default_factory=deque)
    later: list[Node] = field(default_factory=list)  # for a moment: another attempt, or somebody else
    running: dict[TaskId, Node] = field(default_factory=dict)


class Flow:
    """Runs calls of one run. `nodes` are all of them by their handles, and grow while it runs."""

    def __init__(
        self,
        run: Run,
        executor: Executor | Callable[[], Executor],
        seed: int | None,
        choices: Choices,
        nodes: Mapping[Handle[Any], Node],
    ) -> None:
        self.record = record_of(run.store)
        self._run = run
        self._open: Callable[[], Executor] = executor if callable(executor) else lambda: executor
        self._owns = callable(executor)  # one that is given stays open for whoever gave it
        self._executor: Executor | None = None
        self._kind = ""
        self._room = 1
        self._seed = seed
        self._choices = choices
        self._nodes = nodes
        self._queues = _Queues()
        self._busy: dict[str, Node] = {}  # calls that are computed now, by key
        self._claims: list[Node] = []  # calls to be computed, and
        self._ends: list[tuple[Attempt, Row]] = []  # how others ended, until the next commit
        self._done = 0
        self._lock = threading.RLock()  # several threads of a body may ask for values

    def add(self, node: Node) -> None:
        """Take a call; it begins in a later `settle`, when its parts are over."""
        for part in node.parts:
            if not part.over:
                part.next.append(node)
                node.missing += 1
        if not node.missing:
            self._queues.ready.append(node)

    def settle(self, wanted: Iterable[Node]) -> None:
        """Run until those are over. Others go on beside them."""
        with self._lock:
            self._run_until(list(wanted))

    def _run_until(self, waited: list[Node]) -> None:
        queues = self._queues
        while True:
            self._start()
            while waited and waited[-1].over:
                waited.pop()
            if not waited:
                return
            if queues.running:
                assert self._executor is not None
                soonest = min((node.due for node in queues.later), default=None)
                self._take(self._executor, None if soonest is None else max(soonest - time.monotonic(), 0.0))
            elif queues.later:
                time.sleep(max(min(node.due for node in queues.later) - time.monotonic(), 0.0))
            else:
                assert queues.ready, "what is waited for can always go on"

    def leave(self, *, cancel: bool) -> None:
        """Begin nothing more. What runs is stopped where that can be, or else waited for, and kept."""
        queues = self._queues
        queues.ready.clear()
        queues.later.clear()
        executor = self._executor
        if executor is None:
            self.record.abandon([node.attempt for node in self._nodes.values() if node.attempt is not None])
            return
        try:
            if cancel:
                for task, node in list(queues.running.items()):
                    if executor.cancel(task):
                        del queues.running[task]
                        self._end(node, "cancelled", exit="stopped", reason="the pipeline was stopped")
            while queues.running:
                self._take(executor, None)
                queues.ready.clear()
                queues.later.clear()
            self._commit()
        finally:
            self.record.abandon([node.attempt for node in self._nodes.values() if node.attempt is not None])
            if self._owns:
                executor.close()

    def _start(self) -> None:
        """Begin everything that can begin now, as far as there is room at the executor."""
        queues = self._queues
        if queues.later:
            now = time.monotonic()
            queues.ready.extendleft(node for node in reversed(queues.later) if node.due <= now)
            queues.later = [node for node in queues.later if node.due > now]
        while queues.ready and len(queues.running) < self._room * _AHEAD:
            self._begin(queues.ready.popleft())
            if len(queues.running) + len(self._claims) >= self._room * _AHEAD or not queues.ready:
                self._commit()
        self._commit()

    def _commit(self) -> None:
        """Write what ended, claim what is to begin, in one commit; then send what is ours now to the executor."""
        claims, self._claims = self._claims, []
        ends, self._ends = self._ends, []
        wanted = [(node, node.attempt) for node in claims if node.attempt is not None and node.step.options.cache]
        answers: list[Found | Held | None] = []
        if ends or wanted:
            answers = self.record.settle(ends, [(attempt, node.is_anew) for node, attempt in wanted])
        against = {id(node): answer for (node, _), answer in zip(wanted, answers, strict=True)}
        for node in claims:
            answer = against.get(id(node))
            if answer is None:
                self._send(node)
                continue
            self._free(node)
            if isinstance(answer, Held):
                node.is_anew = False  # whoever holds it computes it anew
                self._again(node, _ASK_S)
            elif not self._read(node, answer, "another run computed it just now"):
                self._queues.ready.append(node)

    def _begin(self, node: Node) -> None:
        failed = next((part for part in node.parts if part.error is not None), None)
        if failed is not None:
            self._over(node, error=failed.error)
            return
        try:
            if node.keyed is None:
                self._prepare(node)
            if not node.over:
                self._claim(node)
        except InvalidInput as error:
            self._over(node, error=error)

    def _prepare(self, node: Node) -> None:
        """Compute the key, and look for a result."""
        step, known = node.step, {}
        for name, given in node.arguments.items():
            if isinstance(given, Handle) and not isinstance(given, Mapped):
                known[name] = self._hash_of(self._nodes[given], f"{step.name}: argument {name}", step)
        node.arguments = {name: replaced(given, self._peek) for name, given in node.arguments.items()}
        keyed = node.keyed = key_of(step, node.arguments, seed=self._seed, known=known)
        node.attempt = self.record.begin(keyed, self._run.run_id)
        found = self._choices.kept(keyed.key)
        if found is None and step.options.cache and not self._choices.runs(step, is_after=node.is_chosen):
            found = self.record.remembered(keyed.key)
        if found is None:
            self._choices.check_may_run(step)
            node.is_anew = self._choices.runs(step, is_after=node.is_chosen)
        elif not self._read(node, found, None):
            self._choices.check_may_run(step)

    def _read(self, node: Node, found: Found, reason: str | None) -> bool:
        """Take a remembered result; False, with a note, where it is damaged."""
        value, damage = read_back(found, self._run.store, node.step.options.fresh_for)
        if damage is not None:
            node.note, node.is_anew = f"computed again: {damage}", True
            return False
        assert node.attempt is not None
        self.record.gather(node.attempt.row("cached", output=found.output, reason=reason))
        self._over(node, value=value)
        return True

    def _claim(self, node: Node) -> None:
        """Have it claimed with the next commit; a call with the same key waits for the one that is computed."""
        assert node.keyed is not None
        if node.step.options.cache and (same := self._busy.get(node.keyed.key)) is not None:
            node.is_anew = self._choices.runs(node.step, is_after=node.is_chosen)  # no longer because of a note
            same.same.append(node)
            return
        node.attempt = self.record.begin(node.keyed, self._run.run_id, node.number + node.lost)
        self._busy[node.keyed.key] = node
        self._claims.append(node)

    def _send(self, node: Node) -> None:
        assert node.keyed is not None
        executor = self._opened()
        versions = _versions(node.keyed) if self._leaves else {}
        seed = derived_seed(self._seed or 0, node.step.name, None)
        work = work_of(
            node.step,
            node.arguments,
            seed,
            self._run,
            key=node.keyed.key,
            leaves=self._leaves,
            versions=versions,
        )
        try:
            task = executor.submit(Task(node.step.name, perform, (work,), resources=node.step.options.resources))
        except InvalidInput as error:
            self._end(node, "failed", exit="raised", reason=f"InvalidInput: {error}")
            self._over(node, error=error)
        else:
            self._queues.running[task] = node

    def _free(self, node: Node) -> None:
        """It is not computed here now: others with the same key need not wait for it."""
        if node.keyed is not None and self._busy.get(node.keyed.key) is node:
            del self._busy[node.keyed.key]
        self._queues.ready.extend(node.same)
        node.same = []

    def _take(self, executor: Executor, timeout_s: float | None) -> None:
        """Take what has ended at the executor."""
        for task, outcome in executor.wait(list(self._queues.running), timeout_s).items():
            node = self._queues.running.pop(task)
            if outcome.error is None:
                self._returned(node, outcome)
            else:
                self._failed(node, outcome, outcome.error)

    def _returned(self, node: Node, outcome: Outcome) -> None:
        try:
            output = keep(node.step, outcome.value, self._run.store.blobs)
        except InvalidInput as error:
            self._end(node, "failed", exit="raised", reason=f"InvalidInput: {error}", outcome=outcome)
            self._over(node, error=error)
            return
        again = f"attempt {node.number} of {node.step.options.retries + 1}" if node.number > 1 else None
        reason = "; ".join(part for part in (again, node.note) if part) or None
        self._end(node, "done", output=output, exit="returned", reason=reason, outcome=outcome)
        self._over(node, value=outcome.value)

    def _failed(self, node: Node, outcome: Outcome, error: BaseException) -> None:
        options = node.step.options
        if outcome.lost:
            node.lost += 1
            reason = f"the worker was lost, for the {node.lost}. time: {error}"
            self._end(node, "failed", exit="lost", reason=reason, outcome=outcome)
            if node.lost < _MOST_LOST:
                self._again(node, options.wait(node.lost) if node.lost > 1 else 0.0)
                return
            error = _given_up(node, error)
        else:
            how, reason = told_failure(error, node.number, options.retries)
            self._end(node, "failed", exit=how, reason=reason, outcome=outcome)
            if node.number <= options.retries and isinstance(error, options.retry_on):
                node.number += 1
                self._again(node, options.wait(node.number - 1))
                return
        error.add_note(f"in step {node.step.name}")
        self._over(node, error=error)

    def _again(self, node: Node, pause: float) -> None:
        self._free(node)
        node.due = time.monotonic() + pause
        self._queues.later.append(node)

    def _end(self, node: Node, state: str, *, outcome: Outcome | None = None, **said: Any) -> None:
        assert node.attempt is not None
        ran = outcome or Outcome(seconds=time.perf_counter() - node.attempt.clock)
        row = node.attempt.row(
            state,
            executor=self._kind,
            worker=ran.worker or None,
            log=ran.log,
            seconds=ran.seconds or time.perf_counter() - node.attempt.clock,
            cpu_s=ran.cpu_s,
            memory_mb=ran.memory_mb,
            **said,
        )
        self._ends.append((node.attempt, row))

    def _over(self, node: Node, *, value: Any = None, error: BaseException | None = None) -> None:
        node.over, node.value, node.error = True, value, error
        self._free(node)
        for other in node.next:
            other.missing -= 1
            if not other.missing:
                self._queues.ready.append(other)
        node.next = []
        self._done += 1
        tell("steps", self._done / len(self._nodes), node.step.label)

    def _opened(self) -> Executor:
        if self._executor is None:
            self._executor = self._open()
            about = self._executor.info()
            self._kind, self._room = about.kind, about.workers
        return self._executor

    @property
    def _leaves(self) -> bool:
        return self._kind not in ("threads", "inline")

    def _peek(self, handle: Handle[Any]) -> Any:
        """The value of a part, which is over."""
        if isinstance(handle, Mapped):
            return [self._nodes[one].value for one in handle]
        return self._nodes[handle].value

    def _hash_of(self, part: Node, where: str, step: Definition) -> str:
        """The hash of a result, computed once however many steps take it."""
        if part.hash is None:
            try:
                part.hash = values.value_hash(part.value, where)
            except InvalidInput:
                if step.options.cache:
                    raise
                return f"not hashed: {type(part.value).__qualname__}"
        return part.hash


def _given_up(node: Node, error: BaseException) -> BaseException:
    what = error.what if isinstance(error, WorkerLost) else str(error)
    return WorkerLost(
        f"step {node.step.name} lost its worker {node.lost} times; the last time: {what}",
        hint=getattr(error, "hint", None) or "give it less to do at once, or more memory",
    )


def _versions(keyed: Keyed) -> dict[str, str]:
    """The libraries that count in a key, with their versions."""
    code: dict[str, str] = json.loads(keyed.code)["code"]
    return {name.removesuffix("=="): version for name, version in code.items() if name.endswith("==")}
