"""The contract of a place where online rows are kept: bytes under a key, in generations of a view. It knows no rule.

What the bytes mean is decided above (`rows.py`, `packing.py`), so that every place answers alike.

* A *generation* is a number; one of a view is current, and at most one is being built. Reads see the current one.
* `begin` gives the generation that is being built, the same to everybody, and makes one where there is none. `install`
  makes it current in one moment and drops the one before; installing what is current already changes nothing.
* A *revision* stands for the bytes under a key; the caller makes it of them, so equal revisions are equal bytes. `put`
  replaces what is kept under a key only while its revision is the one that was read (0: nothing is kept), each key by
  itself, atomically; it says for each key whether it did. What is put into a generation that has been dropped is lost,
  and counts as done.
* `get` reads keys of the current generations of any number of views in one round trip. The bytes of a revision that
  the caller says it knows are left out.
* Durability: when a call has returned, what it wrote survives `kill -9` of the caller (Redis: as it is set up).
* Concurrency: any number of processes and threads; a writer waits for another and does not fail for it.
* A place that cannot be reached is StoreUnavailable.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

__all__ = ["Change", "Found", "Generation", "Shelf", "Want"]


class Generation(NamedTuple):
    """One set of rows of a view. `mark` is what a writer noted beside them."""

    number: int
    current: bool
    mark: bytes | None


class Change(NamedTuple):
    """What shall be kept under a key, if its revision is still `expected`; without data the key is taken away."""

    key: bytes
    expected: int
    revision: int
    data: bytes | None


class Want(NamedTuple):
    """Keys of one or several views that have the same entity."""

    views: tuple[str, ...]
    keys: Sequence[bytes]


Found: TypeAlias = tuple[int, bytes | None]  # the revision, and its bytes unless the caller knows them


class Shelf(Protocol):
    """Bytes by view, generation and key."""

    @property
    def location(self) -> str:
        """Where it is, for messages, without a password."""
        ...

    def generations(self, view: str) -> list[Generation]:
        """Those of a view: the current one first, then the one that is being built."""
        ...

    def begin(self, view: str) -> int:
        """The generation of the view that is being built."""
        ...

    def install(self, view: str, number: int) -> None:
        """Let it be the current one."""
        ...

    def discard(self, view: str) -> None:
        """Forget the generation that is being built, if there is one."""
        ...

    def set_mark(self, number: int, mark: bytes) -> None:
        """Note something beside the rows of a generation."""
        ...

    def get(self, wants: Sequence[Want], known: Sequence[int] = ()) -> dict[str, dict[bytes, Found]]:
        """What is kept in the current generations, by view and key; a key of which nothing is kept is not there."""
        ...

    def rows(self, number: int, keys: Sequence[bytes]) -> dict[bytes, Found]:
        """What a generation holds under these keys."""
        ...

    def put(self, number: int, changes: Sequence[Change]) -> list[bool]:
        """Compare and set, each key by itself."""
        ...

    def drop(self, view: str) -> None:
        """Forget all generations of a view."""
        ...

    def close(self) -> None:
        """Release connections. Closing twice is harmless."""
        ...
