"""Suggesting features from the command line."""

from pathlib import Path
from typing import Annotated

from assay.build.data.source_files import format_of
from assay.build.data.sources import source
from assay.build.features.suggest import Suggestions, suggest_features
from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.datasets import dataset, find_dataset
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
    table = source(data).read() if _is_place(data) else dataset(store, find_dataset(store, data).hash)
    chosen = _names(features)
    return suggest_features(
        table,
        label,
        features=chosen or None,
        group=_names(group),
        time=time,
        rows=rows,
        folds=folds,
        most=most,
        seed=seed,
    )


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


def _is_place(data: str) -> bool:
    """Whether it can only be a place to read from, and no dataset."""
    return "://" in data or Path(data).exists() or format_of(data) is not None
