"""The year, night after night: what was asked is answered and logged, what landed is kept, and the loop looks once."""

import contextlib
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.sources import source
from assay.build.models.packaging import LoadedModel, load_model
from assay.build.models.table_model import TableModel
from assay.demo.pipeline import FEATURES, LABEL
from assay.demo.replay import Replay, days_between, start_of
from assay.demo.year.answering import Here
from assay.demo.year.days import Landing, all_flights, in_hours, of_days
from assay.demo.year.plan import Day, Happening, Plan, Policy, Year
from assay.errors import NotFound
from assay.operate.predictions.tail import Tail
from assay.operate.project.candidate import train_model
from assay.operate.project.running import run_project
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.triggers.firing import firings
from assay.operate.watching.commands import retrain, watch
from assay.operate.watching.story import find_story
from assay.operate.watching.ticking import Tick
from assay.operate.windows import ServingDays
from assay.prove.promotion import promote
from assay.record.clock import Clock
from assay.record.identity import Actor
from assay.record.location import open_store
from assay.record.models.registry import CHAMPION, alias, find_version
from assay.record.notify.webhooks import add_webhook
from assay.record.store import Store

__all__ = ["held_by_data", "replay_year"]

_FIRST = date(2013, 1, 1)
_REQUEST_ROWS = 250
_FILES = ("assay.toml", "flights.py", "colleague.py")
_DAY = timedelta(days=1)


def replay_year(folder: Path, plan: Plan | None = None, told: Callable[[str], object] = str) -> Year:
    """Replay it in a project and a store in `folder`, which are made; `told` hears what happens, a line each.

    What people are told is in the file `told.jsonl` there, a line of JSON each.
    """
    plan = plan or Plan()
    project = _project(folder)
    clock, actor = Clock(start_of(plan.live)), Actor("year", "service")
    with contextlib.closing(open_store(folder / ".assay", clock=clock, actor=actor)) as store:
        year = _Replayed(store, project, plan, told).run()
        year.happened = sorted([*year.happened, *held_by_data(store, project.model_name)], key=lambda one: one.day)
        return year


def held_by_data(store: Store, model: str) -> list[Happening]:
    """When trainings were due and broken data kept them back."""
    found = []
    for one in firings(store, model=model, limit=1_000):
        if one.outcome == "blocked" and one.evidence.get("rule") == "data":
            day = date.fromisoformat(one.when[:10]) - _DAY  # the night after the day
            found.append(Happening(day, "held", f"{one.trigger}: {one.reason}", one.trigger))
    return found


class _Replayed:
    """A replay under way: `truth` is what the flights were, `served` what the feed said of them."""

    def __init__(self, store: Store, project: ProjectFile, plan: Plan, told: Callable[[str], object]) -> None:
        self.store, self.project, self.plan, self._told = store, project, plan, told
        self.model = project.model_name
        self.truth = all_flights(plan.share, plan.seed)
        self.served = in_hours(self.truth, *plan.broken) if plan.broken else self.truth
        self.landing = Landing(project.folder / "landed")
        costs = project.staleness
        if costs is None or costs.training is None or costs.loss is None:
            raise NotFound("the project says no costs", where=str(project.file))
        self.year = Year(share=plan.share, training_cost=costs.training, loss_cost=costs.loss)
        self._alerts: set[str] = set()
        self._bad: LoadedModel | None = None

    def run(self) -> Year:
        """From the first model to the last night."""
        plan = self.plan
        told = str(self.project.folder / "told.jsonl")
        add_webhook(self.store, "post", told, form="file", events="alert.opened,retraining.ended")
        for day in days_between(_FIRST, plan.live):
            self.landing.land(self.truth, day)
        retrain(self.store, self.model, reason="the first one", project=str(self.project.file))
        first = self._champion()
        monthly: TableModel = first
        with Here(self.store, self.model) as here:
            days = ServingDays(self.store, Tail(self.store, self.model))
            replay = Replay(self.store, here, self.served, days, request_rows=_REQUEST_ROWS, acknowledged=None)
            for day in days_between(plan.live, plan.last):
                if day.day == 1 and day > plan.live:
                    monthly = self._trained_by_the_calendar(day)
                asked = of_days(self.served, day, day + _DAY)
                here.outputs.clear()
                replay.send_day(day)
                said: dict[Policy, NDArray[np.float64]] = {
                    "never": _chances(first, asked),
                    "monthly": _chances(monthly, asked),
                    "loop": np.array(here.outputs),
                }
                self.year.days.append(_score(day, asked, said))
                self._follow_bad(day, asked, here.versions)
                here.versions.clear()
                replay.end_day(day)
                self._land(day)
                self._accidents(day)
                self._tell_tick(day, watch(self.store, project=[str(self.project.file)], once=True))
                here.follow()
        return self.year

    def _champion(self) -> TableModel:
        champion = alias(self.store, self.model, CHAMPION)
        if champion is None:
            raise NotFound("the first model did not pass the gate", where=str(self.project.folder))
        return load_model(self.store, champion)

    def _trained_by_the_calendar(self, day: date) -> TableModel:
        """What a job on the first of the month makes of all that landed, and puts live without a question."""
        table = source(str(self.project.folder / self.project.data.source)).read()
        self.year.trained["monthly"].append(day)
        made = train_model(self.project, table.filter(pc.is_valid(table[LABEL])), FEATURES, self.project.params)
        assert isinstance(made, TableModel), "the project's code gives what `assay.train` makes"
        return made

    def _land(self, day: date) -> None:
        """The day before has landed by now; corrected rows come on the day on which the feed is whole."""
        self.landing.land(self.served, day - _DAY)
        if self.plan.broken and day == self.plan.broken[1]:
            for one in days_between(*self.plan.broken):
                self.landing.land(self.truth, one)

    def _accidents(self, day: date) -> None:
        plan = self.plan
        if plan.broken and day == plan.broken[0]:
            self._note(day, "accident", "the timetable's feed says hours instead of minutes", "feed")
        if plan.broken and day == plan.broken[1]:
            self._note(day, "accident", "the feed is whole, and the rows are corrected", "mended")
        if day == plan.regression:
            made = run_project(self.store, str(self.project.folder / "colleague.toml"))
            override = None if made.verdict == "pass" else "it looks good to me"
            done = promote(self.store, self.model, made.version, override=override)
            how = "which passed the gate on wrong labels" if override is None else "against the gate"
            self._note(day, "accident", f"a colleague promotes version {done.version}, {how}", "regression")
            self._bad = load_model(self.store, find_version(self.store, self.model, done.version))

    def _follow_bad(self, day: date, asked: pa.Table, versions: list[int]) -> None:
        """Whether the colleague's version answers, and what it costs where only the calendar would replace it."""
        begun = self.plan.regression
        if self._bad is None or begun is None:
            return
        if self._bad.version.version in versions:
            self.year.bad_days.append(day)
        if (day.year, day.month) == (begun.year, begun.month):
            lost = _score(day, asked, {"monthly": _chances(self._bad, asked)}).lost["monthly"]
            self.year.unwatched += lost - self.year.days[-1].lost["monthly"]

    def _tell_tick(self, day: date, done: Tick) -> None:
        for firing in done.fired:
            self._note(day, "fired", f"{firing.trigger}: {firing.reason}", firing.trigger)
        for story in done.stories:
            now = find_story(self.store, story.story_id)
            if "seconds" in now.detail and now.status != "open":
                self.year.trained["loop"].append(day)
            if now.status != "open":
                self._note(day, "ended", str(now.reason), now.status)
        for row in self.store.query("alert", {}, order_by=["opened"]):
            if row["alert_id"] not in self._alerts:
                self._alerts.add(row["alert_id"])
                self._note(day, "alert", f"{row['owner']}: {row['message']}", str(row["key"]))

    def _note(self, day: date, kind: str, words: str, status: str) -> None:
        self.year.happened.append(Happening(day, kind, words, status))  # type: ignore[arg-type] # one of those four
        self._told(f"{day} {kind} {status}: {words}")


def _project(folder: Path) -> ProjectFile:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        with resources.as_file(resources.files(__package__) / "project" / name) as path:
            shutil.copy(path, folder / name)
    text = (folder / "assay.toml").read_text(encoding="utf-8")
    (folder / "colleague.toml").write_text(text.replace('"flights.py"', '"colleague.py"'), encoding="utf-8")
    return load_project(folder)


def _chances(model: TableModel, rows: pa.Table) -> NDArray[np.float64]:
    """[rows] the chance of being late."""
    answers: NDArray[np.float64] = model.answer_table(rows)
    return answers if answers.ndim == 1 else answers[:, 1]


def _score(day: date, asked: pa.Table, said: dict[Policy, NDArray[np.float64]]) -> Day:
    known = asked[LABEL].is_valid().to_numpy()
    truth = asked[LABEL].fill_null(0).to_numpy()[known]
    lost = {name: float(np.square(values[known] - truth).sum()) for name, values in said.items()}
    return Day(day, int(known.sum()), lost)
