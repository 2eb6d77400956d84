"""An endpoint with a champion and a challenger, and traffic at it whose truth is known, written to its log."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

import msgspec
import numpy as np
from numpy.typing import NDArray
from tests.operate.serving_helpers import Fixed
from tests.prove.worlds import add_version, judged

from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.operate.releases.rules import Exposure, Limit, Rules
from assay.operate.routing.assignment import assigner
from assay.prove.promotion import promote
from assay.record.clock import iso
from assay.record.models.registry import ModelVersion
from assay.record.models.routes import Variant, current_route
from assay.record.store import Store

ENDPOINT = "late"
SOON = Rules(
    exposure=Exposure(units=100),
    errors=Limit(0.1),
    slow=Limit(0.1, 1.5),
    invalid=Limit(0.1),
    schema=Limit(0.1),
    shift=0.25,
)


@dataclass(frozen=True)
class Behaviour:
    """How a version answers: the share of rows with an error, without a number, flagged; its time and its outputs."""

    errors: float = 0.005
    invalid: float = 0.0
    flagged: float = 0.0
    mean_us: float = 2000.0
    outputs: Callable[[np.random.Generator], float] = field(default=lambda generator: float(generator.beta(2, 5)))


HEALTHY = Behaviour()
BROKEN = Behaviour(errors=1.0)


class Failing(Fixed):
    """Fails on one carrier."""

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        if "ZZ" in X[:, 1]:
            raise ArithmeticError("no such carrier")
        return super().predict_proba(X)


class World:
    """Traffic at the endpoint, written as servers would, with a clock of its own."""

    def __init__(self, store: Store, seed: int = 0) -> None:
        self.store = store
        self.now = store.clock.now()
        self.generator = np.random.default_rng(seed)
        self.log = LogWriter(log_folder(store, ENDPOINT), durability="process")
        self._numbers = count()
        self.lose_challengers = 0.0  # of their rows so many never reach the log

    def number_from(self, number: int) -> None:
        """Let ids and units go on with this number."""
        self._numbers = count(number)

    def request(
        self,
        n: int = 1,
        champion: Behaviour = HEALTHY,
        challenger: Behaviour = HEALTHY,
        *,
        units: Callable[[int], str | None] = lambda number: f"unit {number}",
        forced: str | None = None,
        seconds: float = 0.01,
    ) -> list[Prediction]:
        """So many requests by the route of now, `seconds` apart; the rows that they left."""
        route = current_route(self.store, ENDPOINT)
        assigned = assigner(route)
        rows = []
        for _ in range(n):
            number = next(self._numbers)
            self.now += timedelta(seconds=seconds)
            unit = units(number)
            found = assigned.assign(unit or f"id {number}", forced=forced)
            variant = route.variants[found.variant]
            if found.variant and self.generator.random() < self.lose_challengers:
                continue
            row = self._row(number, unit, variant, route.revision, challenger if found.variant else champion)
            split = {"experiment": route.split.experiment, "phase": route.split.phase} if route.split else {}
            rows.append(_with(row, reason=found.reason, propensity=found.propensity, **split))
            for shadow in route.shadows:
                copied = self._row(number, unit, shadow, route.revision, challenger)
                alike = challenger.outputs is champion.outputs and row.output and copied.output
                rows.append(_with(copied, role="shadow", output=row.output if alike else copied.output))
        self.log.append(rows)
        return rows

    def _row(self, number: int, unit: str | None, variant: Variant, revision: int, way: Behaviour) -> Prediction:
        drawn = self.generator.random(3) < [way.errors, way.invalid, way.flagged]
        failed, invalid, flagged = (bool(value) for value in drawn)
        return Prediction(
            id=f"id {number}",
            ts=iso(self.now),
            event_ts=None,
            request_id=f"request {number}",
            row=0,
            endpoint=ENDPOINT,
            model="late",
            version=1 if variant.name == "champion" else 2,
            mv_id=variant.mv_id,
            role="live",
            unit=unit,
            propensity=1.0,
            features=(1.0,),
            output=None if failed or invalid else way.outputs(self.generator),
            status="error" if failed else "ok",
            error="it failed" if failed else None,
            latency_us=int(self.generator.exponential(way.mean_us)) + 100,
            variant=variant.name,
            revision=revision,
            flags={"score": "imputed"} if flagged else None,
        )


def _with(row: Prediction, **changes: object) -> Prediction:
    changed: Prediction = msgspec.structs.replace(row, **changes)
    return changed


def versions(store: Store, *, verdict: bool = True) -> tuple[ModelVersion, ModelVersion]:
    """A champion, and a challenger that the gate let pass; without `verdict` nobody has judged it."""
    champion, challenger = add_version(store, "old"), add_version(store, "new")
    promote(store, "late", champion.version, override="the first one")
    if verdict:
        judged(store, challenger, champion)
    return champion, challenger


def worse(way: Behaviour = HEALTHY, **changes: object) -> Behaviour:
    """The same, but for what is named."""
    return replace(way, **changes)  # type: ignore[arg-type]
