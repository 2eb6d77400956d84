"""Samplers of Optuna by ask and tell: a study in memory that is made again from our runs, and no second database.

A fresh sampler for every trial, seeded by the search's seed and the trial's number: so what it suggests follows from
the trials it was told of, and not from how often the process was started. Trials that run count as running, which TPE
and the Gaussian process take into account (a constant liar).

TPE and the Gaussian process look at nothing but trials. Others leave notes in the study that no run keeps, such as the
state of CMA-ES; for them a search that is taken up again asks for every trial once more, and the suggestions have to be
those on record.
"""

import importlib.util
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from assay.build.searching.goals import Goals
from assay.build.searching.parameters import Choice, Float, Int, Parameter, Value
from assay.build.searching.samplers import seed_of
from assay.build.searching.space import Params, Space
from assay.build.searching.trials import TrialRecord
from assay.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    import optuna

__all__ = ["OPTUNA_SAMPLERS", "OptunaSampler", "SamplerMaker", "import_optuna", "new_study", "optuna_trial"]

SamplerMaker = Callable[[int], Any]

OPTUNA_SAMPLERS = {
    "cmaes": "CmaEsSampler",
    "gp": "GPSampler",
    "nsga2": "NSGAIISampler",
    "nsga3": "NSGAIIISampler",
    "tpe": "TPESampler",
}
_FORGETFUL = ("gp", "tpe")  # keep nothing but trials
_NEEDED = {"cmaes": "cmaes", "gp": "torch"}
_ONE_OBJECTIVE = ("cmaes",)


class OptunaSampler:
    """A sampler of Optuna: one of `OPTUNA_SAMPLERS`, or what a function of a seed gives."""

    learns = True

    def __init__(self, which: str | SamplerMaker, space: Space, goals: Goals, seed: int) -> None:
        self._which = which
        self._space = space
        self._seed = seed
        self._make = _maker(which, goals)
        self._distributions = {name: _distribution(parameter) for name, parameter in space.parameters.items()}
        self._goals = goals
        self._study = new_study(goals)
        self._running: dict[int, optuna.Trial] = {}

    def ask(self, number: int) -> Params | None:
        """What a fresh sampler suggests, one parameter after the other."""
        self._sampler_for(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that some samplers are experimental is said in the documentation
            trial = self._study.ask()
            params = self._space.choose(lambda name, parameter: _suggested(trial, name, parameter))
        self._running[number] = trial
        return params

    def known(self, number: int, params: Params) -> None:
        """A trial that has its parameters. InvalidInput where a sampler that keeps notes now suggests others."""
        import optuna

        if self._which in _FORGETFUL:
            distributions = {name: self._distributions[name] for name in params}
            state = optuna.trial.TrialState.RUNNING
            self._study.add_trial(optuna.create_trial(state=state, params=params, distributions=distributions))
            self._running[number] = optuna.Trial(self._study, self._study.trials[-1]._trial_id)
        elif (suggested := self.ask(number)) != params:
            raise InvalidInput(
                f"trial {number} would have other parameters now: {suggested}",
                expected=f"those on record: {params}",
                hint="with the Optuna of then it can be taken up; or begin a new search with warm_start",
            )

    def tell(self, trial: TrialRecord) -> None:
        """What came of a trial; one of an earlier search is added."""
        import optuna

        open_trial = self._running.pop(trial.number, None) if trial.number >= 0 else None
        if open_trial is None:
            self._study.add_trial(optuna_trial(trial, self._distributions, self._goals))
            return
        for step, value in trial.reports if len(self._goals.names) == 1 else ():
            open_trial.report(value, step)
        state = _state(trial)
        is_complete = state is optuna.trial.TrialState.COMPLETE
        values = [trial.values[name] for name in self._goals.names] if is_complete else None
        self._study.tell(open_trial, values, state=state)

    def _sampler_for(self, number: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.sampler = self._make(seed_of(self._seed, number))


def import_optuna() -> Any:
    """Optuna, quiet; MissingExtra where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("search", "optuna") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def new_study(goals: Goals, **options: Any) -> Any:
    """A study in memory with the directions of the search."""
    optuna = import_optuna()
    return optuna.create_study(directions=list(goals.directions.values()), **options)


def optuna_trial(trial: TrialRecord, distributions: dict[str, Any], goals: Goals) -> Any:
    """A trial that has ended, as Optuna knows it."""
    import optuna

    state = _state(trial)
    is_complete = state is optuna.trial.TrialState.COMPLETE
    return optuna.create_trial(
        state=state,
        values=[trial.values[name] for name in goals.names] if is_complete else None,
        params=trial.params,
        distributions={name: distributions[name] for name in trial.params},
        intermediate_values=dict(trial.reports),
    )


def _state(trial: TrialRecord) -> "optuna.trial.TrialState":
    from optuna.trial import TrialState

    return {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}[trial.state]


def _maker(which: str | SamplerMaker, goals: Goals) -> SamplerMaker:
    optuna = import_optuna()
    if not isinstance(which, str):
        return which
    if which in _ONE_OBJECTIVE and len(goals.names) > 1:
        raise InvalidInput(f"the sampler {which} takes one objective", expected="tpe, nsga2 or nsga3 for several")
    needed = _NEEDED.get(which)
    if needed is not None and importlib.util.find_spec(needed) is None:
        raise InvalidInput(f"the sampler {which} needs {needed}, which is not installed", hint=f"pip install {needed}")
    sampler = getattr(optuna.samplers, OPTUNA_SAMPLERS[which])
    options = {"warn_independent_sampling": False} if which == "cmaes" else {}

    def make(seed: int) -> Any:
        return sampler(seed=seed, **options)

    return make


def _distribution(parameter: Parameter) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, Float):
        return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)
    if isinstance(parameter, Int):
        return IntDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)
    assert isinstance(parameter, Choice)
    return CategoricalDistribution(parameter.options)


def _suggested(trial: "optuna.Trial", name: str, parameter: Parameter) -> Value:
    if isinstance(parameter, Float):
        found = trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log, step=parameter.step)
        # On steps Optuna rounds in its own way: the value is said as ours, so that it reads back as the same.
        return found if parameter.step is None else min(parameter.points() or (), key=lambda point: abs(point - found))
    if isinstance(parameter, Int):
        return trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log, step=parameter.step)
    assert isinstance(parameter, Choice)
    return trial.suggest_categorical(name, parameter.options)
