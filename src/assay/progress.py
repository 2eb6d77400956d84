"""What an operation says before it returns: how far it is, and for one that runs until stopped, what it has begun.

Operations tell and announce; a face that has a person or a program before it listens; otherwise nothing happens.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Announcer", "Listener", "announce", "announcing", "listening", "tell"]

Listener = Callable[[str, float, str], None]
Announcer = Callable[[object], None]

_listener: ContextVar[Listener | None] = ContextVar("assay_progress", default=None)
_announcer: ContextVar[Announcer | None] = ContextVar("assay_announcer", default=None)


def tell(stage: str, share: float, detail: str = "") -> None:
    """Say that `share` (0 to 1) of the stage is done; the first call of a stage begins it, 1 ends it."""
    listener = _listener.get()
    if listener is not None:
        listener(stage, share, detail)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear what the operations inside the block tell."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def announce(begun: object) -> None:
    """Say what has begun and goes on, such as a server that is ready now."""
    announcer = _announcer.get()
    if announcer is not None:
        announcer(begun)


@contextmanager
def announcing(announcer: Announcer) -> Iterator[None]:
    """Hear what the operations inside the block announce."""
    token = _announcer.set(announcer)
    try:
        yield
    finally:
        _announcer.reset(token)
