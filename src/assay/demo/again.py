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
from assay.operate.monitors.versions import Standing
from assay.operate.releases.records import find_rollout
from assay.operate.releases.rules import Exposure, Limit, Rules
from assay.operate.releases.starting import start_release
from assay.operate.releases.ticking import Ticker
from assay.operate.serving.client import PredictionClient
from assay.operate.triggers.definition import Condition, TriggerDefinition
from assay.operate.triggers.firing import close_behind, fire, link_run
from assay.operate.triggers.records import RUN_TYPES, declare_triggers
from assay.operate.triggers.stories import end_story
from assay.operate.triggers.truth import Cause
from assay.operate.windows import ServingDays
from assay.progress import tell
from assay.prove.gate import GateResult
from assay.prove.promotion import passed_or_overridden
from assay.record.datasets import snapshot
from assay.record.models.registry import CHAMPION, ModelVersion, alias
from assay.record.models.routes import current_route, wait_acknowledged
from assay.record.store import Store

__all__ = ["Candidates", "promote_live", "retrain"]

HOLD_OUT_DAYS = 42
LONGEST_LIFE = "120d"
PATIENCE_S = 10.0
TRAFFIC_DAYS = 7  # during and after the drill
LONGEST_RELEASE_DAYS = 28
STRATEGY = "shadow,canary:20,50"
# Not asked: whether predictions fall elsewhere, since a candidate was retrained because they should; and latency, which
# says little while a year passes in seconds.
RULES = Rules(guardrails=("errors", "invalid", "schema"), exposure=Exposure(units=100), schema=Limit(0.05), count="row")


class Candidates(msgspec.Struct, frozen=True):
    """What retraining gave: versions with their verdicts, in the order in which the gate saw them."""

    story_id: str
    hold_out: pa.Table
    judged: list[tuple[ModelVersion, GateResult]]


def retrain(turn: Turn, champion: ModelVersion, state: Standing, today: date) -> Candidates:
    """Train two candidates on what is known today, one of them after a mistake, and have both judged blindly."""
    tell("retrain", 0.0, "on flights whose labels have arrived")
    store = turn.store
    rules = {"decay": TriggerDefinition(any_of=[Condition(harm="performance"), Condition(max_age=LONGEST_LIFE)])}
    (trigger,) = declare_triggers(store, turn.model, PIPELINE, rules)
    reason = "quality decayed" if state.alert_id else f"four months passed by {today}"
    cause = Cause(
        kind="harm" if state.alert_id else "max_age",
        identity=f"{champion.mv_id} {today}",
        words=reason,
        evidence={"e_value": state.e_value, "days": state.windows},
        alert_id=state.alert_id,
    )
    kind = RUN_TYPES[cause.kind]
    fired = fire(store, trigger, cause).fire_id
    params = store.get("run_param", {"run_id": champion.run_id, "key": "configuration"})
    configuration = str(params["value"])
    cut = today - timedelta(days=HOLD_OUT_DAYS)
    fresh, hold_out = split_by_time(turn.known_by(today), "departure", [start_of(d) for d in (START, cut, today)])
    with training_run(turn, "retrain", trigger_type=kind) as run:
        link_run(store, fired, run.run_id)
        close_behind(store, fired, "two candidates were trained for it")
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
    return Candidates(fired, hold_out, judged)


def promote_live(
    turn: Turn, candidates: Candidates, today: date, *, replay: Replay, days: ServingDays, url: str
) -> tuple[ModelVersion | None, Drill | None]:
    """Release the first candidate that may go live, beside the champion on live traffic, then rehearse the way back."""
    promoted, drill, day = None, None, today
    for version, _ in candidates.judged:
        if _let_pass(turn.store, version):
            day = _release(turn, version, today, replay)
            promoted = alias(turn.store, turn.model, CHAMPION)
            break
    released = promoted is not None and promoted.mv_id == version.mv_id
    with _traffic(replay, day):
        if released:
            tell("promote", 0.8, "rollback drill under live traffic")
            with PredictionClient(url) as client:
                drill = rehearse_rollback(turn.store, turn.model, client)
    if released:
        monitor = watch(turn, version, candidates.hold_out, today)
        last = day + timedelta(days=TRAFFIC_DAYS)
        for after in days_between(day, last):
            replay.end_day(after)
        for over in days_between(today, last):
            close_day(turn.store, turn.model, monitor, days, over - timedelta(days=1))
    said = f"version {version.version}" if released else "nothing to promote"
    end_story(turn.store, candidates.story_id, "promoted" if released else "refused", said, mv_id=version.mv_id)
    tell("promote", 1.0, said)
    return (version if released else None), drill


def _let_pass(store: Store, version: ModelVersion) -> bool:
    try:
        passed_or_overridden(store, version, alias(store, version.model, CHAMPION), None)
    except Refused:
        return False
    return True


def _release(turn: Turn, version: ModelVersion, today: date, replay: Replay) -> date:
    """Let it answer beside the champion until the evidence is in; the first day that was not sent.

    First nobody hears it, then a fifth of the flights get its answers, then a half; then it takes over.
    """
    rollout = start_release(turn.store, turn.model, version.version, strategy=STRATEGY, rules=RULES)
    ticker = Ticker(turn.store, rollout)
    for number in range(LONGEST_RELEASE_DAYS):
        day = today + timedelta(days=number)
        wait_acknowledged(turn.store, turn.model, current_route(turn.store, turn.model).revision, timeout_s=PATIENCE_S)
        replay.send_day(day)
        replay.end_day(day)
        ticker.tick()
        rollout = find_rollout(turn.store, rollout.rollout_id)
        said = f"version {version.version} beside the champion, {rollout.step_name}, {day}"
        tell("promote", 0.7 * number / LONGEST_RELEASE_DAYS, said)
        if rollout.status != "running":
            break
    return day + timedelta(days=1)


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
