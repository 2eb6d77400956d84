"""A token for side effects: the same for every attempt at one call of a step in one run, another in any other."""

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager

from assay.errors import InvalidInput
from assay.record.canonical import digest
from assay.record.identity import new_id

__all__ = ["idempotency_token", "plainly", "token_of", "with_token"]

_token: contextvars.ContextVar[str | None] = contextvars.ContextVar("assay_idempotency_token", default=None)


def idempotency_token() -> str:
    """A text that is the same for every attempt at this key in this run: 64 characters of 0-9 and a-f.

    Give it to what a step writes to (a payment, a message, a row), so that an attempt which is repeated does nothing
    twice. A step that is called outside a run gets one of its own at each call. InvalidInput outside a step, also in
    threads that a step starts: take it before.
    """
    found = _token.get()
    if found is None:
        raise InvalidInput(
            "idempotency_token is called outside a step",
            expected="a call in a function with @assay.step",
            hint="in a thread that the step starts it is not known: take it in the step and pass it",
        )
    return found


def token_of(run_id: str, key: str) -> str:
    """The token of a key in a run."""
    return digest([run_id, key])


@contextmanager
def with_token(token: str) -> Iterator[None]:
    """Inside, that is the token."""
    before = _token.set(token)
    try:
        yield
    finally:
        _token.reset(before)


@contextmanager
def plainly() -> Iterator[None]:
    """A step that is only called, outside a run or by another step: it is part of that one, or has one of its own."""
    with with_token(_token.get() or digest(["plain", new_id()])):
        yield
