"""The steps of a run for people: how each attempt ended and what it took, what it printed, what a person is asked."""

import json
from typing import Any

import msgspec

from assay.errors import NotFound, nearest
from assay.record.clock import iso
from assay.record.store import Row, Store

__all__ = ["Question", "RunStep", "StepLog", "log_of", "logs_of", "question_of", "shown_step"]


class RunStep(msgspec.Struct, frozen=True):
    """An attempt at a step; state is done | cached | failed | cancelled | waiting (for a person).

    `attempt` is 1, 2, ...; null where nothing ran. `exit` is returned | raised | late | lost | stopped, and `reason`
    says more. `memory_mb` is the greatest size of the worker's process; what is not known is null.
    """

    name: str
    state: str
    seconds: float
    key: str
    attempt: int | None = None
    executor: str | None = None
    worker: str | None = None
    exit: str | None = None
    reason: str | None = None
    cpu_s: float | None = None
    memory_mb: float | None = None
    has_log: bool = False


class StepLog(msgspec.Struct, frozen=True):
    """What an attempt printed: all of it, or its first and last 64 KiB."""

    step: str
    key: str
    attempt: int | None
    state: str
    started: str
    text: str


class Question(msgspec.Struct, frozen=True):
    """What a run waits for; `evidence` is what to look at, null where it is no JSON: a table, a model.

    `how` is the command that answers; after `deadline` no answer is taken (`is_late`).
    """

    question: str
    asked: str
    deadline: str | None
    is_late: bool
    evidence: Any
    how: str


def shown_step(row: Row) -> RunStep:
    """A row as people see it."""
    kept = ("name", "state", "seconds", "key", "attempt", "executor", "worker", "exit", "reason", "cpu_s", "memory_mb")
    return RunStep(**{name: row[name] for name in kept}, has_log=bool(row["log"] or row["log_blob"]))


def logs_of(store: Store, rows: list[Row], step: str) -> list[StepLog]:
    """What the attempts at a step printed, which is named, or by the first characters of its key.

    NotFound where there is no such step among the rows, or none of its attempts printed anything.
    """
    found = [row for row in rows if row["name"] == step] or [
        row for row in rows if step and row["key"].startswith(step)
    ]
    if not found:
        known = sorted({row["name"] for row in rows})
        close = nearest(step, known)
        raise NotFound(
            f"the run has no step {step!r}",
            expected=f"one of {', '.join(known[:8])}" if known else "a step of the run",
            hint=f"--log {close}" if close else None,
        )
    printed = [row for row in found if row["log"] or row["log_blob"]]
    if not printed:
        raise NotFound(
            f"step {step} printed nothing in this run",
            hint="a result that is remembered has its log in the run that computed it: see `assay why`",
        )
    return [
        StepLog(row["name"], row["key"], row["attempt"], row["state"], row["started"], log_of(store, row))
        for row in printed
    ]


def log_of(store: Store, row: Row) -> str:
    """What an attempt printed; Tampered or NotFound where its blob is damaged or gone."""
    if row["log_blob"]:
        return store.blobs.get(row["log_blob"]).decode(errors="replace")
    return row["log"] or ""


def question_of(store: Store, run_id: str, rows: list[Row]) -> Question | None:
    """The question that is open; None where the run waits for nobody."""
    row = next((row for row in reversed(rows) if row["state"] == "waiting"), None)
    if row is None:
        return None
    asked = json.loads(row["inputs"])
    return Question(
        question=asked["question"],
        asked=row["started"],
        deadline=asked["deadline"],
        is_late=asked["deadline"] is not None and iso(store.clock.now()) > asked["deadline"],
        evidence=asked["evidence"].get("value"),
        how=f"assay answer {run_id[:8]} yes --comment '...'",
    )
