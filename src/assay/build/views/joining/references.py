"""Which features are wanted: `view:feature` texts and views, looked up, with the names that they get in the result."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import msgspec

from assay.build.features.declared import Features
from assay.build.views.declared.history import as_rows, value_columns
from assay.build.views.declared.spark_frames import frame_of
from assay.build.views.declared.view import DEFINED, FeatureView
from assay.build.views.joining.reading import History, history
from assay.build.views.registry.declaration import content_of
from assay.build.views.registry.registered import ViewVersion, draft, find_view, register, view_of
from assay.errors import InvalidInput, NotFound, nearest
from assay.record.store import Store

__all__ = ["Asked", "Chosen", "FeatureUse", "chosen", "looked_up", "registered", "transforms", "uses"]

Asked: TypeAlias = str | FeatureView | Features


class FeatureUse(msgspec.Struct, frozen=True):
    """A feature of a view as it stands in a result: which column it is. `version` is None where none is registered."""

    view: str
    version: int | None
    feature: str
    column: str
    entity: list[str]


@dataclass(frozen=True)
class Chosen:
    """What is wanted of one view: `features` are the names in the result by the names in the view, in order."""

    view: FeatureView
    version: ViewVersion | None
    features: dict[str, str]
    history: History | None = None  # of a function that had to be called to say what it gives

    @property
    def reference(self) -> str:
        """`NAME@VERSION`, or the name alone where it is not registered."""
        return self.version.reference if self.version is not None else self.view.name


def chosen(features: Sequence[Asked], store: Store | None, *, prefix: bool = False) -> list[Chosen]:
    """The views that `features` name, each once, with what is wanted of it, in the order in which they are named.

    "flights:delay_7d", "flights@3:delay_7d", "flights:*", or a view for all of it. A name is looked up in the store,
    then among the views that this process has declared; with a store these are registered. On-request features
    (`Features`) are not views: `transforms` gives them. A feature keeps its name, or with `prefix` is `view__feature`.

    NotFound for a view or version that there is not. InvalidInput for an unknown feature, or a name that two would get.
    """
    return registered(looked_up(features, store, prefix=prefix), store)


def registered(found: Sequence[Chosen], store: Store | None) -> list[Chosen]:
    """The same, views that are no version yet registered in the store; not those over frames of Spark, which end."""
    if store is None:
        return list(found)
    return [
        one
        if one.version or frame_of(one.view) is not None
        else replace(one, version=_same(store, one.view) or register(store, one.view))
        for one in found
    ]


def looked_up(features: Sequence[Asked], store: Store | None, *, prefix: bool = False) -> list[Chosen]:
    """As `chosen`, and nothing is registered."""
    wanted: dict[str, list[str]] = {}
    views: dict[str, tuple[FeatureView, ViewVersion | None]] = {}
    read: dict[str, History] = {}
    for one in [features] if isinstance(features, str | FeatureView) else features:
        if isinstance(one, Features):
            continue
        named, feature = (one, "*") if isinstance(one, FeatureView) else _split(one)
        view, version = (named, None) if isinstance(named, FeatureView) else _view_called(named, store)
        key = version.reference if version is not None else view.name
        if key in views and views[key][0] is not view and version is None:
            raise InvalidInput(f"two feature views are called {view.name!r}", expected="a name of its own for each")
        views.setdefault(key, (view, version))
        known = known_features(view, version)
        frame = frame_of(view)
        if feature == "*" and known is None and frame is not None:
            known = value_columns(view, frame.columns)
        elif feature == "*" and known is None:
            read[key] = read.get(key) or history(view, store)
            known = value_columns(view, read[key].schema.names)
        wanted.setdefault(key, []).extend([feature] if feature != "*" else known or [])
    if not views:
        raise InvalidInput("no feature of a view is named", expected='such as ["flights:delay_7d", weather]')
    found = []
    taken: dict[str, str] = {}
    for key, (view, version) in views.items():
        known = known_features(view, version)
        outputs = {}
        for name in dict.fromkeys(wanted[key]):
            if known is not None and name not in known:
                raise _unknown_feature(key, name, known)
            output = f"{view.name}__{name}" if prefix else name
            if output in taken:
                raise InvalidInput(
                    f"two features would be called {output!r}",
                    where=f"{taken[output]} and {key}",
                    hint="prefix=True puts the name of the view before each" if not prefix else None,
                )
            taken[output] = key
            outputs[name] = output
        found.append(Chosen(view, version, outputs, read.get(key) if view.function is not None else None))
    return found


def transforms(features: Sequence[Asked]) -> list[Features]:
    """The on-request features among them, in order."""
    return [one for one in features if isinstance(one, Features)]


def uses(found: Sequence[Chosen]) -> list[FeatureUse]:
    """Every feature with its view and its column, in order."""
    return [
        FeatureUse(one.view.name, one.version.version if one.version else None, name, output, list(one.view.entity))
        for one in found
        for name, output in one.features.items()
    ]


def known_features(view: FeatureView, version: ViewVersion | None) -> list[str] | None:
    """All that the view gives, in order; None where only its rows would say it."""
    if version is not None:
        return version.feature_names
    return list(view.features) if view.features is not None else None


def _same(store: Store, view: FeatureView) -> ViewVersion | None:
    """The version that the view is already, told without reading its rows; None where they are to be looked at."""
    if view.function is not None or not isinstance(view.source, str | Path):
        return None
    rows = as_rows(view, history(view, store).schema.empty_table(), 0)
    same = {"name": view.name, "hash": content_of(view.name, draft(view, rows))}
    known = store.query("feature_view", same, limit=1)
    return find_view(store, f"{view.name}@{known[0]['version']}") if known else None


def _split(text: str) -> tuple[str, str]:
    if not isinstance(text, str):
        raise InvalidInput(f"a {type(text).__name__} names no feature", expected="a text, a feature view or Features")
    view, mark, feature = text.partition(":")
    if not view or not feature:
        hint = f"{view}:* is all of it" if view and not mark else None
        raise InvalidInput(f"{text!r} names no feature", expected="VIEW:FEATURE or VIEW@VERSION:FEATURE", hint=hint)
    return view, feature


def _view_called(named: str, store: Store | None) -> tuple[FeatureView, ViewVersion | None]:
    name, mark, _ = named.partition("@")
    there = {row["name"] for row in store.query("feature_view")} if store is not None else set()
    if store is not None and name in there:
        version = find_view(store, named)
        return view_of(version), version
    if name in DEFINED and not mark:
        return DEFINED[name], None
    if mark and store is None:
        raise InvalidInput(f"{named!r} names a version, and there is no store", hint="pass store=assay.open_store()")
    known = sorted({*there, *DEFINED})
    close = nearest(name, known)
    raise NotFound(
        f"there is no feature view {name!r}",
        where=store.location if store is not None else None,
        expected=", ".join(known) or "a view that is declared or registered",
        hint=f"did you mean {close!r}?" if close and close != name else None,
    )


def _unknown_feature(view: str, name: str, known: list[str]) -> InvalidInput:
    close = nearest(name, known)
    return InvalidInput(
        f"the feature view {view!r} has no feature {name!r}",
        expected=", ".join(known),
        hint=f"did you mean '{view}:{close}'?" if close else None,
    )
