"""The leakage audit from the command line."""

from typing import Annotated

from assay.build.data.words import names_in
from assay.build.views.audits.audit import Audit, audit
from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.store import Store

__all__ = ["audit_features"]


@operation("features audit", local=True)
def audit_features(
    store: Store,
    training_set: str,
    *,
    features: Annotated[str | None, "Its features, with commas: VIEW:FEATURE, VIEW@VERSION:FEATURE or VIEW:*"] = None,
    time: Annotated[str | None, "Its column of the time at which features are wanted"] = None,
    columns: Annotated[
        str | None, "Where a key or a feature is called otherwise in it: KEY=COLUMN or VIEW:FEATURE=COLUMN, with commas"
    ] = None,
    label: Annotated[str | None, "Its label: what tells it too well is said too"] = None,
    evaluation: Annotated[str | None, "The rows that models are judged on, a file or a dataset"] = None,
    prefix: Annotated[bool, "Features are called VIEW__FEATURE in it"] = False,
) -> Audit:
    """Say which rows of a training set used values that were not known at their time, whoever made it.

    TRAINING_SET is a file, or whatever else `assay.source` reads, or the name of a dataset; of one that was joined here
    features and time are known. Each cell is computed anew from the feature views and called clean, a later correction,
    a leak (only the newest value is equal) or unexplained. What was found is kept as a test of the dataset. Ends with 1
    where a value leaks.

    Raises InvalidInput for columns that are missing or of another kind, NotFound for views that are not registered.
    """
    return audit(
        training_set,
        None if features is None else names_in(features),
        time=time,
        columns=None if columns is None else _mapping(columns),
        label=label,
        evaluation=evaluation,
        prefix=prefix,
        store=store,
    )


def _mapping(text: str) -> dict[str, str]:
    found = {}
    for part in names_in(text):
        name, mark, column = part.partition("=")
        if not (name.strip() and mark and column.strip()):
            raise InvalidInput(
                f"{part!r} names no column", where="--columns", expected="KEY=COLUMN or VIEW:FEATURE=COLUMN"
            )
        found[name.strip()] = column.strip()
    return found
