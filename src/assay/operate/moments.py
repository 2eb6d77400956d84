"""Moments as people write them on the command line: a time, or how long ago."""

from datetime import datetime, timedelta

from assay.build.views.declared.spans import microseconds
from assay.errors import InvalidInput
from assay.record.clock import written_moment
from assay.record.lengths import FORM
from assay.record.store import Store

__all__ = ["moment_given"]


def moment_given(store: Store, text: str | None, what: str) -> datetime | None:
    """The moment of a text such as 2013-08-01, 2013-08-01T10:00Z or 7d, for 7 days ago; UTC where no zone is said."""
    if text is None:
        return None
    found = written_moment(text)
    if found is None:
        try:
            return store.clock.now() - timedelta(microseconds=microseconds(text, what))
        except (InvalidInput, OverflowError):
            expected = f"a time such as 2013-08-01T10:00Z, or how long ago: {FORM}"
            raise InvalidInput(f"{what} is {text!r}", expected=expected) from None
    return found
