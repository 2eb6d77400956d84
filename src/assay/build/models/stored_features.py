"""Which inputs of a model are features of registered views: kept with the model, so that serving can look them up."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, cast

import msgspec

from assay.errors import InvalidInput, nearest
from assay.record.store import Row, Store

__all__ = ["StoredFeature", "Used", "features_written", "stored_features", "use_rows"]


class Used(Protocol):
    """A column of a training set and the feature it came from. `version` is None where the view is not registered."""

    view: str
    version: int | None
    feature: str
    column: str
    entity: list[str]


class StoredFeature(msgspec.Struct, frozen=True):
    """An input of a model that is a feature of a view's version, looked up by the columns `entity`.

    `hash` is the version's content, so that the same number in another store is not taken for the same view.
    """

    input: str
    view: str
    version: int
    hash: str
    feature: str
    entity: list[str]

    @property
    def reference(self) -> str:
        """`VIEW@VERSION`."""
        return f"{self.view}@{self.version}"


def stored_features(store: Store, given: object, inputs: Sequence[str]) -> list[StoredFeature]:
    """The features among the inputs, in the order of the inputs.

    `given` is a training set, or the uses it lists. What the model does not take is left out. InvalidInput for a view
    that is not registered in this store, and where none of the features is an input.
    """
    uses = {one.column: one for one in cast("Iterable[Used]", getattr(given, "used", given))}
    taken = [uses[name] for name in inputs if name in uses]
    if uses and not taken:
        column = next(iter(uses))
        close = nearest(column, list(inputs))
        raise InvalidInput(
            f"none of the features is an input of the model, as {column!r}",
            expected=f"features among {', '.join(inputs)}",
            hint=f"did you mean {close!r}?" if close else "train on the columns of the training set",
        )
    return [
        StoredFeature(one.column, one.view, int(row["version"]), row["hash"], one.feature, list(one.entity))
        for one, row in ((one, _registered(store, one)) for one in taken)
    ]


def features_written(description: Mapping[str, object]) -> list[StoredFeature]:
    """What an MLmodel file says of it; nothing for a model whose inputs all come with the request."""
    metadata = description.get("metadata") or {}
    assert isinstance(metadata, Mapping)
    return msgspec.convert(metadata.get("features", []), list[StoredFeature])


def use_rows(mv_id: str, features: Sequence[StoredFeature]) -> list[Row]:
    """The rows of `feature_use` for a version of a model."""
    return [
        {"mv_id": mv_id, "view": one.view, "version": one.version, "feature": one.feature, "input": one.input}
        for one in features
    ]


def _registered(store: Store, used: Used) -> Row:
    # Not registered on the way: what is declared now need not be what the training set was made with.
    if used.version is None:
        raise InvalidInput(
            f"the feature {used.feature!r} is of the view {used.view!r}, which was not registered",
            where=store.location,
            expected="features of registered views, which stay as they were",
            hint=f"assay.features.register(store, {used.view}), then make the training set again",
        )
    rows = store.query("feature_view", {"name": used.view, "version": used.version}, limit=1)
    if not rows:
        raise InvalidInput(
            f"the feature {used.feature!r} is of {used.view}@{used.version}, which this store does not have",
            where=store.location,
            hint="register the model where the view is registered",
        )
    return rows[0]
