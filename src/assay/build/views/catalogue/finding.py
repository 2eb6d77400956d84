"""Finding features by what is said about them: name, description, entity, owner, tag, source, column, type."""

from typing import Annotated

import msgspec

from assay.build.views.catalogue.showing import source_text
from assay.build.views.registry.registered import ViewVersion, view_versions
from assay.build.views.registry.types import feature_types
from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.store import Store

__all__ = ["FoundFeature", "FoundFeatures", "search_features"]


class FoundFeature(msgspec.Struct, frozen=True):
    """A feature of the newest version of a view. `matched` says where the words stand, its own name first."""

    view: str
    feature: str
    type: str
    entity: list[str]
    owner: str | None
    description: str
    matched: list[str]


class FoundFeatures(msgspec.Struct, frozen=True):
    """Features that were found, the best first; `total` may be more than are listed."""

    text: str
    total: int
    found: list[FoundFeature]


@operation("features search")
def search_features(
    store: Store, text: str, *, limit: Annotated[int, "How many are listed at most"] = 50
) -> FoundFeatures:
    """Find features by name, view, description, entity, owner, tag, source, column or type.

    Every word of TEXT must stand somewhere, in part and in any case. Features that are called so come first, then those
    of views that are, then the others, by name.
    """
    words = text.casefold().split()
    if not words or limit < 1:
        raise InvalidInput(f"{text!r} is looked for, {limit} are listed", expected="a word and a limit of 1 or more")
    newest: dict[str, ViewVersion] = {}
    for version in view_versions(store):
        newest.setdefault(version.name, version)
    ranked: list[tuple[tuple[int, ...], FoundFeature]] = []
    for version in newest.values():
        for feature, kind in feature_types(version.declared).items():
            places = _places(version, feature, kind)
            matched = [place for place, said in places.items() if any(word in said for word in words)]
            if all(any(word in said for said in places.values()) for word in words):
                rank = (not _is(words, places["feature"]), "feature" not in matched, "view" not in matched)
                ranked.append((tuple(map(int, rank)), _found(version, feature, kind, matched)))
    ranked.sort(key=lambda one: (one[0], one[1].view, one[1].feature))
    return FoundFeatures(text, len(ranked), [one for _, one in ranked[:limit]])


def _places(version: ViewVersion, feature: str, kind: str) -> dict[str, str]:
    """Where words may stand, in the order in which they are told."""
    declared = version.declared
    aggregate = declared.aggregates.get(feature)
    said = {
        "feature": feature,
        "view": version.name,
        "description": declared.description,
        "entity": " ".join(declared.entity),
        "owner": declared.owner or "",
        "tag": " ".join(declared.tags),
        "source": source_text(declared.source),
        "column": declared.expressions.get(feature, "") if aggregate is None else aggregate.text,
        "type": kind,
    }
    return {place: text.casefold() for place, text in said.items()}


def _is(words: list[str], name: str) -> bool:
    return words == [name]


def _found(version: ViewVersion, feature: str, kind: str, matched: list[str]) -> FoundFeature:
    declared = version.declared
    return FoundFeature(
        view=version.reference,
        feature=feature,
        type=kind,
        entity=declared.entity,
        owner=declared.owner,
        description=declared.description,
        matched=matched,
    )
