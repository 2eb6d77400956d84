"""Two registered views, a model that takes features of both, and rows that arrive, for the tests of serving."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tests.operate.serving_helpers import ENDPOINT, add_route

from assay.build.models.packaging import package_model
from assay.build.views.arriving.push import push
from assay.build.views.declared.history import as_rows
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.training_set import TrainingSet, training_set
from assay.build.views.log.log import append_rows
from assay.build.views.online.store import open_online
from assay.build.views.registry.registered import ViewVersion, register
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.reading import LogReader
from assay.operate.routing.watching import Watcher
from assay.operate.serving.app import Application
from assay.record.clock import to_us
from assay.record.location import open_store
from assay.record.models.registry import ModelVersion
from assay.record.models.routes import current_route
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

FEATURES = ["airports:delay", "airports:flights", "carriers:size"]
INPUTS = ["distance", "delay", "flights", "size"]
KEYS: dict[str, object] = {"airport": "JFK", "carrier": 7}
ROW: dict[str, object] = {"distance": 1.0, **KEYS}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Sum:
    """The probability is the sum of the inputs in hundredths, nulls are 0."""

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        positive = np.nansum(X.astype(np.float64), axis=1) / 100
        return np.column_stack([1 - positive, positive])


def airport(delay: float | None, at: datetime, key: str | None = "JFK", flights: int | None = 3) -> dict[str, object]:
    """A row of the view of airports."""
    return {"airport": key, "at": at, "delay": delay, "flights": flights}


def carrier(size: float | None, at: datetime, key: int | None = 7, told: datetime | None = None) -> dict[str, object]:
    """A row of the view of carriers, which says when a row became known."""
    return {"carrier": key, "at": at, "told": told or at, "size": size}


def airports_of(rows: Sequence[Mapping[str, object]], ttl: str = "1d") -> FeatureView:
    """Of an airport (text): delay (float) and flights (whole number), for a day."""
    types = {"airport": pa.string(), "at": pa.timestamp("us", "UTC"), "delay": pa.float64(), "flights": pa.int64()}
    view: FeatureView = feature_view("airports", entity="airport", time="at", ttl=ttl, source=_table(rows, types))
    return view


def carriers_of(rows: Sequence[Mapping[str, object]]) -> FeatureView:
    """Of a carrier (whole number): size, for ever."""
    time = pa.timestamp("us", "UTC")
    types = {"carrier": pa.int64(), "at": time, "told": time, "size": pa.float64()}
    view: FeatureView = feature_view(
        "carriers", entity="carrier", time="at", created="told", source=_table(rows, types)
    )
    return view


@dataclass
class Place:
    """A store with both views registered, and a version of a model that takes features of both."""

    store: SqlStore
    airports: FeatureView
    carriers: FeatureView
    versions: dict[str, ViewVersion]

    def arrive(self, rows: Sequence[Mapping[str, object]], at: datetime, *, online: bool = True) -> None:
        """Rows come at a moment: into the log, and into the online store."""
        view = self.airports if "airport" in rows[0] else self.carriers
        version = self.versions[view.name]
        table = _table(rows, view.source.schema)
        if online:
            push(version, table, store=self.store, now_us=to_us(at))
        else:
            append_rows(self.store, version, as_rows(view, table, 0), "push", to_us(at))

    def slip(self, rows: Sequence[Mapping[str, object]], at: datetime) -> None:
        """Rows come into the online store behind the back of the log: what replay has to find."""
        view = self.airports if "airport" in rows[0] else self.carriers
        rows_of_view = as_rows(view, _table(rows, view.source.schema), 10**6)
        place = rows_of_view.column_names.index("__created")
        created = pa.array([to_us(at)] * len(rows), pa.int64())
        open_online(self.store).table(self.versions[view.name]).write(
            rows_of_view.set_column(place, "__created", created), to_us(at)
        )

    def train(self, at: datetime) -> TrainingSet:
        """A training set of both views."""
        labels = pa.table({"airport": ["JFK"], "carrier": [7], "when": [at], "distance": [1.0], "late": [1]})
        return training_set(labels, FEATURES, store=self.store)

    def package(
        self, trained: TrainingSet, model: object | None = None, inputs: Sequence[str] | None = tuple(INPUTS)
    ) -> ModelVersion:
        """A model, and a route to it."""
        with start_run(self.store, "serving") as run:
            version = package_model(
                self.store, "delays", model or Sum(), trained.table, inputs, run=run, features=trained
            )
        add_route(self.store, version)
        return version


class Served:
    """An endpoint in this process, and its log."""

    def __init__(self, place: Place) -> None:
        self.watcher = Watcher(place.store, current_route(place.store, ENDPOINT))
        self.log = LogWriter(log_folder(place.store, ENDPOINT), durability="process")
        self.application = Application(self.watcher, self.log)
        self._reader = LogReader(self.log.folder)

    def logged(self) -> list[Prediction]:
        """What was logged since the last call."""
        return self._reader.read_new()

    def close(self) -> None:
        self.watcher.close()
        self.log.close()


def make_place(folder: Path) -> Place:
    """The store, its views registered with a row each that came at noon, and version 1 behind the endpoint."""
    store = open_store(folder)
    airports = airports_of([airport(5.0, NOON)])
    carriers = carriers_of([carrier(20.0, NOON)])
    versions = {view.name: register(store, view) for view in (airports, carriers)}
    place = Place(store, airports, carriers, versions)
    place.arrive([airport(5.0, NOON)], NOON)
    place.arrive([carrier(20.0, NOON)], NOON)
    place.package(place.train(NOON))
    return place


def _table(rows: Sequence[Mapping[str, object]], schema: Mapping[str, pa.DataType] | pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(
        list(rows), schema=schema if isinstance(schema, pa.Schema) else pa.schema(list(schema.items()))
    )
