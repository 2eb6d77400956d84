"""Which parameters the objective depends on, as far as the trials of a search tell.

A random forest learns the objective's ranks from the parameters. How much worse it predicts trials that it has not
seen, when one parameter is shuffled among them, is that parameter's importance: shares that add up to 1. How much of
the ranks it explains there says what they are worth.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.searching.space import Params, Space
from assay.build.searching.trials import TrialRecord

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

__all__ = ["Importance", "Importances", "fitted_forest", "importances", "places"]

_FEWEST = 20  # trials; from fewer nothing can be told
_TREES = 60
_FOLDS = 5
_SHUFFLES = 5
_NOWHERE = -0.5  # the place of a parameter that does not count


class Importance(msgspec.Struct, frozen=True):
    """A parameter, and its share of what parameters do to the objective."""

    name: str
    share: float


class Importances(msgspec.Struct, frozen=True):
    """Parameters, the most important first. `explained` is the share of the objective's ranks that they explain."""

    objective: str
    explained: float
    parameters: list[Importance]


def importances(trials: Sequence[TrialRecord], space: Space, objective: str) -> Importances | None:
    """What each parameter does to an objective; None for fewer than 20 finished trials, or where none explains a thing.

    The same trials give the same numbers.
    """
    finished = [trial for trial in trials if trial.state == "finished"]
    if len(finished) < _FEWEST:
        return None
    points, ranks = places(space, [trial.params for trial in finished]), _ranks(finished, objective)
    rng = np.random.default_rng(0)
    fold = rng.permutation(len(finished)) % _FOLDS
    error, shuffled = np.zeros(len(finished)), np.zeros(points.shape[1])
    for number in range(_FOLDS):
        seen, unseen = fold != number, np.flatnonzero(fold == number)
        forest = _forest().fit(points[seen], ranks[seen])
        error[unseen] = (forest.predict(points[unseen]) - ranks[unseen]) ** 2
        others = np.tile(points[unseen], (points.shape[1], _SHUFFLES, 1, 1))  # [parameters, shuffles, rows, parameters]
        for column, shuffle in np.ndindex(others.shape[:2]):
            others[column, shuffle, :, column] = rng.permutation(points[unseen, column])
        predicted = forest.predict(others.reshape(-1, points.shape[1])).reshape(others.shape[:3])
        shuffled += ((predicted - ranks[unseen]) ** 2).sum(axis=2).mean(axis=1)
    worse = np.maximum(shuffled - error.sum(), 0.0)
    explained = 1.0 - float(error.sum() / ((ranks - ranks.mean()) ** 2).sum()) if ranks.std() else 0.0
    if explained <= 0 or not worse.sum():
        return None
    shares = zip(space.parameters, (worse / worse.sum()).tolist(), strict=True)
    parameters = [Importance(name, share) for name, share in sorted(shares, key=lambda one: -one[1])]
    return Importances(objective, explained, parameters)


def fitted_forest(trials: Sequence[TrialRecord], space: Space, objective: str) -> "RandomForestRegressor":
    """A forest that predicts the ranks, 0 to 1, of the objective from places in the space."""
    return _forest().fit(places(space, [trial.params for trial in trials]), _ranks(trials, objective))


def places(space: Space, listed: Sequence[Params]) -> NDArray[np.float64]:
    """[n, parameters] where values stand between their bounds, 0 to 1; below 0 where a parameter does not count."""
    return np.array(
        [
            [
                parameter.place(params[name]) if name in params else _NOWHERE
                for name, parameter in space.parameters.items()
            ]
            for params in listed
        ]
    )


def _ranks(trials: Sequence[TrialRecord], objective: str) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    ranks: NDArray[np.float64] = rankdata([trial.values[objective] for trial in trials]) / len(trials)
    return ranks


def _forest() -> "RandomForestRegressor":
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=0)
