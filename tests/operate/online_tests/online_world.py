"""An endpoint with a champion and challengers, and traffic that is logged as a server would log it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
from tests.operate.serving_helpers import ENDPOINT, add_route, add_version, prediction

from assay.operate.labels.recording import Label, record_labels
from assay.operate.online_tests.metric import Metric
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.operate.routing.assignment import assigner
from assay.record.clock import iso
from assay.record.models.routes import current_route
from assay.record.store import Store

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ACCURACY = Metric(name="wrong", numerator="wrong", maturity="1h", window="0s")
_ids = count()


def endpoint(store: Store, challengers: int = 1) -> None:
    """A champion, version 1, that answers, and more versions that do not yet."""
    store.clock.advance(BEGIN)
    champion, *_ = [add_version(store) for _ in range(1 + challengers)]
    add_route(store, champion)


def serve(
    store: Store,
    units: Sequence[str | None],
    *,
    at: datetime,
    every: timedelta = timedelta(seconds=1),
    output: Callable[[str, int], float] = lambda variant, place: 0.9,
    label: Callable[[str, int], float | None] = lambda variant, place: 1.0,
    happened: timedelta = timedelta(minutes=10),
    forced: str | None = None,
    with_shadows: bool = True,
) -> list[Prediction]:
    """Log a row for each unit as the route of now assigns it, and its label, which happens later."""
    route = current_route(store, ENDPOINT)
    assign = assigner(route)
    logged: list[Prediction] = []
    labels = []
    split = route.split
    for place, unit in enumerate(units):
        moment = at + place * every
        id = f"p{next(_ids)}"
        assigned = assign.assign(unit if unit is not None else id, forced=forced)
        variant = route.variants[assigned.variant]
        row = prediction(
            id,
            ts=iso(moment),
            event_ts=iso(moment),
            unit=unit,
            mv_id=variant.mv_id,
            variant=variant.name,
            revision=route.revision,
            reason=assigned.reason,
            propensity=assigned.propensity,
            bucket=assigned.bucket,
            experiment=split.experiment if split else None,
            phase=split.phase if split else None,
            salt=split.salt if split else None,
            hash_version=split.hash_version if split else None,
            output=output(variant.name, place),
            latency_us=5000,
            features=(float(place), "UA" if place % 2 else "AA"),
        )
        logged.append(row)
        if with_shadows:
            for shadow in route.shadows:
                changes = {"role": "shadow", "variant": shadow.name, "mv_id": shadow.mv_id}
                logged.append(_with(row, **changes, output=output(shadow.name, place)))
        value = label(variant.name, place)
        if value is not None:
            labels.append(Label(id, value, moment + happened))
    with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
        writer.append(logged)
    last = at + len(units) * every
    if store.clock.event is None or last > store.clock.event:
        store.clock.advance(last)
    record_labels(store, labels)
    return logged


def names(n: int, prefix: str = "u") -> list[str]:
    """Units."""
    return [f"{prefix}{place}" for place in range(n)]


def coin(seed: int, probability: Callable[[str], float]) -> Callable[[str, int], float]:
    """Outcomes of 0 and 1 with a probability by variant."""
    random = np.random.default_rng(seed)
    return lambda variant, place: float(random.random() < probability(variant))


def _with(row: Prediction, **changes: object) -> Prediction:
    import msgspec

    return msgspec.structs.replace(row, **changes)
