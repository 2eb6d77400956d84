"""Who uses which feature of which view: versions of models, what is in production, what nothing uses, what it costs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
import sqlalchemy as sa

from assay.build.views.declared.moments import latest_us
from assay.build.views.declared.spans import spoken
from assay.build.views.registry.registered import ViewVersion, find_view, view_versions
from assay.operation import operation
from assay.record.schema import TABLES
from assay.record.store import Row, Store

__all__ = ["FeatureUsage", "ModelUse", "Usage", "ViewUsage", "feature_usage", "models_using"]

_CHAMPION = "champion"


class ModelUse(msgspec.Struct, frozen=True):
    """A version of a model that takes features, `VIEW@VERSION:FEATURE`, in order. `aliases` point to it.

    It is in production where it is a champion or one of `endpoints` answers with it.
    """

    model: str
    version: int
    mv_id: str
    owner: str
    features: list[str]
    aliases: list[str]
    endpoints: list[str]
    in_production: bool

    @property
    def name(self) -> str:
        """`MODEL/VERSION`."""
        return f"{self.model}/{self.version}"


class FeatureUsage(msgspec.Struct, frozen=True):
    """A feature of a view, whichever versions of it: the models that take it, and those of them in production."""

    view: str
    feature: str
    versions: list[int]
    models: list[str]
    production: list[str]


class ViewUsage(msgspec.Struct, frozen=True):
    """What a view is used for and what it costs.

    `in_use` are the versions that a model in production takes, `breaks` says what would suffer if they went. `fresh` is
    kept or broken where freshness is promised, unknown where nothing came; `age_s` is that of the newest row.
    `rows` and `bytes` are those of its log, `seconds` what registering took the last time.
    """

    view: str
    newest: int
    in_use: list[int]
    models: list[str]
    production: list[str]
    breaks: list[str]
    unused_features: list[str]
    promise: str | None
    fresh: Literal["kept", "broken", "unknown", "not promised"]
    age_s: float | None
    rows: int
    bytes: int
    seconds: float | None


class Usage(msgspec.Struct, frozen=True):
    """Who uses what. `reused` are features that two models in production take, `unused` views that no model takes."""

    views: list[ViewUsage]
    features: list[FeatureUsage]
    models: list[ModelUse]
    reused: list[str]
    unused: list[str]


@operation("features usage")
def feature_usage(store: Store, view: str | None = None) -> Usage:
    """Say who uses which feature, what would break, what nothing uses, how fresh it is and what it costs.

    With VIEW only that view and the models that take its features. A model is in production where it is a champion or
    an endpoint answers with it.

    Raises NotFound with the nearest name.
    """
    name = find_view(store, view.partition("@")[0]).name if view is not None else None
    versions: dict[str, list[ViewVersion]] = {}
    for one in view_versions(store, name):
        versions.setdefault(one.name, []).append(one)
    models = models_using(store, name)
    features = _features(versions, models)
    logs, now_us = _logs(store, name), latest_us(store.clock)
    of_view: dict[str, list[FeatureUsage]] = {}
    for feature in features:
        of_view.setdefault(feature.view, []).append(feature)
    nothing = _Log(0, 0, {})
    views = [
        _view(known, models, of_view.get(one, []), logs.get(one, nothing), now_us) for one, known in versions.items()
    ]
    return Usage(
        views=views,
        features=features,
        models=models,
        reused=[f"{one.view}:{one.feature}" for one in features if len(_models(one.production)) > 1],
        unused=[one.view for one in views if not one.models],
    )


def models_using(store: Store, view: str | None = None) -> list[ModelUse]:
    """The versions of models that take features of the view, or of any; those in production first, newest first."""
    where = {"view": view} if view is not None else None
    uses: dict[str, list[Row]] = {}
    for row in store.query("feature_use", where, order_by=["mv_id", "view", "version", "feature"]):
        uses.setdefault(row["mv_id"], []).append(row)
    rows = store.query("model_version", {"mv_id in": list(uses), "deleted": None}) if uses else []
    aliases, endpoints = _aliases(store, {row["model"] for row in rows}), _endpoints(store)
    found = [
        ModelUse(
            model=row["model"],
            version=row["version"],
            mv_id=row["mv_id"],
            owner=row["actor"],
            features=[f"{one['view']}@{one['version']}:{one['feature']}" for one in uses[row["mv_id"]]],
            aliases=sorted(aliases.get(row["mv_id"], [])),
            endpoints=sorted(endpoints.get(row["mv_id"], [])),
            in_production=_CHAMPION in aliases.get(row["mv_id"], []) or row["mv_id"] in endpoints,
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (not one.in_production, one.model, -one.version))


def _aliases(store: Store, models: Iterable[str]) -> dict[str, list[str]]:
    last: dict[tuple[str, str], Row] = {}
    for move in store.query("alias_move", {"model in": sorted(models)}, order_by=["seq"]):
        last[move["model"], move["alias"]] = move
    found: dict[str, list[str]] = {}
    for (_, alias), move in last.items():
        if not move["cleared"] and not alias.startswith("stage:"):
            found.setdefault(move["mv_id"], []).append(alias)
    return found


def _endpoints(store: Store) -> dict[str, list[str]]:
    """The endpoints that answer with a version now, by the id of the version."""
    last: dict[str, Row] = {}
    for row in store.query("route", order_by=["revision"]):
        last[row["endpoint"]] = row
    found: dict[str, list[str]] = {}
    for endpoint, row in last.items():
        for variant in msgspec.json.decode(row["detail"])["variants"]:
            found.setdefault(variant["mv_id"], []).append(endpoint)
    return found


def _features(versions: Mapping[str, Sequence[ViewVersion]], models: Sequence[ModelUse]) -> list[FeatureUsage]:
    """Every feature of the newest versions, and older ones that a model still takes."""
    takers: dict[tuple[str, str], list[tuple[int, ModelUse]]] = {}
    for name, known in versions.items():
        takers.update({(name, feature): [] for feature in known[0].feature_names})
    for model in models:
        for text in model.features:
            reference, _, feature = text.partition(":")
            name, _, version = reference.partition("@")
            takers.setdefault((name, feature), []).append((int(version), model))
    return [
        FeatureUsage(
            view=name,
            feature=feature,
            versions=sorted({version for version, _ in taking}),
            models=[model.name for _, model in taking],
            production=[model.name for _, model in taking if model.in_production],
        )
        for (name, feature), taking in takers.items()
    ]


def _view(
    versions: Sequence[ViewVersion],
    models: Sequence[ModelUse],
    features: Sequence[FeatureUsage],
    log: "_Log",
    now_us: int,
) -> ViewUsage:
    newest = versions[0]
    taking = {model.name: _taken(model, newest.name) for model in models}
    using = [model for model in models if taking[model.name]]
    production = [model for model in using if model.in_production]
    newest_us = log.newest_us.get(newest.version, newest.seen.newest_us if newest.seen else None)
    age_us = None if newest_us is None else now_us - newest_us
    return ViewUsage(
        view=newest.name,
        newest=newest.version,
        in_use=sorted({version for model in production for version, _ in taking[model.name]}),
        models=[model.name for model in using],
        production=[model.name for model in production],
        breaks=[_breaks(model, taking[model.name]) for model in production],
        unused_features=[one.feature for one in features if not one.models],
        promise=spoken(newest.declared.fresh_us),
        fresh=_kept(newest.declared.fresh_us, age_us),
        age_s=None if age_us is None else age_us / 1e6,
        rows=log.rows,
        bytes=log.bytes,
        seconds=newest.seen.seconds if newest.seen else None,
    )


def _taken(model: ModelUse, view: str) -> list[tuple[int, str]]:
    """What a model takes of a view: version and feature."""
    found = []
    for text in model.features:
        reference, _, feature = text.partition(":")
        name, _, version = reference.partition("@")
        if name == view:
            found.append((int(version), feature))
    return found


def _breaks(model: ModelUse, taken: Sequence[tuple[int, str]]) -> str:
    roles = [*model.aliases, *(f"serves {endpoint}" for endpoint in model.endpoints)]
    features = ", ".join(f"{feature}@{version}" for version, feature in taken)
    return f"{model.name} of {model.owner} ({', '.join(roles)}) takes {features}"


def _kept(promise_us: int | None, age_us: int | None) -> Literal["kept", "broken", "unknown", "not promised"]:
    if promise_us is None:
        return "not promised"
    if age_us is None:
        return "unknown"
    return "kept" if age_us <= promise_us else "broken"


class _Log(NamedTuple):
    """Of a view: rows and bytes of the log of all its versions, and of each version the greatest time in it."""

    rows: int
    bytes: int
    newest_us: dict[int, int]


def _logs(store: Store, view: str | None) -> dict[str, _Log]:
    """In two questions, however many views there are; `freshness` is the same for one version."""
    log = TABLES["feature_log"]
    has_rows = log.c.kind.in_(["source", "push"])
    asked = sa.select(
        log.c.view,
        log.c.version,
        sa.func.sum(sa.case((has_rows, log.c.rows), else_=0)).label("rows"),
        sa.func.sum(sa.func.coalesce(sa.func.length(log.c.data), 0)).label("inline"),
        sa.func.max(sa.case((has_rows, log.c.greatest_ts))).label("newest"),
    ).group_by(log.c.view, log.c.version)
    kept = sa.select(log.c.view, log.c.blob).where(log.c.blob.is_not(None))
    sizes: dict[str, int] = {}
    for row in store.select(kept.where(log.c.view == view) if view else kept):
        if store.blobs.has(row["blob"]):
            sizes[row["view"]] = sizes.get(row["view"], 0) + store.blobs.path(row["blob"]).stat().st_size
    found: dict[str, _Log] = {}
    for row in store.select(asked.where(log.c.view == view) if view else asked):
        before = found.get(row["view"], _Log(0, sizes.get(row["view"], 0), {}))
        newest = {} if row["newest"] is None else {row["version"]: int(row["newest"])}
        total = before.rows + int(row["rows"]), before.bytes + int(row["inline"])
        found[row["view"]] = _Log(*total, {**before.newest_us, **newest})
    return found


def _models(names: Sequence[str]) -> set[str]:
    return {name.rpartition("/")[0] for name in names}
