"""What a flavour is: how the estimators of one library are kept, loaded, and described to MLflow.

A flavour is a module of this package with the names of the protocol. It imports its library inside its functions.
"""

import functools
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol

import numpy as np

from assay.build.models.inputs import Classifier, Column, Regressor

__all__ = ["Flavour", "Given", "Kept", "Saved", "classes_of", "library_of", "pinned"]


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be kept. `classes` are those it stands for where the estimator itself knows numbers only."""

    estimator: Any
    columns: Sequence[Column]
    classes: Sequence[object] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What is to be loaded. Its content was checked against its hash: some flavours run what it says."""

    content: bytes
    columns: Sequence[Column]
    classes: Sequence[object] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """A model as the content of one file, with what MLmodel says about it.

    `loader` goes into the part for `mlflow.pyfunc`, `described` into the part of MLflow's flavour of that `name`.
    `requirements` are lines of requirements.txt. `classes` are a classifier's, in the order of its probabilities.
    """

    name: str
    content: bytes
    loader: Mapping[str, object]
    described: Mapping[str, object]
    requirements: Sequence[str]
    classes: Sequence[object] = ()


class Flavour(Protocol):
    """The contract of a flavour. `FILE` is where the model stands in its folder, `LOADER` MLflow's module for it."""

    FILE: str
    LOADER: str

    def recognises(self, estimator: object) -> bool:
        """Whether the estimator is one of the flavour's; told from the names of its classes, so nothing is imported."""
        ...

    def save(self, given: Given) -> Saved:
        """The model as bytes. InvalidInput for what cannot be kept."""
        ...

    def load(self, kept: Kept) -> Classifier | Regressor:
        """What answers for rows of the columns. MissingExtra where the library is not installed."""
        ...


def library_of(estimator: object) -> str:
    """The package that the estimator's own class comes from, such as `lightgbm`."""
    return type(estimator).__module__.partition(".")[0]


def classes_of(estimator: object) -> tuple[object, ...]:
    """The classes an estimator says it knows, as Python values; none for regressors and for several outputs."""
    classes = getattr(estimator, "classes_", None)
    if classes is None or any(np.ndim(one) for one in classes):
        return ()
    return tuple(np.asarray(classes).tolist())


def pinned(modules: Iterable[str]) -> list[str]:
    """Lines of requirements.txt for top-level modules, each with the version installed here.

    What belongs to no installed package is left out: the standard library, and people's own files.
    """
    lines: dict[str, None] = {}
    for module in modules:
        if module in sys.stdlib_module_names:
            continue
        for name in _distributions().get(module, [])[:1]:
            lines[f"{name}=={metadata.version(name)}"] = None
    return list(lines)


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()
