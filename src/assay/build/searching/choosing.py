"""Samplers and pruners by their names: those that are built in, and those of Optuna."""

from collections.abc import Callable, Sequence
from typing import Any

from assay.build.searching.goals import Goals
from assay.build.searching.optuna_pruner import OPTUNA_PRUNERS, OptunaPruner
from assay.build.searching.optuna_sampler import OPTUNA_SAMPLERS, OptunaSampler, SamplerMaker
from assay.build.searching.pruners import Asha, Pruner
from assay.build.searching.samplers import Grid, RandomSampler, Sampler, Sobol
from assay.build.searching.space import Space
from assay.errors import InvalidInput, nearest

__all__ = ["new_pruner", "new_sampler", "sampler_name"]

_BUILT_IN: dict[str, Callable[[Space, int], Sampler]] = {"grid": Grid, "random": RandomSampler, "sobol": Sobol}


def new_sampler(which: str | SamplerMaker, space: Space, goals: Goals, seed: int) -> Sampler:
    """The sampler of that name, or of a function that makes one of Optuna's from a seed.

    InvalidInput with the nearest name; MissingExtra where it is one of Optuna's, which is not installed.
    """
    if not isinstance(which, str) or which in OPTUNA_SAMPLERS:
        return OptunaSampler(which, space, goals, seed)
    if which in _BUILT_IN:
        return _BUILT_IN[which](space, seed)
    if which == "asha":
        raise InvalidInput("asha is a pruner", hint='pruner="asha", beside any sampler')
    raise _unknown("sampler", which, [*_BUILT_IN, *OPTUNA_SAMPLERS])


def new_pruner(which: Any) -> Pruner | None:
    """The pruner of that name, one of Optuna's that somebody made, or what was given; errors as for samplers."""
    if which is None or isinstance(which, Asha):
        return which
    if not isinstance(which, str) or which in OPTUNA_PRUNERS:
        return OptunaPruner(which)
    if which == "asha":
        return Asha()
    raise _unknown("pruner", which, ["asha", *OPTUNA_PRUNERS])


def sampler_name(which: str | SamplerMaker) -> str:
    """What the record calls a sampler."""
    return which if isinstance(which, str) else f"{which.__module__}:{which.__qualname__}"


def _unknown(what: str, name: str, known: Sequence[str]) -> InvalidInput:
    close = nearest(name, list(known))
    return InvalidInput(
        f"there is no {what} {name!r}", expected=" | ".join(known), hint=f"did you mean {close!r}?" if close else None
    )
