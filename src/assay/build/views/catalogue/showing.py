"""Which feature views there are, and what the records say about one."""

from typing import Any, Literal

import msgspec

from assay.build.views.catalogue.reuse import ModelUse, Usage, ViewUsage, feature_usage
from assay.build.views.declared.keys import key_type
from assay.build.views.declared.spans import spoken
from assay.build.views.joining.recorded_sets import recorded_sets
from assay.build.views.log.results import ViewResult, results_by_view
from assay.build.views.registry.registered import ViewVersion, find_view, view_versions
from assay.build.views.registry.types import feature_types
from assay.operation import operation
from assay.record.store import Store

__all__ = ["FeatureLine", "SetLine", "VersionLine", "ViewDetail", "ViewList", "ViewSummary", "list_views", "show_view"]

_SETS = 10


class ViewSummary(msgspec.Struct, frozen=True):
    """The newest version of a view. `production` are the models in production that take features of it.

    `failed` are checks, replays and audits whose last result is fail.
    """

    name: str
    version: int
    entity: list[str]
    features: list[str]
    source: str
    owner: str | None
    tags: list[str]
    description: str
    registered: str
    models: list[str]
    production: list[str]
    promise: str | None
    fresh: Literal["kept", "broken", "unknown", "not promised"]
    age_s: float | None
    failed: list[str]


class ViewList(msgspec.Struct, frozen=True):
    """Feature views by name."""

    views: list[ViewSummary]


class FeatureLine(msgspec.Struct, frozen=True):
    """A feature: its type, how it is made (empty for a column), and the share of its rows without a value.

    `models` are the versions of models that take it, of whichever version of the view.
    """

    name: str
    type: str
    definition: str
    null_rate: float | None
    models: list[str]


class VersionLine(msgspec.Struct, frozen=True):
    """A version of the view, and the versions of models that take features of it."""

    version: int
    hash: str
    registered: str
    actor: str
    models: list[str]


class SetLine(msgspec.Struct, frozen=True):
    """A training set that took features of the view: how many of its rows found a value, and how many one too old.

    `later` are rows that use a value written after their time; null where the view does not say when rows were written.
    """

    name: str
    hash: str
    made: str
    version: int
    as_of: str
    rows: int
    present: int
    expired: int
    later: int | None

    @property
    def rate(self) -> float:
        """The share of rows that found a value."""
        return self.present / self.rows if self.rows else 0.0


class ViewDetail(msgspec.Struct, frozen=True):
    """A version of a feature view. Lengths of time are texts such as "30d", null where none is declared.

    `seen` is when `rows` and null rates were looked at. `usage` is of all versions, `results` are the last ones of
    checks, replays and audits, `sets` the newest training sets.
    """

    name: str
    version: int
    hash: str
    registered: str
    actor: str
    description: str
    owner: str | None
    tags: list[str]
    entity: dict[str, str]
    source: str
    function: str | None
    file: str | None
    time: str
    created: str | None
    event: list[str]
    ttl: str | None
    delay: str | None
    strict: bool
    fresh: str | None
    rows: int | None
    seen: str | None
    features: list[FeatureLine]
    versions: list[VersionLine]
    usage: ViewUsage
    models: list[ModelUse]
    results: list[ViewResult]
    sets: list[SetLine]


@operation("features ls")
def list_views(store: Store) -> ViewList:
    """List the feature views with their newest version, who uses them and how fresh they are."""
    newest: dict[str, ViewVersion] = {}
    for version in view_versions(store):
        newest.setdefault(version.name, version)
    known = feature_usage(store)
    usage = {one.view: one for one in known.views}
    results = results_by_view(store, {one.mv_id: one.name for one in known.models})
    return ViewList([_summary(one, usage[one.name], results.get(one.name, [])) for one in newest.values()])


@operation("features show")
def show_view(store: Store, view: str) -> ViewDetail:
    """Show a feature view: declaration, features with their types, versions, who uses it, and what was found.

    VIEW is NAME for the newest version, or NAME@VERSION.

    Raises NotFound with the nearest name.
    """
    version = find_view(store, view)
    declared = version.declared
    schema = declared.rows_schema
    usage = feature_usage(store, version.name)
    versions = view_versions(store, version.name)
    names = {one.mv_id: one.name for one in usage.models}
    return ViewDetail(
        name=version.name,
        version=version.version,
        hash=version.hash,
        registered=version.registered,
        actor=version.actor,
        description=declared.description,
        owner=declared.owner,
        tags=declared.tags,
        entity={name: key_type(schema.field(name).type) for name in declared.entity},
        source=source_text(declared.source),
        function=declared.code.name if declared.code else None,
        file=declared.code.file if declared.code else None,
        time=declared.time,
        created=declared.created,
        event=declared.event,
        ttl=spoken(declared.ttl_us),
        delay=spoken(declared.delay_us or None),
        strict=declared.strict,
        fresh=spoken(declared.fresh_us),
        rows=version.seen.rows if version.seen else None,
        seen=version.seen.ts if version.seen else None,
        features=_features(version, usage),
        versions=[
            VersionLine(one.version, one.hash, one.registered, one.actor, _takers(usage, one)) for one in versions
        ],
        usage=usage.views[0],
        models=usage.models,
        results=results_by_view(store, names).get(version.name, []),
        sets=_sets(store, version.name),
    )


def source_text(source: Any) -> str:
    """Sources in a line: the name or place, or each by the name of the parameter that takes it."""
    return source if isinstance(source, str) else ", ".join(f"{name}: {one}" for name, one in source.items())


def _summary(version: ViewVersion, usage: ViewUsage, results: list[ViewResult]) -> ViewSummary:
    declared = version.declared
    return ViewSummary(
        name=version.name,
        version=version.version,
        entity=declared.entity,
        features=version.feature_names,
        source=source_text(declared.source),
        owner=declared.owner,
        tags=declared.tags,
        description=declared.description,
        registered=version.registered,
        models=usage.models,
        production=usage.production,
        promise=usage.promise,
        fresh=usage.fresh,
        age_s=usage.age_s,
        failed=list(dict.fromkeys(one.what for one in results if one.result == "fail")),
    )


def _sets(store: Store, view: str) -> list[SetLine]:
    """The newest training sets that were kept with features of the view."""
    found = []
    for one in recorded_sets(store):
        for match in one.report.views:
            name, _, number = match.view.partition("@")
            if name == view and number:
                found.append(
                    SetLine(
                        name=one.name,
                        hash=one.hash,
                        made=one.made,
                        version=int(number),
                        as_of=one.report.as_of,
                        rows=match.rows,
                        present=match.present,
                        expired=match.expired,
                        later=match.later,
                    )
                )
    return found[:_SETS]


def _takers(usage: Usage, version: ViewVersion) -> list[str]:
    return [one.name for one in usage.models if any(said.startswith(f"{version.reference}:") for said in one.features)]


def _features(version: ViewVersion, usage: Usage) -> list[FeatureLine]:
    declared, seen = version.declared, version.seen
    made = {**declared.expressions, **{name: one.text for name, one in declared.aggregates.items()}}
    known = seen.nulls if seen is not None and seen.rows and not declared.aggregates else {}
    models = {one.feature: one.models for one in usage.features}
    return [
        FeatureLine(
            name,
            kind,
            made.get(name, ""),
            known[name] / seen.rows if seen and name in known else None,
            models.get(name, []),
        )
        for name, kind in feature_types(declared).items()
    ]
