"""Searches and their trials, for people."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import lines, number, table

if TYPE_CHECKING:
    from assay.build.searching.holdout import HeldOut
    from assay.build.searching.searched import Searched
    from assay.build.searching.showing import SearchReport

__all__ = ["search_report", "searched"]

_SHOWN = 20


def search_report(found: "SearchReport") -> RenderableType:
    """The search, what its objective depends on, and what was drawn."""
    parts = [searched(found.search)]
    if found.importances is not None:
        explained = f"{found.importances.explained:.0%} of the ranks of {found.importances.objective}"
        shares = ", ".join(f"{one.name} {one.share:.0%}" for one in found.importances.parameters)
        parts.append(lines([f"importance: {shares}", f"the parameters explain {explained} of trials not seen"], ""))
    if found.plots:
        parts.append(lines([f"drawn: {path}" for path in found.plots], "dim"))
    return Group(*parts)


def searched(found: "Searched") -> RenderableType:
    """How it ended in a line, the best trials as a table, and what the best is worth."""
    states = [trial.state for trial in found.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    directions = ", ".join(f"{direction} {name}" for name, direction in found.objectives.items())
    same = sum(trial.same_as is not None for trial in found.trials)
    said = [f"search {found.run_id[:8]} in {found.experiment}: {directions}", f"{found.ended}; {counts or 'no trial'}"]
    said += [f"{same} already evaluated, and not run again"] if same else []
    parts: list[RenderableType] = [lines(said, "")]
    parameters = list(dict.fromkeys(name for trial in found.trials for name in trial.params))
    shown = table("trial", "run", *found.objectives, *parameters, "seconds", "state")
    for trial in found.trials[:_SHOWN]:
        state = f"already evaluated as run {trial.same_as[:8]}" if trial.same_as else trial.state
        state += f": {trial.reason.splitlines()[0]}" if trial.reason else ""
        shown.add_row(
            f"{trial.number}{' *' if trial.number in found.front else ''}",
            trial.run_id[:8],
            *(number(trial.values[name], 6) if name in trial.values else "" for name in found.objectives),
            *(_value(trial.params.get(name, "")) for name in parameters),
            f"{trial.seconds:.3f}",
            state,
        )
    parts.append(shown)
    if len(found.trials) > _SHOWN:
        parts.append(Text(f"{len(found.trials) - _SHOWN} more; --json prints all", "dim"))
    return Group(*parts, *_worth(found))


def _worth(found: "Searched") -> list[RenderableType]:
    """Search score, corrected score and hold-out score, side by side."""
    if found.best_of is None and not found.holdout:
        return []
    shown = table(
        "trial", "objective", "search score", "corrected score", "hold-out score", title="what the best is worth"
    )
    honest = found.best_of
    corrected = number(honest.corrected_score, 6) if honest is not None else ""
    held = {one.number: one for one in found.holdout}
    for trial in [trial for trial in found.trials if trial.number in held] or found.trials[:1]:
        for name in found.objectives:
            one = held.get(trial.number)
            on_others = (
                number(one.holdout[name], 6) if one and name in one.holdout else (one.reason or "") if one else ""
            )
            is_best = trial.number in found.front
            shown.add_row(
                str(trial.number), name, number(trial.values[name], 6), corrected if is_best else "", on_others
            )
    if honest is None:
        return [shown]
    chosen = f"chosen among {honest.trials} trials on {honest.rows:,} rows"
    optimism = f"equally good ones would overstate themselves by {honest.expected_optimism:.4g}"
    return [shown, Text(f"{chosen}: {optimism}", "dim")]


def _held(one: "HeldOut | None", name: str) -> str:
    if one is None:
        return ""
    return number(one.holdout[name], 6) if name in one.holdout else one.reason or ""


def _value(value: object) -> str:
    return number(value, 5) if isinstance(value, float) else str(value)
