"""The steps of a run, their logs and its open question, for people."""

import json
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import pairs, table, when

if TYPE_CHECKING:
    from assay.record.tracking.run_steps import Question, RunStep, StepLog

__all__ = ["logs", "question", "steps_table"]


def steps_table(steps: "list[RunStep]") -> RenderableType:
    """A line for each attempt, and how to read what they printed."""
    shown = table("step", "state", "attempt", "seconds", "cpu s", "MB", "where", "log", "key", "reason", title="steps")
    for step in steps:
        ended = f"{step.state}: {step.exit}" if step.exit not in (None, "returned") else step.state
        shown.add_row(
            step.name,
            ended,
            str(step.attempt or ""),
            f"{step.seconds:.3f}",
            f"{step.cpu_s:.3f}" if step.cpu_s is not None else "",
            f"{step.memory_mb:.0f}" if step.memory_mb is not None else "",
            ", ".join(part for part in (step.executor, step.worker) if part),
            "yes" if step.has_log else "",
            step.key[:12],
            step.reason or "",
        )
    if not any(step.has_log for step in steps):
        return shown
    return Group(shown, Text("`assay show RUN --log STEP` prints what a step wrote", "dim"))


def logs(found: "list[StepLog]") -> RenderableType:
    """One after another, each under a line that says whose it is."""
    parts = []
    for one in found:
        attempt = f", attempt {one.attempt}" if one.attempt is not None else ""
        parts.append(Text(f"{one.step} {one.key[:12]}{attempt}, {one.state}, {when(one.started)}", "bold"))
        parts.append(Text.from_ansi(one.text.rstrip("\n")))
    return Group(*parts)


def question(found: "Question") -> RenderableType:
    """What is asked, until when, and how to answer."""
    facts = {"question": found.question, "asked": when(found.asked)}
    if found.deadline is not None:
        facts["deadline"] = when(found.deadline) + (" (over: start the pipeline anew)" if found.is_late else "")
    if found.evidence is not None:
        facts["evidence"] = json.dumps(found.evidence, ensure_ascii=False)[:500]
    if not found.is_late:
        facts["answer"] = f"{found.how}; then resume the run"
    return pairs(facts, "waits for a person")
