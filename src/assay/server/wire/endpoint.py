"""One row of the table of endpoints."""

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from assay.record.tracking.log_many import Logged
from assay.server.wire.call import Call, Settings

__all__ = ["Endpoint", "apart", "read", "write"]

Handler = Callable[[Call, Any], Any]
Points = Callable[[Settings, Any], Logged | None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path, `{name}` in it a field of the request; what is asked, who answers, and whether it writes.

    Where `points` finds that a request logs nothing but points of a run, the writer keeps them beside those of others,
    and the handler is not asked. What may take `long` holds up neither the writer nor those that read a row.
    """

    method: str
    path: str
    handler: Handler
    request: type[msgspec.Struct]
    answer: Any
    writes: bool
    points: Points | None = None
    long: bool = False

    @property
    def name(self) -> str:
        """A name for it, such as `create_run`."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """What it does, in one line."""
        return (self.handler.__doc__ or "").strip().splitlines()[0]


def read(method: str, path: str, handler: Handler) -> Endpoint:
    """An endpoint that changes nothing."""
    return _endpoint(method, path, handler, writes=False)


def apart(method: str, path: str, handler: Handler) -> Endpoint:
    """An endpoint that may have to wait for others or for large files: it writes in transactions of its own."""
    return _endpoint(method, path, handler, writes=False, long=True)


def write(method: str, path: str, handler: Handler, *, points: Points | None = None) -> Endpoint:
    """An endpoint whose handler runs inside a transaction of the writer."""
    return _endpoint(method, path, handler, writes=True, points=points)


def _endpoint(
    method: str, path: str, handler: Handler, *, writes: bool, points: Points | None = None, long: bool = False
) -> Endpoint:
    hints = typing.get_type_hints(handler)
    return Endpoint(method, path, handler, hints["request"], hints["return"], writes, points, long)
