"""Pruners of Optuna, which judge a trial by a study in memory that holds the trials before it."""

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.build.searching.optuna_sampler import import_optuna
from assay.build.searching.trial import Reports, View
from assay.build.searching.trials import TrialRecord

__all__ = ["OPTUNA_PRUNERS", "OptunaPruner"]

OPTUNA_PRUNERS = {"hyperband": "HyperbandPruner", "median": "MedianPruner"}

_STUDY = "search"  # Hyperband sends a trial to a bracket by this name and the trial's number


class OptunaPruner:
    """One of `OPTUNA_PRUNERS`, or a pruner that somebody made."""

    def __init__(self, which: Any) -> None:
        optuna = import_optuna()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that some are experimental is said in the documentation
            self._pruner = getattr(optuna.pruners, OPTUNA_PRUNERS[which])() if isinstance(which, str) else which
        options = {name.strip("_"): str(value) for name, value in vars(self._pruner).items()}
        self._canonical = {"pruner": which} if isinstance(which, str) else {"pruner": _name(which), **options}
        self._study: Any = None
        self._count = 0

    def view(self, ended: Sequence[TrialRecord], number: int, *, minimize: bool) -> View | None:
        """The trials that had ended, with what the pruner has noted at each: halving keeps the value at a rung."""
        if self._study is None:
            self._study = _study(self._pruner, "minimize" if minimize else "maximize")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for trial in ended[self._count :]:
                self._add(trial)
        self._count = max(self._count, len(ended))
        if not ended:
            return None
        # A trial that is run once more takes along what it did the first time. The pruner learns while it judges: a
        # copy, as if the trial ran in another process.
        before = self._study.get_trials(deepcopy=False)[: len(ended)]
        direction = "minimize" if minimize else "maximize"
        return _OptunaView(copy.deepcopy(self._pruner), direction, number, before)

    def canonical(self) -> dict[str, Any]:
        """Its name, and the options of one that somebody made."""
        return self._canonical

    def _add(self, trial: TrialRecord) -> None:
        from optuna.trial import TrialState

        opened = self._study.ask()
        for step, value in trial.reports:
            opened.report(value, step)
            opened.should_prune()  # only for what it notes
        first = next(iter(trial.values.values()), None)
        if trial.state == "finished":
            self._study.tell(opened, first, state=TrialState.COMPLETE)
        else:
            state = TrialState.PRUNED if trial.state == "pruned" else TrialState.FAIL
            self._study.tell(opened, state=state)


@dataclass(slots=True)
class _OptunaView:
    pruner: Any
    direction: str
    number: int
    trials: list[Any]
    open: Any = field(default=None)

    def stops(self, reports: Reports) -> bool:
        """Asked after every report, so that only the last one is new."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.open is None:
                self.open = self._opened()
            step, value = reports[-1]
            self.open.report(value, step)
            return bool(self.open.should_prune())

    def _opened(self) -> Any:
        """The trial in a study in which it has its number: trials that run beside it stand before it."""
        import optuna

        study = _study(self.pruner, self.direction)
        for trial in self.trials:
            study.add_trial(trial)
        for _ in range(self.number - len(self.trials)):
            study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.RUNNING))
        return study.ask()


def _study(pruner: Any, direction: str) -> Any:
    optuna = import_optuna()
    sampler = optuna.samplers.RandomSampler(seed=0)  # never asked
    return optuna.create_study(study_name=_STUDY, direction=direction, pruner=pruner, sampler=sampler)


def _name(pruner: object) -> str:
    return f"{type(pruner).__module__.partition('.')[0]}.{type(pruner).__qualname__}"
