"""`assay demo`: one full turn of the loop on real data, and what it left behind."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Annotated

from assay.demo.again import promote_live, retrain
from assay.demo.first import GO_LIVE, first_champion, prepare_data
from assay.demo.live import watch_until_decay
from assay.demo.replay import Replay, start_of
from assay.demo.turn import FAST, FULL, Size, Turn, unused_model_name
from assay.errors import InvalidInput
from assay.operate.predictions.tail import Tail
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.operate.windows import ServingDays
from assay.operation import operation
from assay.progress import tell
from assay.prove.policy import parse_policy
from assay.record.clock import Clock
from assay.record.identity import Actor
from assay.record.store import Observer, Store
from assay.record.tracking.runs import start_run
from assay.steer.loop import LoopSummary, summarise
from assay.steer.report import write_report

__all__ = ["DemoResult", "demo"]


class DemoResult(LoopSummary, frozen=True, kw_only=True):
    """One turn of the loop, how long it took, and where its report is."""

    seconds: float
    report: str


def check_options(seed: int, report: str, journal: str | None, **_: object) -> None:
    """Refuse what would fail at the end of the turn, before it begins."""
    if seed < 0:
        raise InvalidInput(f"seed is {seed}", expected="0 or more")
    named = {"report": report} | ({"journal": journal} if journal else {})
    for what, name in named.items():
        path = Path(name).absolute()
        if path.is_dir() or not path.parent.is_dir():
            raise InvalidInput(
                f"the {what} cannot be written", where=str(path), expected="the name of a file in a folder that exists"
            )


@operation("demo", creates_store=True, check=check_options, local=True)
def demo(
    store: Store,
    *,
    seed: Annotated[int, "Changes every random choice"] = 0,
    fast: Annotated[bool, "Use a part of the flights: under 25 seconds"] = False,
    report: Annotated[str, "The HTML file to write"] = "assay-report.html",
    journal: Annotated[str | None, "A file that gets the id of everything the store acknowledged"] = None,
) -> DemoResult:
    """Turn the whole loop once on a year of real flights.

    Data, training, evaluation by segment, gate, serving, late labels, decay, retraining, a refused candidate, one that
    is released beside the champion, a rollback drill and a report. The journal is a check from outside that nothing is
    lost.
    """
    check_options(seed, report, journal)
    target = Path(report).absolute()
    with _demo_time(store, Path(journal).absolute() if journal else None):
        return _turn_once(store, seed, FAST if fast else FULL, target)


def _turn_once(store: Store, seed: int, size: Size, target: Path) -> DemoResult:
    started = time.perf_counter()
    policy = parse_policy((resources.files(__package__) / "policy.toml").read_text(), "policy.toml")
    turn = Turn(store, unused_model_name(store), seed, size, policy)

    prepare_data(turn)
    _, champion = first_champion(turn)
    tell("serve", 0.0, "starting a server process")
    with (
        start_run(store, turn.experiment, "replay", kind="batch", stage="prod", model=turn.model) as run,
        ServerProcess(store.location, turn.model) as server,
        PredictionClient(server.url) as client,
    ):
        days = ServingDays(store, Tail(store, turn.model))
        replay = Replay(
            store,
            client,
            turn.replayed(),
            days,
            request_rows=turn.size.request_rows,
            acknowledged=store.observer,
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


@contextmanager
def _demo_time(store: Store, journal: Path | None) -> Iterator[None]:
    """Inside the block the store is the demo's: its name, the year 2013, and what it acknowledges in the journal."""
    before = store.actor, store.clock, store.observer
    store.actor, store.clock = Actor("demo", "service"), Clock(start_of(GO_LIVE))
    try:
        with _journal(journal) as heard:
            store.observer = heard or store.observer
            yield
    finally:
        store.actor, store.clock, store.observer = before


@contextmanager
def _journal(path: Path | None) -> Iterator[Observer | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("a", buffering=1)
    except OSError as error:
        raise InvalidInput(f"the journal cannot be written: {error.strerror}", where=str(path)) from error

    def heard(kind: str, key: str) -> None:
        file.write(f"{kind} {key}\n")

    with file:
        yield heard
