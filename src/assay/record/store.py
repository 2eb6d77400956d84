"""The contract of a store of records: a few verbs for every kind of row, not a method a feature.

A *kind* is the name of a table in `schema`, a row is a flat mapping of its columns.

* Atomicity: what stands inside one `transaction()` happens wholly or not at all; a call outside is its own
  transaction. Transactions do not nest: an inner one joins the outer.
* Durability: when a call outside a transaction, or the end of one, has returned, the rows survive `kill -9`.
* Concurrency: any number of processes and threads may write. A writer waits for another; none fails for that. What
  a transaction has read, nobody else changes by a transaction before it ends.
* `append` refuses an existing key with AlreadyExists. `amend` changes named columns of one existing row; with
  `expect` it does so only while the row still holds those values, else it raises Conflict.
* `put_many` adds rows or replaces those that have the same key: for what is a fold of other records, or of the
  present state only. `remove` takes rows away, `amend_all` changes many. None of them touches the ledger.
* `append` fills in actor, actor_kind, source (the store's: `native`, or `imported`), ts and event_ts where the row
  leaves them out.
* `get` and `query` return fresh dictionaries with every column; they see one's own open transaction.
* A missing key is NotFound, an unknown kind or column InvalidInput, and so is a value that a column cannot hold. A
  refused call changes nothing; a transaction whose block handles the refusal goes on. After StoreUnavailable it does
  not: nothing of it is kept.
* Text sorts and compares by code point, null before every value. A condition other than `None` never holds for null.
* `observer` is called after a commit with (kind, key) of each row that was appended.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from assay.record.blobs import Blobs
from assay.record.clock import Clock
from assay.record.identity import Actor

__all__ = ["Observer", "Row", "Sql", "Store"]

Row = dict[str, Any]
Observer = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Sql:
    """A question as text, its values by name: `:name` stands for one. Asked again, the text is not looked at again."""

    text: str
    values: Mapping[str, object]


class Store(Protocol):
    """Rows, blobs, and who writes when."""

    blobs: Blobs
    clock: Clock
    actor: Actor
    source: str
    observer: Observer | None

    @property
    def location(self) -> str:
        """Where the store is, for messages: a folder, or an address without its password."""
        ...

    @property
    def backend(self) -> str:
        """`sqlite` or `postgresql`, for the few questions whose text differs."""
        ...

    def append(self, kind: str, row: Mapping[str, object]) -> None:
        """Add one row."""
        ...

    def append_many(self, kind: str, rows: Iterable[Mapping[str, object]], *, skip_existing: bool = False) -> int:
        """Add rows with the same columns in one statement; returns how many were new.

        With `skip_existing` a row whose key exists is passed over, which makes repeated delivery harmless.
        """
        ...

    def amend(
        self,
        kind: str,
        key: Mapping[str, object],
        changes: Mapping[str, object],
        *,
        expect: Mapping[str, object] | None = None,
    ) -> None:
        """Change columns of the row with that key."""
        ...

    def amend_all(self, kind: str, where: Mapping[str, object], changes: Mapping[str, object]) -> int:
        """Change columns of every row that satisfies the conditions, at least one of them; returns how many."""
        ...

    def put_many(self, kind: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows with the same columns, in place of those that have the same key."""
        ...

    def remove(self, kind: str, where: Mapping[str, object]) -> int:
        """Take away every row that satisfies the conditions, at least one of them; returns how many there were."""
        ...

    def get(self, kind: str, key: Mapping[str, object]) -> Row:
        """The row with that key."""
        ...

    def query(
        self,
        kind: str,
        where: Mapping[str, object] | None = None,
        *,
        order_by: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Row]:
        """Rows that satisfy every condition.

        A condition is `{"column": value}` or, with an operator after the name, `{"started >=": value}`; operators
        are `=  !=  <  <=  >  >=  in  prefix`. None matches null. `order_by` names columns, `-column` descending.
        """
        ...

    def select(self, statement: sa.Select[Any] | Sql) -> list[Row]:
        """The rows of a statement over the tables of `schema`, for questions that join several of them."""
        ...

    def tuples(self, question: Sql) -> Sequence[Sequence[Any]]:
        """Rows without names, for thousands of them."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside is one transaction that already holds the right to write."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Part of a transaction: where the block raises, only what it did is undone, and the transaction may go on."""
        ...

    def unguarded(self) -> AbstractContextManager[None]:
        """Part of a transaction in which a call that is refused ends all of it, even where the block goes on."""
        ...

    def close(self) -> None:
        """Release connections. Closing twice is harmless."""
        ...
