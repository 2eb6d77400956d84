"""The decision of a release: a pure function of its inputs, so that it can be made again from what was kept of them."""

import math
from typing import Literal

import msgspec

from assay.operate.releases.evidence import Evidence, Outcome, Phase, guardrail_evidence, mismatch
from assay.operate.releases.rules import Rules
from assay.operate.releases.strategy import Step

__all__ = ["Decision", "Inputs", "Quality", "decide_next"]

Choice = Literal["wait", "hold", "rollback", "advance", "promote"]


class Quality(msgspec.Struct, frozen=True):
    """What a test on labels said: its id, which of its readings, the verdict, and the words of it."""

    test_id: str
    reading: int
    verdict: Outcome
    words: str


class Inputs(msgspec.Struct, frozen=True):
    """All that a decision is made from. `elapsed_s` is how long the step has run; `judged` which guardrails can be.

    `awaited` are conditions under which people agreed, and that do not hold yet. `code` is the version of Assay that
    decided.
    """

    rules: Rules
    steps: tuple[Step, ...]
    step: int
    held: bool
    elapsed_s: int
    phases: tuple[Phase, ...]
    judged: tuple[str, ...]
    quality: Quality | None
    as_of: str
    code: str
    awaited: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True):
    """What to do, why, on what evidence, and what is still needed for the next step."""

    choice: Choice
    reason: str
    evidence: tuple[Evidence, ...]
    needed: tuple[str, ...] = ()


def decide_next(inputs: Inputs) -> Decision:
    """In this order: proven harm rolls back; a sample ratio mismatch holds; evidence enough moves on; else it waits.

    A mismatch never keeps a rollback from happening: what breaks a challenger often breaks the shares, too.
    """
    evidence = guardrail_evidence(inputs.rules, inputs.phases, inputs.judged)
    harmful = [one for one in evidence if one.verdict == "fail"]
    if harmful:
        return Decision("rollback", "; ".join(one.words for one in harmful), evidence)
    unequal = mismatch(inputs.rules, inputs.phases)
    if unequal is not None and not inputs.held:
        return Decision("hold", unequal[1], evidence)
    if inputs.held:
        return Decision("wait", "held until a person resumes or ends it", evidence, ("a person's word",))
    if inputs.quality is not None and inputs.quality.verdict == "fail":
        return Decision("rollback", f"quality: {inputs.quality.words}", evidence)
    needed = _needed(inputs, evidence)
    if needed:
        return Decision("wait", "the evidence is not enough yet", evidence, needed)
    last = inputs.step == len(inputs.steps) - 1
    reason = "all guardrails are safe and the exposure is reached"
    if inputs.quality is not None:
        reason += f"; quality: {inputs.quality.words}"
    return Decision("promote" if last else "advance", reason, evidence)


def _needed(inputs: Inputs, evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
    """What is missing for the next step, in words."""
    step, exposure, now = inputs.steps[inputs.step], inputs.rules.exposure, inputs.phases[-1]
    units, rows = now.counts.units[1], now.counts.rows[1]
    seconds = max(step.at_least_s, exposure.seconds) - inputs.elapsed_s
    needed = []
    if units < exposure.units:
        needed.append(f"{exposure.units - units:,} more units of the challenger in this step")
    if rows < exposure.rows:
        needed.append(f"{exposure.rows - rows:,} more rows of the challenger in this step")
    if seconds > 0:
        needed.append(f"{_length(seconds)} more of this step")
    needed += [
        f"{one.guardrail}: the difference may be {one.high:.2%}, safe is less than {one.margin:.2%}"
        for one in evidence
        if one.verdict != "pass"
    ]
    unjudged = [name for name in inputs.rules.guardrails if name not in inputs.judged and _expected(inputs, name)]
    needed += [f"{name}: the champion has not answered enough yet to compare with" for name in unjudged]
    if step.kind == "ab" and (inputs.quality is None or inputs.quality.verdict != "pass"):
        needed.append(f"quality: {inputs.quality.words if inputs.quality else 'no reading of the test yet'}")
    return (*needed, *inputs.awaited)


def _expected(inputs: Inputs, guardrail: str) -> bool:
    """A shadow answers nobody, so its time is compared only where it is said what is slow."""
    return guardrail != "slow" or inputs.steps[inputs.step].kind != "shadow" or inputs.rules.slo_ms is not None


def _length(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{math.ceil(seconds / size)} {unit}"
    return f"{seconds} s"
