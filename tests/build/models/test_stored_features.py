"""A version knows which of its inputs are features of registered views, under its hash."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pytest
from tests.operate.serving_helpers import Fixed

from assay.build.models.packaging import StoredFeature, load_model, package_model
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.registry.registered import ViewVersion, register
from assay.errors import InvalidInput
from assay.record.clearing.gc import gc
from assay.record.clock import iso
from assay.record.models.registry import ModelVersion
from assay.record.models.versions import delete_version
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

TABLE = pa.table({"distance": [1.0, 2.0], "carrier": ["AA", "UA"], "late": [0, 1]})


@dataclass
class Used:
    feature: str
    column: str
    version: int | None = 1
    view: str = "flights"
    entity: tuple[str, ...] = ("airport",)


@dataclass
class Set:
    used: list[Used]


def flights() -> FeatureView:
    source = pa.table({"airport": ["JFK"], "at": [datetime(2020, 1, 1, tzinfo=UTC)], "way": [1.0], "who": ["AA"]})
    view: FeatureView = feature_view("flights", entity="airport", time="at", source=source)
    return view


def package(store: SqlStore, features: object) -> ModelVersion:
    with start_run(store, "serving") as run:
        return package_model(store, "late", Fixed(0.5), TABLE, ["distance", "carrier"], run=run, features=features)


@pytest.fixture
def registered(store: SqlStore) -> ViewVersion:
    return register(store, flights())


def test_inputs_that_are_features_are_kept_with_the_model_and_as_rows(store: SqlStore, registered: ViewVersion) -> None:
    version = package(store, Set([Used("who", "carrier"), Used("way", "distance"), Used("way", "not an input")]))
    common = {"view": "flights", "version": 1, "hash": registered.hash, "entity": ["airport"]}
    assert load_model(store, version).features == (
        msgspec.convert({"input": "distance", "feature": "way", **common}, StoredFeature),
        msgspec.convert({"input": "carrier", "feature": "who", **common}, StoredFeature),
    )
    rows = store.query("feature_use", {"mv_id": version.mv_id}, order_by=["feature"])
    assert [(row["view"], row["version"], row["feature"], row["input"]) for row in rows] == [
        ("flights", 1, "way", "distance"),
        ("flights", 1, "who", "carrier"),
    ]


def test_a_model_without_features_has_none(store: SqlStore) -> None:
    version = package(store, ())
    assert load_model(store, version).features == ()
    assert store.query("feature_use") == []


@pytest.mark.parametrize(
    ("used", "said"),
    [
        (Used("way", "distance", None), "which was not registered(.|\n)*assay.features.register"),
        (Used("way", "distance", 7), "flights@7, which this store does not have"),
        (Used("way", "distence"), "none of the features is an input(.|\n)*did you mean 'distance'"),
    ],
)
def test_features_that_cannot_be_looked_up_are_refused_and_nothing_is_kept(
    store: SqlStore, registered: ViewVersion, used: Used, said: str
) -> None:
    assert registered.version == 1
    with pytest.raises(InvalidInput, match=said):
        package(store, [used])
    assert store.query("model_version") == []


def test_what_a_deleted_version_used_goes_with_it(store: SqlStore, registered: ViewVersion) -> None:
    version = package(store, [Used("way", "distance", registered.version)])
    delete_version(store, "late", version.version)
    store.amend("model_version", {"mv_id": version.mv_id}, {"deleted": iso(store.clock.now() - timedelta(days=400))})
    assert gc(store, delete=True).versions == 1
    assert store.query("feature_use") == []
