"""Waiting for a person: a question as a step, whose answer is a decision on the ledger.

    @assay.pipeline
    def release(path: Path) -> None:
        model = train(path)
        if assay.wait_for("Does the report look right?", evidence=report(model), deadline=timedelta(days=3)):
            publish(model)

The pipeline ends in the state `waiting` and its process may exit. `assay answer RUN yes` answers, and `resume` goes on.
An answer holds for what it was given on: the question, its evidence, and the keys of all steps that were called before.
Where one of them has changed until then, the question is asked again, and the record says so.
"""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from assay.build.steps import values
from assay.build.steps.handles import current_calls, running_pipelines
from assay.build.steps.step_record import Keyed, StepRecord
from assay.errors import InvalidInput, Refused, TimedOut, Waiting, nearest
from assay.operation import operation
from assay.record.canonical import canonical_json, digest, digest_bytes
from assay.record.clock import iso
from assay.record.ledger import decide
from assay.record.store import Row, Store
from assay.record.tracking.runs import Run, find_run

__all__ = ["Answer", "Answered", "answer", "ask", "wait_for"]

_NAME = "wait_for"
_NO_CODE = '{"code":{},"widened":[]}'
_WORDS = {"yes": True, "no": False}


class Answer(msgspec.Struct, frozen=True):
    """What a person said; true for yes. `decision` is its number on the ledger."""

    yes: bool
    comment: str | None
    actor: str
    ts: str
    decision: int

    def __bool__(self) -> bool:
        return self.yes


class Answered(msgspec.Struct, frozen=True):
    """An answer that was given, and to which question; the run goes on when it is resumed."""

    run_id: str
    pipeline: str | None
    question: str
    answer: str
    comment: str | None
    decision: int


def wait_for(question: str, *, evidence: object = None, deadline: timedelta | datetime | None = None) -> Answer:
    """Ask a person, and give the answer when there is one; inside a pipeline only.

    Everything that was called before is finished first. Without an answer the run ends in the state `waiting`, and
    Waiting says how to answer. `evidence` is what to look at, a handle or a value that can be kept; `deadline` a
    duration from when it was asked, or an aware time: after it TimedOut, and no answer is taken.
    """
    calls = current_calls()
    if calls is None:
        raise InvalidInput("wait_for is called outside a pipeline", hint="call it in a function with @assay.pipeline")
    if len(running_pipelines.get()) > 1:
        raise InvalidInput(
            f"the pipeline {running_pipelines.get()[-1]} asks a person while another one runs it",
            hint="ask in the outer pipeline: that is the run which is resumed",
        )
    if not question.strip():
        raise InvalidInput("the question is empty", expected="what a person is to say yes or no to")
    if isinstance(deadline, datetime) and deadline.tzinfo is None:
        raise InvalidInput(f"the deadline {deadline} has no time zone", expected="an aware datetime, or a timedelta")
    found: Answer = calls.ask(question, evidence, deadline)
    return found


def ask(
    run: Run,
    record: StepRecord,
    question: str,
    evidence: object,
    deadline: timedelta | datetime | None,
    before: list[str],
) -> Answer:
    """The answer to a question of a run, `before` being the keys of the steps that it rests on; Waiting without one."""
    store = run.store
    inputs = {
        "question": digest(question),
        "evidence": values.value_hash(evidence, "the evidence"),
        "steps": digest(before),
    }
    code = digest_bytes(_NO_CODE.encode())
    parts = {"format": 2, "step": f"assay.{_NAME}", "closed_over": {}, "inputs": inputs, "code": code}
    key = digest({**parts, "run": run.run_id})
    known = store.query("step", {"run_id": run.run_id, "name": _NAME}, order_by=["started", "step_id"])
    own = [row for row in known if row["key"] == key and row["state"] in ("waiting", "done")]
    now = store.clock.now()
    if own and own[-1]["state"] == "done":
        return msgspec.convert(values.decode(json.loads(own[-1]["output"]), store.blobs), Answer)
    if own:
        row = own[-1]
        _check_deadline(store, row)
        raise _waiting(run, question)
    until = now + deadline if isinstance(deadline, timedelta) else deadline
    said = {
        "question": question,
        "evidence": values.encode(evidence, store.blobs, "the evidence"),
        "deadline": iso(until) if until is not None else None,
    }
    attempt = record.begin(Keyed(_NAME, key, canonical_json(parts), _NO_CODE, canonical_json(said)), run.run_id)
    with store.transaction():
        again = _replaced(store, known, question)
        record.end(attempt, attempt.row("waiting", reason=again or question))
    raise _waiting(run, question)


@operation("answer")
def answer(
    store: Store,
    run: str,
    answer: str,
    *,
    comment: Annotated[str | None, "Why, for whoever reads the ledger"] = None,
) -> Answered:
    """Answer the question that a run waits for, with yes or no; resuming it goes on.

    NotFound where there is no such run, InvalidInput where it waits for nothing, Refused after the deadline.
    """
    if answer not in _WORDS:
        close = nearest(answer.lower(), [*_WORDS])
        raise InvalidInput(f"the answer is {answer!r}", expected="yes | no", hint=close)
    row = find_run(store, run)
    with store.transaction():
        waiting = store.query("step", {"run_id": row["run_id"], "state": "waiting"}, order_by=["-started"], limit=1)
        if not waiting:
            raise InvalidInput(f"run {row['run_id'][:8]} waits for no answer", hint="see `assay show RUN`")
        (step,) = waiting
        asked = json.loads(step["inputs"])
        now = iso(store.clock.now())
        if asked["deadline"] is not None and now > asked["deadline"]:
            raise Refused(
                f"the question of run {row['run_id'][:8]} had to be answered by {asked['deadline']}",
                hint="start the pipeline anew",
            )
        detail = {"question": asked["question"], "answer": answer, "comment": comment, "key": step["key"]}
        decision = decide(store, "answer", row["run_id"], detail)
        said = Answer(_WORDS[answer], comment, store.actor.name, now, decision)
        kept = {"as": "json", "value": msgspec.to_builtins(said)}
        changes = {"state": "done", "output": canonical_json(kept), "ended": now, "reason": f"{answer}: {said.actor}"}
        store.amend("step", {"step_id": step["step_id"]}, changes, expect={"state": "waiting"})
    return Answered(row["run_id"], row["pipeline"], asked["question"], answer, comment, decision)


def _check_deadline(store: Store, row: Row) -> None:
    until = json.loads(row["inputs"])["deadline"]
    if until is not None and iso(store.clock.now()) > until:
        store.amend("step", {"step_id": row["step_id"]}, {"state": "failed", "exit": "late"})
        raise TimedOut(f"nobody answered {row['reason']!r} by {until}", hint="start the pipeline anew")


def _replaced(store: Store, known: list[Row], question: str) -> str | None:
    """Say of the same question from before that it no longer holds; why it is asked again."""
    before = [row for row in known if json.loads(row["inputs"]).get("question") == question]
    if not before or before[-1]["state"] not in ("waiting", "done"):
        return None
    last: dict[str, Any] = before[-1]
    if last["state"] == "waiting":
        changes = {"state": "cancelled", "reason": "what it rests on has changed"}
        store.amend("step", {"step_id": last["step_id"]}, changes)
        return f"{question} (asked again: what it rests on has changed)"
    return f"{question} (asked again: what it rests on has changed since it was answered)"


def _waiting(run: Run, question: str) -> Waiting:
    return Waiting(
        f"run {run.run_id[:8]} waits for an answer: {question}",
        where=run.store.location,
        expected="yes or no, from a person who has looked at the evidence",
        hint=f"assay answer {run.run_id[:8]} yes --comment '...'; then resume the run",
    )
