"""An endpoint whose traffic is drawn day by day, logged as a server would log it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pyarrow as pa
from tests.operate.serving_helpers import ENDPOINT, Fixed, add_route, prediction

from assay.build.models.packaging import package_model
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.record.clock import iso
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.record.tracking.runs import start_run

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
CARRIERS = np.array(["AA", "UA", "DL", "B6"])
SHARES = (0.4, 0.3, 0.2, 0.1)
_ids = count()


def around(middle: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Distances around a middle."""
    return lambda chance, rows: chance.normal(middle, 200, rows)


_USUAL = around(1000)


def endpoint(store: Store, *, days: bool = False, name: str = ENDPOINT) -> ModelVersion:
    """A version answers that was trained on what is served; with `days`, on rows of 20 days, each known by itself."""
    if store.clock.event is None:
        store.clock.advance(BEGIN)
    version = trained_version(store, days=days)
    add_route(store, version, endpoint=name)
    return version


def trained_version(store: Store, *, days: bool = False, middle: float = 1000.0) -> ModelVersion:
    """A version whose training table has the distribution of `serve_day`."""
    chance, rows = np.random.default_rng(99), 4000
    table = pa.table(
        {
            "distance": chance.normal(middle, 200, rows),
            "carrier": chance.choice(CARRIERS, rows, p=SHARES),
            "day": pa.array([(BEGIN - (1 + place % 20) * DAY).date() for place in range(rows)], pa.date32()),
        }
    )
    with start_run(store, "training") as run:
        return package_model(
            store, "delays", Fixed(0.5), table, ["distance", "carrier"], run=run, time="day" if days else None
        )


def serve_day(
    store: Store,
    day: int,
    version: ModelVersion,
    *,
    rows: int = 300,
    seed: int = 0,
    distance: Callable[[np.random.Generator, int], np.ndarray] = _USUAL,
    shares: tuple[float, ...] = SHARES,
    failed: int = 0,
    latency_us: Callable[[np.random.Generator, int], np.ndarray] = lambda chance, rows: chance.gamma(4, 1000, rows),
    output: Callable[[np.random.Generator, np.ndarray], np.ndarray] | None = None,
    change: Callable[[int, tuple[str | float | None, ...]], tuple[str | float | None, ...]] | None = None,
    endpoint: str = ENDPOINT,
) -> list[Prediction]:
    """Log a day of rows, a few minutes apart, and let the clock go on to its end."""
    chance = np.random.default_rng([seed, day])
    values = distance(chance, rows)
    carriers = chance.choice(CARRIERS, rows, p=shares)
    outputs = output(chance, values) if output else 1 / (1 + np.exp(-(values - 1000) / 200 + chance.normal(0, 1, rows)))
    latencies = latency_us(chance, rows)
    logged = []
    for place in range(rows):
        moment = iso(BEGIN + (day + place / rows) * DAY)
        features: tuple[str | float | None, ...] = (float(values[place]), str(carriers[place]))
        if change is not None:
            features = change(place, features)
        is_failed = place < failed
        logged.append(
            prediction(
                f"p{next(_ids)}",
                endpoint=endpoint,
                ts=moment,
                event_ts=moment,
                mv_id=version.mv_id,
                features=features,
                output=None if is_failed else float(outputs[place]),
                status="error" if is_failed else "ok",
                error="broken" if is_failed else None,
                latency_us=int(latencies[place]),
            )
        )
    with LogWriter(log_folder(store, endpoint), durability="process") as writer:
        writer.append(logged)
    end = BEGIN + (day + 1) * DAY
    if store.clock.event is None or end > store.clock.event:
        store.clock.advance(end)
    return logged
