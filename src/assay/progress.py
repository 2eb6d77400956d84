"""Progress of long work: operations tell, a face that has a person before it listens; otherwise nothing happens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Listener", "listening", "tell"]

Listener = Callable[[str, float, str], None]

_listener: ContextVar[Listener | None] = ContextVar("assay_progress", default=None)


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
