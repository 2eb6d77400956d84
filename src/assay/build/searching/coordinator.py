"""The one who asks and writes. Workers only run: they are given a trial and give back what came of it.

Everything about trial n (whether it runs, its parameters, when it is pruned) follows from the search's seed and from
the trials up to n - in_flight, which have to end before it starts. So a search gives the same trials whatever the
number of workers up to `in_flight`, in whatever order they end, and however often it was interrupted. Limits of time
and money alone are read from the clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from assay.build.executors.executor import Executor, Outcome, Task, TaskId
from assay.build.searching.budget import Budget, busy_seconds
from assay.build.searching.goals import Goals
from assay.build.searching.pruners import Pruner
from assay.build.searching.samplers import Sampler
from assay.build.searching.space import Params
from assay.build.searching.trial import Objective, Result, View, run_trial
from assay.build.searching.trials import SAME_TAG, TrialRecord, begin_trial, end_trial, lose_trial
from assay.errors import InvalidInput
from assay.progress import tell
from assay.record.clock import iso
from assay.record.store import Row, Store
from assay.record.tracking.runs import Run, printable

__all__ = ["Coordinator", "Plan"]

_MOST_ATTEMPTS = 3  # a trial that takes its worker down so often is at fault itself
_FIRST = 3  # trials; where all of them fail, so will the others
_SIGN_OF_LIFE_S = 20.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a search does. `in_flight`: how many trials may be open when the next one is suggested.

    `evaluated` looks parameters up among trials of earlier searches; without it nothing is looked up, here either.
    """

    objective: Objective
    goals: Goals
    sampler: Sampler
    pruner: Pruner | None
    budget: Budget
    in_flight: int
    evaluated: Callable[[Params], TrialRecord | None] | None = None


class Coordinator:
    """Runs a search to its end. `trials` [n] are those on record, in order of number."""

    def __init__(
        self, store: Store, search: Row, plan: Plan, executor: Executor, trials: Sequence[TrialRecord], workers: int
    ) -> None:
        self.trials = list(trials)
        self._store = store
        self._search = search
        self._plan = plan
        self._executor = executor
        self._workers = min(workers, plan.in_flight)
        self._running: dict[TaskId, TrialRecord] = {}
        self._told = 0  # trials below this number have ended, and the sampler knows it
        self._best: list[TrialRecord] = []  # of those
        self._front = plan.goals.front(self.trials)  # of all that have ended
        self._since_better = 0
        self._exhausted = False
        self._shares_process = executor.info().is_here
        self._before = busy_seconds(self.trials)
        self._began = self._seen = store.clock.now()

    def run(self) -> str:
        """Run trials until the budget is spent; returns why the search ended, in words.

        InvalidInput where the first trials all fail. What interrupts leaves trials that are run again by a resume.
        """
        again = self._take_up()
        try:
            while True:
                self._fill(again)
                if not self._running:
                    return self._why_over() or "every trial is done"
                for task, outcome in self._executor.wait(list(self._running), _SIGN_OF_LIFE_S).items():
                    trial = self._running.pop(task)
                    if self._ended(trial, outcome):
                        again.append(trial)
                        again.sort(key=lambda one: one.number)
                    self._say()
                self._give_sign_of_life()
        finally:
            self._release()

    def _take_up(self) -> list[TrialRecord]:
        """Tell the sampler of what is on record, as if it had just happened; returns trials to run once more."""
        for trial in self.trials:
            self._tell_up_to(trial.number - self._plan.in_flight)
            self._plan.sampler.known(trial.number, trial.params)
        return [trial for trial in self.trials if not trial.has_ended]

    def _fill(self, again: list[TrialRecord]) -> None:
        while len(self._running) < self._workers:
            if again:
                before = again.pop(0)
                self._start(before.number, before.params, before.attempt + 1)
                continue
            number = len(self.trials)
            self._tell_up_to(number - self._plan.in_flight)
            if self._told <= number - self._plan.in_flight or self._why_over(number) is not None:
                return
            params = self._plan.sampler.ask(number)
            if params is None:
                self._exhausted = True
                return
            self._start(number, params, 1)

    def _start(self, number: int, params: Params, attempt: int) -> None:
        same = self._same(number, params)
        tags = {SAME_TAG: same.same_as or same.run_id} if same is not None else {}
        trial = begin_trial(self._store, self._search, number, params, attempt, tags)
        if number < len(self.trials):
            self.trials[number] = trial
        else:
            self.trials.append(trial)
        if same is not None:
            trial.same_as = tags[SAME_TAG]
            self._end(trial, Result("finished", dict(same.values), list(same.reports)))
            return
        run = Run(self._store, trial.run_id) if self._shares_process else None
        view = self._view(number)
        task = Task(
            f"trial {number}", run_trial, (self._plan.objective, params, number, view, self._plan.goals.names, run)
        )
        try:
            self._running[self._executor.submit(task)] = trial
        except InvalidInput as error:
            self._end(trial, Result("failed", reason=str(error)[:500]))
            raise

    def _same(self, number: int, params: Params) -> TrialRecord | None:
        """A finished trial with the same parameters: of an earlier search, or of those this one may depend on."""
        if self._plan.evaluated is None:
            return None
        before = self._plan.evaluated(params)
        if before is not None:
            return before
        visible = self.trials[: max(0, number - self._plan.in_flight + 1)]
        return next((trial for trial in visible if trial.state == "finished" and trial.params == params), None)

    def _view(self, number: int) -> View | None:
        if self._plan.pruner is None:
            return None
        ended = self.trials[: max(0, number - self._plan.in_flight + 1)]
        return self._plan.pruner.view(ended, number, minimize=self._plan.goals.is_minimized(self._plan.goals.first))

    def _ended(self, trial: TrialRecord, outcome: Outcome) -> bool:
        """Keep what came of a task; whether it has to run again."""
        if outcome.lost:
            lose_trial(self._store, trial, str(outcome.error or "its worker died"))
            if trial.attempt < _MOST_ATTEMPTS:
                return True
            failed = begin_trial(self._store, self._search, trial.number, trial.params, trial.attempt + 1, {})
            self.trials[trial.number] = failed
            self._end(failed, Result("failed", reason=f"its worker died {_MOST_ATTEMPTS} times: {outcome.error}"[:500]))
            return False
        error, log = outcome.error, outcome.log
        if error is None:
            self._end(trial, replace(outcome.value, log=log))
            return False
        self._end(trial, Result("failed", reason=printable(f"{type(error).__name__}: {error}"[:500]), log=log))
        if not isinstance(error, Exception):
            raise error
        return False

    def _end(self, trial: TrialRecord, result: Result) -> None:
        end_trial(self._store, self._search, trial, result, self._plan.goals.first)
        if self._plan.goals.betters(trial, self._front):
            self._front = self._plan.goals.front([*self._front, trial])

    def _tell_up_to(self, number: int) -> None:
        """Tell of every trial up to `number` that has ended, in order; stops before one that has not."""
        while self._told <= number and self._told < len(self.trials) and self.trials[self._told].has_ended:
            trial = self.trials[self._told]
            self._plan.sampler.tell(trial)
            self._since_better += 1
            if self._plan.goals.betters(trial, self._best):
                self._best = self._plan.goals.front([*self._best, trial])
                self._since_better = 0
            self._told += 1
            if self._told == _FIRST and all(one.state == "failed" for one in self.trials[:_FIRST]):
                raise InvalidInput(
                    f"the first {_FIRST} trials all failed", where=f"trial {trial.number}: {trial.reason}"
                )

    def _why_over(self, number: int | None = None) -> str | None:
        """Why trial `number`, by default the next one, does not begin; None where it does."""
        budget, number = self._plan.budget, len(self.trials) if number is None else number
        if self._exhausted:
            return f"the grid has {number} points, and all were tried"
        if budget.trials is not None and number >= budget.trials:
            return f"{budget.trials} trials were run"
        if budget.patience is not None and self._since_better >= budget.patience:
            return f"{self._since_better} trials in a row were no better than the best before them"
        return budget.spent(self.trials, self._before + (self._store.clock.now() - self._began).total_seconds())

    def _say(self) -> None:
        ended, limit = sum(trial.has_ended for trial in self.trials), self._plan.budget.trials
        count = f"trial {ended} of {limit}" if limit else f"trial {ended}"
        best = self._front[0] if self._front else None
        said = f", best {self._plan.goals.said(best)} (trial {best.number})" if best else ""
        tell("search", min(ended / limit, 1.0) if limit else 0.0, count + said)

    def _give_sign_of_life(self) -> None:
        moment_now = self._store.clock.now()
        if (moment_now - self._seen).total_seconds() < _SIGN_OF_LIFE_S:
            return
        self._seen, now = moment_now, iso(moment_now)
        for trial in self._running.values():
            self._store.amend("run", {"run_id": trial.run_id}, {"seen": now})
        self._store.amend("run", {"run_id": self._search["run_id"]}, {"seen": now})

    def _release(self) -> None:
        """Stop what still runs after an interruption; those trials are run again by a resume."""
        for task, trial in self._running.items():
            self._executor.cancel(task)
            lose_trial(self._store, trial, "the search was interrupted")
        self._running.clear()
        tell("search", 1.0)
