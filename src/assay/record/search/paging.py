"""Pages of a search, and tokens that say where the next one begins.

A token holds the sort values of the last row and its id, not how many rows came before: rows that are added or
removed meanwhile move nothing. It belongs to one filter and order, which its digest says.
"""

import base64
import hashlib
import json
from collections.abc import Sequence

import msgspec

from assay.errors import InvalidInput

__all__ = ["Mark", "Page", "digest", "read_token", "token"]

Rank = int  # 0 a value, 1 not a number, 2 missing
Mark = tuple[tuple[tuple[Rank, str | int | float | None], ...], str]  # sort values and id of a row


class Page(msgspec.Struct, frozen=True):
    """Ids of the rows found, in order, and the token of what comes after them, None at the end."""

    ids: list[str]
    next_token: str | None


def digest(*parts: object) -> str:
    """What a token must agree with: a short hash of filter, order and scope."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


def token(mark: Mark, of: str) -> str:
    """The token of the rows after `mark`."""
    values, row_id = mark
    return base64.urlsafe_b64encode(json.dumps([of, values, row_id], separators=(",", ":")).encode()).decode()


def read_token(text: str, of: str, kinds: Sequence[str]) -> Mark:
    """What a token says; InvalidInput where it is none, or one of another search.

    kinds: of each sort value, `text` or `number`.
    """
    try:
        found = json.loads(base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True))
        theirs, values, row_id = found
        if theirs == of:
            return tuple(_checked(r, v, kind) for (r, v), kind in zip(values, kinds, strict=True)), _text(row_id)
    except (ValueError, TypeError, RecursionError):
        raise InvalidInput("Invalid page token", hint="take the one the last page gave") from None
    raise InvalidInput("Invalid page token: it is of another search", hint="repeat filter and order as they were")


def _text(value: object) -> str:
    """A text that every database takes."""
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError(value)
    value.encode()
    return value


def _checked(rank: object, value: object, kind: str) -> tuple[Rank, str | int | float | None]:
    if type(rank) is int and rank in (1, 2) and value is None:
        return rank, None
    if rank == 0 and kind == "text":
        return 0, _text(value)
    if rank == 0 and isinstance(value, int | float) and value == value:  # noqa: PLR0124 - NaN
        return 0, float(value) if abs(value) >= 2**63 else value
    raise ValueError(value)
