"""What the operating system and the database report, as an error that says what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from assay.errors import AssayError, StoreUnavailable

__all__ = ["is_storage_fault", "storage_faults"]

_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What SQLite and PostgreSQL say, not single words: those may be the name of a user or a database.
_READ_ONLY_TEXTS = (
    "readonly database",
    "unable to open database file",
    "read-only transaction",
    "permission denied for",
)
_FULL_TEXTS = ("database or disk is full", "No space left on device")
_DAMAGED_TEXTS = ("not a database", "malformed")


@contextmanager
def storage_faults(location: str) -> Iterator[None]:
    """Turn errors of files and databases inside the block into StoreUnavailable; others pass."""
    from sqlalchemy.exc import DatabaseError, InterfaceError, PendingRollbackError
    from sqlalchemy.exc import TimeoutError as NoConnection

    try:
        yield
    except AssayError:
        raise
    except OSError as error:
        raise _from_os(error, location) from error
    except NoConnection as error:
        raise _from_database("no connection became free", location) from error
    except PendingRollbackError as error:
        raise StoreUnavailable("the transaction was broken off; nothing of it was kept", where=location) from error
    except (DatabaseError, InterfaceError) as error:
        if not is_storage_fault(error):
            raise
        raise _from_database(str(error.orig), location) from error


def is_storage_fault(error: Exception) -> bool:
    """Whether the database reports that it cannot work, rather than that it refuses a row or a statement."""
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

    if not isinstance(error, DBAPIError):
        return False
    texts = (*_READ_ONLY_TEXTS, *_FULL_TEXTS, *_DAMAGED_TEXTS)
    return isinstance(error, OperationalError | InterfaceError) or any(text in str(error.orig) for text in texts)


def _from_os(error: OSError, location: str) -> StoreUnavailable:
    where = str(error.filename or location)
    if error.errno in _FULL:
        return StoreUnavailable(
            "the disk is full, and this was not recorded", where=where, hint="free some space and repeat"
        )
    if error.errno in _READ_ONLY:
        return StoreUnavailable(
            "the store's folder cannot be written",
            where=where,
            expected="a folder this user may write to",
            hint="choose another with --store, or correct the permissions",
        )
    return StoreUnavailable(f"the store's files cannot be used: {error.strerror or error}", where=where)


def _from_database(message: str, location: str) -> StoreUnavailable:
    if any(text in message for text in _READ_ONLY_TEXTS):
        return _from_os(OSError(errno.EROFS, "read-only"), location)
    if any(text in message for text in _FULL_TEXTS):
        return _from_os(OSError(errno.ENOSPC, "full"), location)
    if any(text in message for text in _DAMAGED_TEXTS):
        return StoreUnavailable("the store's database file is damaged", where=location, hint="restore it from a copy")
    return StoreUnavailable(
        f"the database does not answer: {message.strip().splitlines()[0]}",
        where=location,
        hint="check that it runs and that the address and the password are right",
    )
