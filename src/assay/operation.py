"""One operation, one definition: what a user can do is one typed function, and every face is derived from it.

`@operation` changes nothing about a function; it puts it into the registry that the command line reads. The first
parameter of an operation is the store; positional parameters become arguments, keyword-only ones options, the first
line of the docstring is the help text, and the result is a `msgspec.Struct` (or a list of them) that `--json` prints.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["OPERATIONS", "Operation", "operation"]

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Operation:
    """A function under the name its users know, such as `promote` or `ledger verify`."""

    name: str
    function: Callable[..., Any]
    creates_store: bool = False
    check: Callable[..., None] | None = None
    on_server: Callable[..., Any] | None = None
    local: bool = False
    local_options: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """First line of the docstring, without the full stop."""
        return (self.function.__doc__ or "").strip().splitlines()[0].rstrip(".")


OPERATIONS: dict[str, Operation] = {}


def operation(
    name: str,
    *,
    creates_store: bool = False,
    check: Callable[..., None] | None = None,
    on_server: Callable[..., Any] | None = None,
    local: bool = False,
    local_options: tuple[str, ...] = (),
) -> Callable[[Function], Function]:
    """Register the decorated function as the operation `name`; most work on a store that is there already.

    One that makes a store has its options looked at by `check` before: a refused input makes none. Where the store is a
    server, the operation is done there; `on_server(url, ...)` is what takes its place where that cannot be. One that is
    `local` reads or writes files where it runs, or does not end: no server does it for others; nor what
    `local_options` ask for, where only these do so.
    """

    def register(function: Function) -> Function:
        OPERATIONS[name] = Operation(name, function, creates_store, check, on_server, local, local_options)
        return function

    return register
