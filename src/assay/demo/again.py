"""Third chapter: the trigger retrains on fresh data, the gate tells the candidates apart, one is promoted live."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta

import msgspec
import pyarrow as pa

from assay.build.data.splits import split_by_time
from assay.demo import data
from assay.demo.first import START
from assay.demo.live import close_day, watch
from assay.demo.pipeline import CHANGE, MIXED_UP_CARRIER, mix_up_units, sample_rows
from assay.demo.replay import Replay, days_between, start_of
from assay.demo.training import PIPELINE, fit_and_register, judge_on, training_run
from assay.demo.turn import Turn
from assay.errors import Refused
from assay.operate.drills import Drill, rehearse_rollback
from assay.operate.monitor import MonitorState
from assay.operate.serving.client import PredictionClient
from assay.operate.triggers import define_trigger, fire, link_run
from assay.operate.windows import ServingDays
from assay.progress import tell
from assay.prove.gate import GateResult
from assay.prove.promotion import promote
from assay.record.datasets import snapshot
from assay.record.models.registry import ModelVersion
from assay.record.models.routes import wait_acknowledged

__all__ = ["Candidates", "promote_live", "retrain"]

HOLD_OUT_DAYS = 42
PATIENCE_S = 10.0
TRAFFIC_DAYS = 14


class Candidates(msgspec.Struct, frozen=True):
    """What retraining gave: versions with their verdicts, in the order in which the gate saw them."""

    hold_out: pa.Table
    judged: list[tuple[ModelVersion, GateResult]]


def retrain(turn: Turn, champion: ModelVersion, state: MonitorState, today: date) -> Candidates:
    """Train two candidates on what is known today, one of them after a mistake, and have both judged blindly."""
    tell("retrain", 0.0, "on flights whose labels have arrived")
    store = turn.store
    kind = "performance" if state.alert_id else "schedule"
    trigger = define_trigger(store, turn.model, kind, PIPELINE)
    reason = "quality decayed" if state.alert_id else f"four months passed by {today}"
    fired = fire(store, trigger, reason, alert_id=state.alert_id)
    params = store.get("run_param", {"run_id": champion.run_id, "key": "configuration"})
    configuration = str(params["value"])
    cut = today - timedelta(days=HOLD_OUT_DAYS)
    fresh, hold_out = split_by_time(turn.known_by(today), "departure", [start_of(d) for d in (START, cut, today)])
    with training_run(turn, "retrain", trigger_type=kind) as run:
        link_run(store, fired, run.run_id)
        tables = {"": fresh, CHANGE: mix_up_units(fresh, MIXED_UP_CARRIER)}
        order = list(tables)
        random.Random(turn.seed).shuffle(order)  # noqa: S311 - an order, not a secret
        versions = []
        for number, change in enumerate(order):
            tell("retrain", 0.2 + 0.4 * number, f"candidate {number + 1} of {len(order)}")
            rows = sample_rows(tables[change], turn.size.train_share, turn.seed)
            with training_run(turn, f"candidate {number + 1}", trigger_type=kind) as child:
                child.tags({"change": change or "none"})
                versions.append(fit_and_register(turn, child, rows, configuration, cut, hold_out))
        judged_on = snapshot(store, "hold-out", hold_out, source_system=data.ORIGIN, licence=data.LICENCE)
        # The gate is given versions and rows, not how they were made.
        judged = [(version, judge_on(turn, version, champion, hold_out, judged_on)) for version in versions]
    tell("retrain", 1.0, ", ".join(f"version {v.version}: {g.verdict}" for v, g in judged))
    return Candidates(hold_out, judged)


def promote_live(
    turn: Turn, candidates: Candidates, today: date, *, replay: Replay, days: ServingDays, url: str
) -> tuple[ModelVersion | None, Drill | None]:
    """Promote the first candidate that may go live while requests go on, then rehearse the way back."""
    promoted, drill = None, None
    with _traffic(replay, today):
        for version, _ in candidates.judged:
            try:
                done = promote(turn.store, turn.model, version.version)
            except Refused:
                continue
            tell("promote", 0.3, f"version {version.version} under live traffic")
            wait_acknowledged(turn.store, turn.model, done.revision, timeout_s=PATIENCE_S)
            promoted = version
            break
        if promoted:
            tell("promote", 0.6, "rollback drill")
            with PredictionClient(url) as client:
                drill = rehearse_rollback(turn.store, turn.model, client)
    if promoted:
        monitor = watch(turn, promoted, candidates.hold_out)
        for day in days_between(today, today + timedelta(days=TRAFFIC_DAYS)):
            replay.end_day(day)
            close_day(turn.store, turn.model, monitor, days, day - timedelta(days=1))
    tell("promote", 1.0, f"version {promoted.version}" if promoted else "nothing to promote")
    return promoted, drill


@contextmanager
def _traffic(replay: Replay, first: date) -> Iterator[None]:
    """Requests of the next days, one after the other in a thread of their own; the block's end waits for them."""

    def send() -> None:
        for day in days_between(first, first + timedelta(days=TRAFFIC_DAYS)):
            replay.send_day(day)

    with ThreadPoolExecutor(1, "traffic") as pool:
        sending = pool.submit(send)
        yield
        sending.result()  # raises what went wrong there
