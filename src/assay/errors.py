"""The whole vocabulary of errors a user can meet.

    AssayError
    ├── InvalidInput      a value is wrong (also ValueError)
    ├── NotFound          nothing has that name or id (also KeyError)
    ├── AlreadyExists     the name or id is taken
    ├── Conflict          somebody else changed it first
    ├── Refused           the evidence does not allow it
    ├── StoreUnavailable  the store cannot be read or written here (also OSError)
    ├── StoreMismatch     the store was written by another version
    ├── Tampered          content does not match its hash
    ├── PortInUse         another process listens on that port (also OSError)
    ├── TimedOut          a step took longer than it may (also TimeoutError)
    ├── TaskFailed        a task raised in another process what this one cannot raise
    ├── WorkerLost        a process died with the task that it worked at
    ├── Waiting           a run cannot go on before a person has answered
    └── MissingExtra      an optional dependency is not installed (also ImportError)

Each says what was wrong, where, what was expected and what to do: at most four short lines. A refused input
changes nothing. Exit codes are those of the command line: 1 refused by a verdict, 2 bad input or usage,
3 not decided yet.
"""

__all__ = [
    "AlreadyExists",
    "AssayError",
    "Conflict",
    "InvalidInput",
    "MissingExtra",
    "NotFound",
    "PortInUse",
    "Refused",
    "StoreMismatch",
    "StoreUnavailable",
    "Tampered",
    "TaskFailed",
    "TimedOut",
    "Waiting",
    "WorkerLost",
    "nearest",
]


class AssayError(Exception):
    """Root of all errors raised on purpose; `str()` is the message a user reads."""

    exit_code = 2

    def __init__(
        self, what: str, *, where: str | None = None, expected: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.expected = expected
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        lines += [f"  where: {self.where}"] if self.where else []
        lines += [f"  expected: {self.expected}"] if self.expected else []
        lines += [f"  try: {self.hint}"] if self.hint else []
        return "\n".join(lines)


class InvalidInput(AssayError, ValueError):
    """A value is outside what the operation accepts."""

    def at(self, where: str) -> "InvalidInput":
        """The same, said of the place where somebody wrote the value."""
        return InvalidInput(self.what, where=where, expected=self.expected, hint=self.hint)


class NotFound(AssayError, KeyError):
    """Nothing in the store has that name or id."""


class AlreadyExists(AssayError):
    """The name or id is taken, and what stands there is not replaced."""


class Conflict(AssayError):
    """The record was changed by somebody else since it was read."""


class Refused(AssayError):
    """The evidence does not allow the operation."""

    exit_code = 1


class StoreUnavailable(AssayError, OSError):
    """The store cannot be opened, read or written here."""


class StoreMismatch(AssayError):
    """The store was written by another version of Assay."""


class Tampered(AssayError):
    """Content does not match the hash it is recorded under."""


class PortInUse(AssayError, OSError):
    """Another process listens on the address asked for."""


class TimedOut(AssayError, TimeoutError):
    """A step took longer than its limit."""


class TaskFailed(AssayError):
    """A task raised an exception in another process that cannot be made again in this one."""


class WorkerLost(AssayError):
    """The process that worked at a task died: killed, out of memory, or its machine is gone."""


class Waiting(AssayError):
    """A run has stopped at a question; it goes on when a person has answered."""

    exit_code = 3


class MissingExtra(AssayError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(
            f"{package} is not installed, and this needs it",
            hint=f"pip install 'assay-mlops[{extra}]'",
        )
        self._made_of = extra, package

    def __reduce__(self) -> tuple[type, tuple[str, str]]:  # else pickle makes it of its message
        return type(self), self._made_of


def nearest(word: str, choices: "list[str]") -> str | None:
    """The choice spelled most like `word`, or None where none is close."""
    import difflib

    same = [choice for choice in choices if choice.casefold() == word.casefold()]  # of one letter nothing else is near
    close = same or difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return close[0] if close else None
