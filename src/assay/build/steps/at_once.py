"""A step called inside a run: remembered or computed before the call returns, in the caller's thread."""

import contextvars
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from assay.build.steps import values
from assay.build.steps.calls import Definition, keep, key_of
from assay.build.steps.idempotency import token_of, with_token
from assay.build.steps.outside import in_words
from assay.build.steps.step_record import Attempt, Found, Held, Keyed, StepRecord, record_of
from assay.build.steps.time_limit import time_limit
from assay.errors import InvalidInput, NotFound, Tampered, TimedOut
from assay.record.clock import moment
from assay.record.store import Store
from assay.record.tracking.runs import Run

__all__ = ["call_at_once", "read_back", "told_failure"]

_FIRST_WAIT_S = 0.01
_LONGEST_WAIT_S = 0.2
_within: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("assay_steps_within", default=())


def call_at_once(run: Run, step: Definition, arguments: dict[str, Any], compute: Callable[[], Any]) -> Any:
    """The result of a step for these arguments: what is remembered, or what `compute` returns."""
    keyed = key_of(step, arguments)
    if keyed.key in _within.get():
        raise InvalidInput(
            f"step {step.name} waits for itself: it calls itself with the same arguments",
            hint="call another function, or give it other arguments",
        )
    record = record_of(run.store)
    note = None
    if step.options.cache:
        attempt = record.begin(keyed, run.run_id)
        found = record.remembered(keyed.key)
        if found is not None:
            result, damage = read_back(found, run.store, step.options.fresh_for)
            if damage is None:
                record.gather(attempt.row("cached", output=found.output))
                return result
            note = f"computed again: {damage}"
    return _computed(run, record, step, keyed, compute, note)


def read_back(found: Found, store: Store, fresh_for: timedelta | None) -> tuple[Any, str | None]:
    """A remembered value, or what is wrong with it: a lost blob costs time, never a wrong result."""
    if found.output is None:
        return None, "it was not kept"
    if fresh_for is not None and found.started and store.clock.now() - moment(found.started) > fresh_for:
        return None, f"older than {in_words(fresh_for)}"
    try:
        return values.decode(json.loads(found.output), store.blobs), None
    except (NotFound, Tampered, InvalidInput) as error:
        return None, error.what


def told_failure(error: BaseException, number: int, retries: int) -> tuple[str, str]:
    """How an attempt ended that raised, and the reason in words."""
    which = f"attempt {number} of {retries + 1}: " if retries else ""
    how = "late" if isinstance(error, TimedOut) else "raised" if isinstance(error, Exception) else "stopped"
    return how, f"{which}{type(error).__name__}: {error}"


def _computed(
    run: Run, record: StepRecord, step: Definition, keyed: Keyed, compute: Callable[[], Any], note: str | None
) -> Any:
    options = step.options
    token = _within.set((*_within.get(), keyed.key))
    try:
        for number in range(1, options.retries + 2):
            attempt = record.begin(keyed, run.run_id, number)
            while options.cache and (found := _claimed(record, attempt, anew=note is not None)) is not None:
                result, damage = read_back(found, run.store, options.fresh_for)
                if damage is None:
                    record.gather(attempt.row("cached", output=found.output, reason="another run computed it just now"))
                    return result
                note = f"computed again: {damage}"
            try:
                with with_token(token_of(run.run_id, keyed.key)), time_limit(options.timeout, f"step {step.name}"):
                    result = compute()
                output = keep(step, result, run.store.blobs)
            except BaseException as error:
                how, reason = told_failure(error, number, options.retries)
                record.end(attempt, attempt.row("failed", exit=how, reason=reason))
                if number > options.retries or not isinstance(error, options.retry_on):
                    raise
                time.sleep(options.wait(number))
            else:
                again = f"attempt {number} of {options.retries + 1}" if number > 1 else None
                reason_of = "; ".join(part for part in (again, note) if part) or None
                record.end(attempt, attempt.row("done", output=output, reason=reason_of, exit="returned"))
                break
    finally:
        _within.reset(token)
    return result


def _claimed(record: StepRecord, attempt: Attempt, *, anew: bool) -> Found | None:
    """Wait for the right to compute: None when it is there, or what somebody else has computed meanwhile."""
    pause = _FIRST_WAIT_S
    while isinstance(answer := record.claim(attempt, anew=anew), Held):
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_WAIT_S)
        anew = False  # whoever holds it computes it anew
    return answer
