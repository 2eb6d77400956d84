"""`assay.search`: try settings until the budget is spent, keep every trial as a run, and say which was best."""

import os
import platform
import random
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from assay.build.executors.executor import Executor
from assay.build.executors.inline import InlineExecutor
from assay.build.executors.opening import open_executor
from assay.build.searching.budget import Budget
from assay.build.searching.choosing import new_pruner, new_sampler, sampler_name
from assay.build.searching.coordinator import Coordinator, Plan
from assay.build.searching.goals import Goals, checked_goals
from assay.build.searching.holdout import Holdout, hold_out
from assay.build.searching.optuna_sampler import SamplerMaker
from assay.build.searching.parameters import Parameter
from assay.build.searching.pruners import Pruner
from assay.build.searching.samplers import Sampler
from assay.build.searching.searched import Searched, searched
from assay.build.searching.space import Space, checked_space
from assay.build.searching.trial import Objective
from assay.build.searching.trials import (
    DEFINITION_TAG,
    TrialRecord,
    begin_search,
    definition_of,
    find_search,
    read_trials,
)
from assay.build.searching.warm import WarmStart, code_of_objective, evaluated_before
from assay.build.searching.warm import warm_start as earlier_runs
from assay.errors import Conflict, InvalidInput
from assay.record.clock import iso, to_ms
from assay.record.location import open_store
from assay.record.soundness import goes_on
from assay.record.store import Row, Store
from assay.record.tracking.lost import state_of
from assay.record.tracking.metrics import points_of
from assay.record.tracking.run_changes import log, update_run
from assay.record.tracking.runs import Run, printable

__all__ = ["search"]

_SEEDS = 2**31


def search(
    objective: Objective,
    space: Mapping[str, Parameter] | Space,
    *,
    store: Store | str | Path | None = None,
    experiment: str = "Default",
    name: str | None = None,
    n_trials: int | None = None,
    budget: Budget | None = None,
    sampler: str | SamplerMaker = "random",
    seed: int | None = None,
    direction: str | None = None,
    objectives: Mapping[str, str] | None = None,
    pruner: object = None,
    executor: str | Executor = "threads",
    workers: int | None = None,
    in_flight: int | None = None,
    warm_start: Sequence[str] = (),
    reuse: bool = False,
    holdout: Holdout | None = None,
    refit: int = 3,
    resume: str | None = None,
) -> Searched:
    """Search a space for the parameters with which `objective(params, trial)` is best, and record every trial as a run.

    The objective returns a number, or with several `objectives` (directions by name) a dictionary; `direction` of the
    one objective is minimize by default. `trial.report(value, step)` lets the `pruner` end a trial early.
    `sampler` is random, grid, sobol, or one of Optuna's: tpe, gp, cmaes, nsga2, nsga3, or a function that makes one
    from a seed. `pruner` is asha, `Asha(...)`, or one of Optuna's. A search ends after `n_trials`, or by a `budget` of
    trials, seconds, money and patience. `seed` makes it repeatable; without it one is drawn, and kept.

    `executor` is threads, processes, ray, the address of a cluster, or an open executor; `workers` is how many trials
    run at once, by default one thread, or all workers of other executors. `warm_start` names earlier searches and runs
    that the sampler learns from. With `reuse` a trial is not run where an earlier one of the same objective, by its
    code, has finished with the same parameters.

    The trials are the same for one seed and one `in_flight` (by default the workers), whatever the number of `workers`
    up to it. `resume` takes the run of a search up again, by the first characters of its id: what had ended stays, what
    was running is run again with the same parameters.

    `holdout(params)` trains once more and scores on rows that no trial has seen: it is asked for the `refit` best, once
    each. Where the objective returns `Scores`, one number a row, the best is corrected for having been chosen.

    InvalidInput for options that make no sense, for a `resume` of another search, and where the first trials all fail.
    Conflict where the search still goes on.
    """
    if refit < 1:
        raise InvalidInput(f"refit={refit!r}", expected="a whole number of at least 1")
    for option, value in (("workers", workers), ("in_flight", in_flight)):
        if value is not None and value < 1:
            raise InvalidInput(f"{option}={value!r}", expected="a whole number of at least 1")
    with _opened(store) as opened:
        asked = _Asked(
            space=checked_space(space),
            goals=_goals(direction, objectives),
            sampler=sampler,
            seed=seed,
            pruner=new_pruner(pruner),
            budget=_budget(n_trials, budget),
            in_flight=in_flight,
            warm=list(warm_start),
            code=_code(objective, reuse),
            reuse=reuse,
        )
        with _workers(executor, workers) as (runner, at_once):
            asked, row = (
                _resumed(opened, asked, resume)
                if resume is not None
                else _begun(opened, asked, experiment, name, at_once)
            )
            with _ending(opened, row) as run:
                trials, ended = _run(opened, asked, row, objective, runner, at_once)
                if holdout is not None:
                    hold_out(opened, row, holdout, asked.goals.ranked(trials)[:refit], asked.goals, runner)
                _note_best(opened, row, asked.goals, trials)
                run.finish("finished", ended)
            return searched(opened, opened.get("run", {"run_id": row["run_id"]}))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a search is asked to do."""

    space: Space
    goals: Goals
    sampler: str | SamplerMaker
    seed: int | None
    pruner: Pruner | None
    budget: Budget
    in_flight: int | None
    warm: list[str]
    code: str | None
    reuse: bool

    def definition(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "space": self.space.canonical(),
            "objectives": dict(self.goals.directions),
            "sampler": sampler_name(self.sampler),
            "seed": self.seed,
            "pruner": self.pruner.canonical() if self.pruner else None,
            "in_flight": self.in_flight,
            "budget": self.budget.canonical(),
        }

    def new_sampler(self, warm: WarmStart) -> Sampler:
        """The sampler at its beginning, with what it learns from earlier runs."""
        assert self.seed is not None
        sampler = new_sampler(self.sampler, self.space, self.goals, self.seed)
        if warm.runs and not sampler.learns:
            raise InvalidInput(
                f"the sampler {self.sampler} does not learn: warm_start would change nothing",
                hint='sampler="tpe"; or reuse=True, which does not run again what was evaluated',
            )
        for trial in warm.trials:
            sampler.tell(trial)
        return sampler


def _begun(store: Store, asked: _Asked, experiment: str, name: str | None, workers: int) -> tuple[_Asked, Row]:
    """Begin the run of a search. The sampler is made before: a refused input leaves nothing behind."""
    if not asked.budget.ends and asked.sampler != "grid":
        raise InvalidInput("the search would never end", expected="n_trials, or a budget")
    seed = random.SystemRandom().randrange(_SEEDS) if asked.seed is None else asked.seed
    asked = replace(asked, seed=seed, in_flight=asked.in_flight or workers)
    warm = earlier_runs(store, asked.warm, asked.space, asked.goals)
    asked.new_sampler(warm)
    said = {
        "sampler": sampler_name(asked.sampler),
        "seed": str(seed),
        "pruner": "none" if asked.pruner is None else _words(asked.pruner.canonical()),
        "in_flight": str(asked.in_flight),
        "objectives": _words(dict(asked.goals.directions)),
        **({"warm_start": _counted(warm)} if warm.trials or warm.outside else {}),
        **{f"space/{name}": _words(said) for name, said in asked.space.canonical().items()},
    }
    title = name or f"{experiment.rpartition('/')[2]} search"
    definition = {**asked.definition(), "warm_start": warm.canonical()}
    return asked, begin_search(store, experiment, title, definition, said, seed, asked.code)


def _resumed(store: Store, asked: _Asked, run: str) -> tuple[_Asked, Row]:
    """Take up the run of a search; what is asked has to be what it is, the budget aside."""
    with store.transaction():  # of two that take it up at once, one sees the other
        return _taken_up(store, asked, find_search(store, run))


def _taken_up(store: Store, asked: _Asked, row: Row) -> tuple[_Asked, Row]:
    if row["status"] == "running" and row["pid"] is not None:
        here = row["host"] == platform.node()
        alive = goes_on(row) and row["pid"] != os.getpid() if here else state_of(row, store.clock.now()) == "running"
        if alive:
            raise Conflict(f"search {row['run_id'][:8]} still goes on", where=f"process {row['pid']} on {row['host']}")
    kept = definition_of(store, row["run_id"])
    asked = replace(asked, seed=kept["seed"] if asked.seed is None else asked.seed)
    asked = replace(asked, in_flight=asked.in_flight or kept["in_flight"])
    if not asked.budget.ends:
        asked = replace(asked, budget=Budget(**kept["budget"]))
    if asked.warm:
        raise InvalidInput(
            "a search that goes on was given a warm_start", hint="leave it out: what it learned from is kept"
        )
    now = {**asked.definition(), "warm_start": kept["warm_start"]}
    for key, title in _COMPARED.items():
        if msgspec.json.encode(now[key]) != msgspec.json.encode(kept[key]):  # in the same order, too
            raise InvalidInput(
                f"search {row['run_id'][:8]} has another {title}",
                where=f"{_words(now[key])} here, {_words(kept[key])} there",
                hint="begin a new search; warm_start lets it learn from this one",
            )
    log(store, row["run_id"], tags={DEFINITION_TAG: msgspec.json.encode(now).decode()})
    update_run(store, row["run_id"], status="running")
    store.amend("run", {"run_id": row["run_id"]}, {"host": platform.node(), "pid": os.getpid(), "reason": None})
    return asked, store.get("run", {"run_id": row["run_id"]})


_COMPARED = {
    "space": "space",
    "objectives": "objective",
    "sampler": "sampler",
    "seed": "seed",
    "pruner": "pruner",
    "in_flight": "in_flight",
}


@contextmanager
def _ending(store: Store, row: Row) -> Iterator[Run]:
    """The run of the search, which ends in the block, or with the reason why it could not."""
    run = Run(store, row["run_id"])
    try:
        yield run
    except Exception as error:
        run.finish("failed", printable(f"{type(error).__name__}: {error}"[:500]))
        raise
    except BaseException:
        run.finish("killed", "interrupted")
        raise


def _run(
    store: Store, asked: _Asked, row: Row, objective: Objective, executor: Executor, workers: int
) -> tuple[list[TrialRecord], str]:
    """Run the trials; returns them, and why there are no more."""
    on_record = _on_record(store, row, asked)
    kept = definition_of(store, row["run_id"])["warm_start"]
    warm = earlier_runs(store, kept["runs"], asked.space, asked.goals, kept["trials"])
    evaluated = evaluated_before(store, asked.code, asked.goals) if asked.reuse and asked.code else None
    in_flight = asked.in_flight or workers
    sampler = asked.new_sampler(warm)
    plan = Plan(objective, asked.goals, sampler, asked.pruner, asked.budget, in_flight, evaluated)
    coordinator = Coordinator(store, row, plan, executor, on_record, workers)
    ended = coordinator.run()
    return coordinator.trials, ended


def _on_record(store: Store, row: Row, asked: _Asked) -> list[TrialRecord]:
    trials = read_trials(store, row["run_id"], asked.space, asked.goals.first)
    for number, trial in enumerate(trials):
        if trial.number != number:
            raise InvalidInput(f"trial {number} of the search was deleted", hint="restore its run")
    return trials


def _note_best(store: Store, row: Row, goals: Goals, trials: Sequence[TrialRecord]) -> None:
    """The best trial's values as metrics of the search, so that searches can be compared as any runs."""
    best = goals.ranked(trials)[:1]
    if best:
        now = to_ms(iso(store.clock.now()))
        points = {name: points_of([(len(trials), now, best[0].values[name])]) for name in goals.names}
        log(store, row["run_id"], metrics=points, tags={"search.best": best[0].run_id})


def _code(objective: Objective, reuse: bool) -> str | None:
    if not reuse and not isinstance(objective, types.FunctionType):
        return None  # an object may hold gigabytes
    try:
        return code_of_objective(objective)
    except InvalidInput as error:
        if reuse:
            raise InvalidInput(
                "reuse needs the objective's code, and there is none that can be named",
                expected="a function at the top of a module, or functools.partial of one",
                hint="the data it uses: as globals, or as arguments of partial",
            ) from error
        return None


def _counted(warm: WarmStart) -> str:
    outside = f", {warm.outside} others outside the bounds" if warm.outside else ""
    return f"{len(warm.trials)} runs{outside}"


def _goals(direction: str | None, objectives: Mapping[str, str] | None) -> Goals:
    if direction is not None and objectives is not None:
        raise InvalidInput("a direction and objectives are given", expected="one of them")
    return checked_goals(objectives if objectives is not None else direction or "minimize")


def _budget(n_trials: int | None, budget: Budget | None) -> Budget:
    if budget is None:
        return Budget(trials=n_trials)
    if n_trials is not None and budget.trials not in (None, n_trials):
        raise InvalidInput(f"n_trials is {n_trials} and the budget says {budget.trials}", expected="one of them")
    return replace(budget, trials=n_trials) if n_trials is not None else budget


def _words(value: object) -> str:
    """A small value of JSON in a line for people."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return " ".join(_words(item) for item in value)
    return str(value)


@contextmanager
def _workers(executor: str | Executor, workers: int | None) -> Iterator[tuple[Executor, int]]:
    """The executor of that word, open for the block, and how many trials run at once; one that was given stays open."""
    if not isinstance(executor, str):
        yield executor, workers or executor.info().workers
    elif executor == "threads" and workers in (None, 1):
        yield InlineExecutor(), 1
    else:
        is_running = ":" in executor or executor == "auto"  # a cluster has the workers it has
        with open_executor(executor, workers=None if is_running else workers) as opened:
            yield opened, workers or opened.info().workers


@contextmanager
def _opened(store: Store | str | Path | None) -> Iterator[Store]:
    """The store itself, or one that is opened for the block."""
    if store is not None and not isinstance(store, str | Path):
        yield store
        return
    opened = open_store(store)
    try:
        yield opened
    finally:
        opened.close()
