"""Searches as the project file says them: the options of a table, checked, and a search that is run by them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from assay.build.searching.budget import Budget
from assay.build.searching.choosing import new_pruner
from assay.build.searching.goals import checked_goals
from assay.build.searching.holdout import Holdout
from assay.build.searching.search import search
from assay.build.searching.searched import Searched
from assay.build.searching.space import Space
from assay.build.searching.trial import Objective
from assay.errors import InvalidInput, nearest
from assay.record.store import Store

__all__ = ["SearchOptions", "parse_options", "run_search"]


class SearchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said about a search beside its space; names and meanings are those of `assay.search`.

    `executor` and `workers` say where it runs. Without an `experiment` it belongs to one of its own name.
    """

    experiment: str | None = None
    trials: int | None = None
    seconds: float | None = None
    money: float | None = None
    cost_per_hour: float | None = None
    patience: int | None = None
    sampler: str = "random"
    seed: int | None = None
    direction: str | None = None
    objectives: dict[str, str] | None = None
    pruner: str | None = None
    executor: str = "threads"
    workers: int | None = None
    in_flight: int | None = None
    warm_start: list[str] = []
    reuse: bool = False
    refit: int = 3

    def budget(self) -> Budget:
        """The limits; InvalidInput where they make no sense."""
        return Budget(
            trials=self.trials,
            seconds=self.seconds,
            money=self.money,
            cost_per_hour=self.cost_per_hour,
            patience=self.patience,
        )


def parse_options(table: object, where: str) -> SearchOptions:
    """The options of a table of assay.toml; `where` names the file and the table. InvalidInput, with the place."""
    if not isinstance(table, Mapping):
        raise InvalidInput(f"the search is {table!r}", where=where, expected="a table, such as [search]")
    known = [field.name for field in msgspec.structs.fields(SearchOptions)]
    for key in table:
        if key not in known:
            close = nearest(str(key), known)
            raise InvalidInput(
                f"a search has no {key!r}",
                where=where,
                expected=", ".join(known),
                hint=f"did you mean {close!r}?" if close else None,
            )
    try:
        options = msgspec.convert(dict(table), SearchOptions)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        raise InvalidInput(what, where=f"{where}.{place.rstrip('`')}" if place else where) from None
    try:
        options.budget()
        new_pruner(options.pruner)
        checked_goals(options.objectives if options.objectives is not None else options.direction or "minimize")
    except InvalidInput as error:
        raise InvalidInput(error.what, where=where, expected=error.expected, hint=error.hint) from None
    return options


def run_search(
    store: Store,
    name: str,
    objective: Objective,
    space: Space,
    options: SearchOptions,
    *,
    holdout: Holdout | None = None,
    resume: str | None = None,
) -> Searched:
    """Run the search of that name, or take it up by the id of its run; errors as of `assay.search`."""
    given: dict[str, Any] = msgspec.structs.asdict(options)
    for key in ("trials", "seconds", "money", "cost_per_hour", "patience"):
        del given[key]
    given["experiment"] = options.experiment or name
    return search(
        objective, space, store=store, name=name, budget=options.budget(), holdout=holdout, resume=resume, **given
    )
