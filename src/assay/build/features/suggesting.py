"""Suggesting features from the command line."""

from typing import Annotated

from assay.build.data.sources import rows_named
from assay.build.data.words import names_in
from assay.build.features.suggest import Suggestions, suggest_features
from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.store import Store

__all__ = ["suggest_features_of"]


@operation("features suggest", local=True)
def suggest_features_of(
    store: Store,
    data: str,
    *,
    label: Annotated[str | None, "The column that a model is to predict"] = None,
    features: Annotated[str | None, "Columns, with commas, that may be used; by default all that do not leak"] = None,
    group: Annotated[str | None, "Columns, with commas, whose rows stay in one fold"] = None,
    time: Annotated[str | None, "The column of times: folds are tested on later rows"] = None,
    rows: Annotated[int, "How many rows are drawn of a larger table"] = 10_000,
    folds: Annotated[int, "How many folds"] = 5,
    most: Annotated[int, "How many of the candidates are measured"] = 20,
    seed: Annotated[int, "What rows and folds are drawn by"] = 0,
) -> Suggestions:
    """Say which features would help to predict a label, by how much, and what they cost.

    DATA is a file or what else `assay.source` reads, or a dataset: NAME, NAME@HASH or @HASH.

    Raises NotFound where it is none of them, InvalidInput without a label and as `assay.suggest_features`.
    """
    if label is None:
        raise InvalidInput("--label COLUMN is not given", hint=f"assay features suggest {data} --label late")
    table = rows_named(data, store)
    chosen = names_in(features)
    return suggest_features(
        table,
        label,
        features=chosen or None,
        group=names_in(group),
        time=time,
        rows=rows,
        folds=folds,
        most=most,
        seed=seed,
    )
