"""`assay trials`: the trials of a search, best first, what the objective depends on, and pictures of it."""

from pathlib import Path
from typing import Annotated

import msgspec

from assay.build.searching.goals import checked_goals
from assay.build.searching.importance import Importances, importances
from assay.build.searching.plots import plots_of
from assay.build.searching.searched import Searched, searched
from assay.build.searching.space import parse_space
from assay.build.searching.trials import definition_of, find_search, read_trials
from assay.errors import InvalidInput, StoreUnavailable
from assay.operation import operation
from assay.record.store import Store

__all__ = ["SearchReport", "trials"]


class SearchReport(msgspec.Struct, frozen=True):
    """A search, what its first objective depends on where enough trials tell, and the files that were drawn."""

    search: Searched
    importances: Importances | None
    plots: list[str]


@operation("trials", local=True)
def trials(
    store: Store,
    search: str,
    *,
    plots: Annotated[str | None, "Folder to draw SVG files into: history, importance, slices, contour, Pareto"] = None,
) -> SearchReport:
    """Show the trials of a search, best first; the first characters of its run's id are enough.

    InvalidInput where it is another kind of run, or the folder cannot be one. NotFound where there is no such run.
    """
    row = find_search(store, search)
    target = Path(plots) if plots is not None else None
    if target is not None and target.exists() and not target.is_dir():
        raise InvalidInput("the plots cannot be drawn", where=str(target), expected="a folder")
    kept = definition_of(store, row["run_id"])
    space, goals = parse_space(kept["space"], "search"), checked_goals(kept["objectives"])
    records = read_trials(store, row["run_id"], space, goals.first, reports=False)
    depends = importances(records, space, goals.first)
    drawn: list[str] = []
    if target is not None:
        try:
            target.mkdir(parents=True, exist_ok=True)
            for name, picture in plots_of(records, space, goals, depends).items():
                picture.save(target / f"{name}.svg")
                drawn.append(str(target / f"{name}.svg"))
        except OSError as error:
            raise StoreUnavailable(f"the plots cannot be drawn: {error.strerror}", where=str(target)) from error
    return SearchReport(searched(store, row), depends, drawn)
