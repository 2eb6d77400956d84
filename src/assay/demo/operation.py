"""`assay demo`: one full turn of the loop on real data, and what it left behind."""

import time
from importlib import resources
from pathlib import Path
from typing import Annotated

from assay.demo.again import promote_live, retrain
from assay.demo.first import GO_LIVE, first_champion, prepare_data
from assay.demo.live import watch_until_decay
from assay.demo.replay import Replay, start_of
from assay.demo.turn import FAST, FULL, Turn, unused_model_name
from assay.errors import InvalidInput
from assay.operate.client import PredictionClient, ServerProcess
from assay.operate.predictionlog import LogReader
from assay.operate.windows import ServingDays
from assay.operation import operation
from assay.progress import tell
from assay.prove.policy import parse_policy
from assay.record.identity import Actor
from assay.record.runs import start_run
from assay.record.store import Observer, Store
from assay.steer.loop import LoopSummary, summarise
from assay.steer.report import write_report

__all__ = ["DemoResult", "demo"]


class DemoResult(LoopSummary, frozen=True, kw_only=True):
    """One turn of the loop, how long it took, and where its report is."""

    seconds: float
    report: str


@operation("demo", creates_store=True)
def demo(
    store: Store,
    *,
    seed: Annotated[int, "Changes every random choice"] = 0,
    fast: Annotated[bool, "Use a part of the flights: under 25 seconds"] = False,
    report: Annotated[str, "The HTML file to write"] = "assay-report.html",
    journal: Annotated[str | None, "A file that gets the id of everything the store acknowledged"] = None,
) -> DemoResult:
    """Turn the whole loop once on a year of real flights.

    Data, training, evaluation by segment, gate, serving, late labels, decay, retraining, a refused and a promoted
    candidate, a rollback drill and a report. The journal is a check from outside that nothing is lost.
    """
    started = time.perf_counter()
    if seed < 0:
        raise InvalidInput(f"seed is {seed}", expected="0 or more")
    target = Path(report).absolute()
    if not target.parent.is_dir():
        raise InvalidInput("the report cannot be written", where=str(target), expected="a folder that exists")
    store.actor = Actor("demo", "service")
    store.clock.advance(start_of(GO_LIVE))
    heard = _journal(Path(journal)) if journal else None
    store.observer = heard
    policy = parse_policy((resources.files(__package__) / "policy.toml").read_text(), "policy.toml")
    turn = Turn(store, unused_model_name(store), seed, FAST if fast else FULL, policy)

    prepare_data(turn)
    _, champion = first_champion(turn)
    tell("serve", 0.0, "starting a server process")
    with (
        start_run(store, turn.experiment, "replay", kind="batch", stage="prod", model=turn.model) as run,
        ServerProcess(store.location, turn.model) as server,
    ):
        days = ServingDays(store, LogReader(store.blobs.root.parent / "predictions" / turn.model))
        replay = Replay(
            store,
            PredictionClient(server.url),
            turn.replayed(),
            days,
            request_rows=turn.size.request_rows,
            acknowledged=heard,
        )
        _, state, today = watch_until_decay(turn, champion, replay, days)
        candidates = retrain(turn, champion, state, today)
        promote_live(turn, candidates, today, replay=replay, days=days, url=server.url)
        run.metrics({"predictions": replay.sent, "failed_requests": replay.failed})
    tell("report", 0.0)
    summary = summarise(store, turn.model)
    write_report(store, turn.model, target)
    tell("report", 1.0, str(target))
    parts = {name: getattr(summary, name) for name in LoopSummary.__struct_fields__}
    return DemoResult(**parts, seconds=time.perf_counter() - started, report=str(target))


def _journal(path: Path) -> Observer:
    file = path.open("a", buffering=1)

    def heard(kind: str, key: str) -> None:
        file.write(f"{kind} {key}\n")

    return heard
