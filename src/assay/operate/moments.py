"""Moments as people write them on the command line: a time, or how long ago."""

from datetime import UTC, datetime, timedelta

from assay.build.data.lengths import FORM
from assay.build.views.declared.spans import microseconds
from assay.errors import InvalidInput
from assay.record.store import Store

__all__ = ["moment_given", "moment_written"]


def moment_given(store: Store, text: str | None, what: str) -> datetime | None:
    """The moment of a text such as 2013-08-01, 2013-08-01T10:00Z or 7d, for 7 days ago; UTC where no zone is said."""
    if text is None:
        return None
    found = moment_written(text)
    if found is None:
        try:
            return store.clock.now() - timedelta(microseconds=microseconds(text, what))
        except (InvalidInput, OverflowError):
            expected = f"a time such as 2013-08-01T10:00Z, or how long ago: {FORM}"
            raise InvalidInput(f"{what} is {text!r}", expected=expected) from None
    return found


def moment_written(text: str) -> datetime | None:
    """The moment that a text such as 2013-08-01 or 2013-08-01T10:00Z says, UTC where no zone is said; None for none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
