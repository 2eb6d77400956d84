"""Pictures of a search: its history, importances, each parameter, the two that matter most, and the Pareto front."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.build.searching.goals import Goals
from assay.build.searching.importance import Importances, fitted_forest, places
from assay.build.searching.parameters import Choice, Int, Parameter
from assay.build.searching.space import Space
from assay.build.searching.trials import TrialRecord
from assay.svg import LETTER, PAD, ROW, TITLE, Drawing, drawing, line, nice_ticks, text

__all__ = ["plots_of"]

_WIDE, _HIGH = 520, 300  # of the part with points
_SHARE_SHOWN = 0.95  # of the trials, from the best on: the worst would squeeze all others together
_EDGE = "The worst twentieth may stand at the edge."
_CELLS = 24
_MOST_OPTIONS = 8


@dataclass(frozen=True, slots=True)
class _Axis:
    """From `low` to `high`, with ticks (value, label); what lies outside is drawn at the edge."""

    name: str
    low: float
    high: float
    ticks: list[tuple[float, str]]

    def at(self, value: float) -> float:
        """0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def plots_of(
    trials: Sequence[TrialRecord], space: Space, goals: Goals, importances: Importances | None
) -> dict[str, Drawing]:
    """The pictures by the names of their files; nothing for a search of which fewer than two trials have finished."""
    finished = [trial for trial in trials if trial.state == "finished" and math.isfinite(trial.values[goals.first])]
    if len(finished) < 2:
        return {}
    found = {"history": _history(finished, goals)}
    for name, parameter in space.parameters.items():
        counted = [trial for trial in finished if name in trial.params]
        if counted:
            found[f"slice-{name.replace('/', '-')}"] = _slice(counted, name, parameter, goals)
    if importances is not None:
        found["importance"] = _importance(importances)
        names = [one.name for one in importances.parameters[:2]]
        if len(names) == 2:
            found["contour"] = _contour(finished, names, space, goals)
    if len(goals.names) > 1:
        found["pareto"] = _pareto(finished, goals)
    return found


def _history(trials: Sequence[TrialRecord], goals: Goals) -> Drawing:
    ordered = sorted(trials, key=lambda trial: trial.number)
    x = _numbers("trial", [trial.number for trial in ordered])
    y = _values(ordered, goals, goals.first)
    title, caption = f"{goals.first} by trial", f"A dot is a trial; the line is the best so far. {_EDGE}"
    better = min if goals.is_minimized(goals.first) else max
    steps: list[tuple[float, float]] = []
    for trial in ordered:
        value = trial.values[goals.first]
        best = better(steps[-1][1], value) if steps else value
        steps += [(trial.number, steps[-1][1])] if steps else []
        steps.append((trial.number, best))
    dots = [(x.at(trial.number), y.at(trial.values[goals.first]), "open") for trial in ordered]
    return _scatter(title, caption, x, y, dots, path=[(x.at(a), y.at(b)) for a, b in steps])


def _slice(trials: Sequence[TrialRecord], name: str, parameter: Parameter, goals: Goals) -> Drawing:
    x, y = _parameter_axis(name, parameter), _values(trials, goals, goals.first)
    best = goals.ranked(trials)[0].number
    ordered = sorted(trials, key=lambda trial: trial.number == best)  # the best is drawn last
    dots = [
        (
            x.at(parameter.place(trial.params[name])),
            y.at(trial.values[goals.first]),
            "better" if trial.number == best else "open",
        )
        for trial in ordered
    ]
    return _scatter(f"{goals.first} by {name}", f"A dot is a trial; the coloured one is the best. {_EDGE}", x, y, dots)


def _pareto(trials: Sequence[TrialRecord], goals: Goals) -> Drawing:
    first, second = goals.names[:2]
    x, y = _values(trials, goals, first), _values(trials, goals, second)
    front = {trial.number for trial in goals.front(trials)}
    ordered = sorted(trials, key=lambda trial: trial.number in front)
    dots = [
        (x.at(trial.values[first]), y.at(trial.values[second]), "better" if trial.number in front else "open")
        for trial in ordered
    ]
    words = " and ".join(f"{direction} {name}" for name, direction in list(goals.directions.items())[:2])
    return _scatter(f"{second} by {first}", f"{words}: no other trial beats the coloured ones. {_EDGE}", x, y, dots)


def _contour(trials: Sequence[TrialRecord], names: list[str], space: Space, goals: Goals) -> Drawing:
    """What a forest predicts over two parameters: the mean over what the trials had in the others."""
    forest = fitted_forest(trials, space, goals.first)
    columns = [list(space.parameters).index(name) for name in names]
    sample = places(space, [trial.params for trial in trials])[:: max(1, len(trials) // 50)]
    middles = (np.arange(_CELLS) + 0.5) / _CELLS
    cells = []
    for a in middles:
        rows = np.repeat(sample, _CELLS, axis=0)
        rows[:, columns[0]] = a
        rows[:, columns[1]] = np.tile(middles, len(sample))
        predicted = forest.predict(rows).reshape(len(sample), _CELLS).mean(axis=0)
        cells.append(predicted if not goals.is_minimized(goals.first) else 1 - predicted)
    grid = np.array(cells)
    strength = (grid - grid.min()) / (np.ptp(grid) or 1.0)
    x, y = (_parameter_axis(name, space.parameters[name]) for name in names)
    both = [trial for trial in trials if all(name in trial.params for name in names)]
    there = [[space.parameters[name].place(trial.params[name]) for name in names] for trial in both]
    dots = [(x.at(a), y.at(b), "open") for a, b in there]
    shaded = [(a / _CELLS, b / _CELLS, float(strength[a, b])) for a in range(_CELLS) for b in range(_CELLS)]
    caption = "The darker, the better, as a random forest predicts it from all trials; a dot is a trial."
    return _scatter(f"{goals.first} by {names[0]} and {names[1]}", caption, x, y, dots, shaded=shaded)


def _importance(found: Importances) -> Drawing:
    left = PAD + max(len(one.name) for one in found.parameters) * LETTER + PAD
    title = f"What {found.objective} depends on"
    top = TITLE + PAD / 2
    parts = [text(PAD, TITLE - 4, title, "title")]
    for row, one in enumerate(found.parameters):
        y = top + ROW * row
        parts.append(text(PAD, y + 16.5, one.name))
        parts.append(f'<rect class="up" x="{left:.1f}" y="{y + 4}" width="{one.share * 300:.1f}" height="{ROW - 8}"/>')
        parts.append(text(left + one.share * 300 + 8, y + 16.5, f"{one.share:.0%}"))
    caption = f"Shares of what the parameters explain, which is {found.explained:.0%} of the ranks of trials not seen."
    return drawing(parts, title, caption, max(left + 380, len(title) * 9 + 2 * PAD), top + ROW * len(found.parameters))


def _scatter(
    title: str,
    caption: str,
    x: _Axis,
    y: _Axis,
    dots: Sequence[tuple[float, float, str]],
    *,
    path: Sequence[tuple[float, float]] = (),
    shaded: Sequence[tuple[float, float, float]] = (),
) -> Drawing:
    """Dots over two axes; `shaded` are cells (left, bottom, strength), all places from 0 to 1."""
    left = PAD + max(len(label) for _, label in y.ticks or [(0.0, y.name)]) * LETTER + PAD
    left = max(left, PAD + len(y.name) * LETTER)
    top = TITLE + ROW
    bottom = top + _HIGH

    def across(place: float) -> float:
        return round(left + place * _WIDE, 1)

    def down(place: float) -> float:
        return round(bottom - place * _HIGH, 1)

    parts = [text(PAD, TITLE - 4, title, "title"), text(PAD, top - 8, y.name, "muted")]
    size = f'width="{_WIDE / _CELLS:.2f}" height="{_HIGH / _CELLS:.2f}" shape-rendering="crispEdges"'
    parts += [
        f'<rect class="up" x="{across(a)}" y="{down(b + 1 / _CELLS)}" {size} fill-opacity="{strength * 0.6:.2f}"/>'
        for a, b, strength in shaded
    ]
    for value, label in y.ticks:
        parts.append(line(left, down(y.at(value)), left + _WIDE, down(y.at(value)), "line"))
        parts.append(text(left - 8, down(y.at(value)) + 4.5, label, "muted", "end"))
    for value, label in x.ticks:
        parts.append(line(across(x.at(value)), bottom, across(x.at(value)), bottom + 5, "zero"))
        parts.append(text(across(x.at(value)), bottom + 19, label, "muted", "middle"))
    parts.append(line(left, bottom, left + _WIDE, bottom, "zero"))
    if path:
        points = " ".join(f"{across(a)},{down(b)}" for a, b in path)
        parts.append(f'<polyline class="better" points="{points}" style="fill: none; stroke-width: 2"/>')
    for a, b, kind in dots:
        opacity = ' fill-opacity="0.55" stroke="none"' if kind == "open" else ""
        parts.append(f'<circle class="{kind}" cx="{across(a)}" cy="{down(b)}" r="3.5"{opacity}/>')
    parts.append(text(left + _WIDE / 2, bottom + 38, x.name, "muted", "middle"))
    return drawing(parts, title, caption, left + _WIDE + 3 * PAD, bottom + 40)


def _parameter_axis(name: str, parameter: Parameter) -> _Axis:
    """Places of a parameter, with its own values as labels."""
    if isinstance(parameter, Choice):
        options = list(parameter.options)[:_MOST_OPTIONS]
        return _Axis(name, 0.0, 1.0, [(parameter.place(option), str(option)) for option in options])
    marks = [parameter.at(place) for place in (0.0, 0.25, 0.5, 0.75, 1 - 1e-12)]
    form = str if isinstance(parameter, Int) else "{:.3g}".format
    return _Axis(name, 0.0, 1.0, [(parameter.place(mark), form(mark)) for mark in dict.fromkeys(marks)])


def _values(trials: Sequence[TrialRecord], goals: Goals, name: str) -> _Axis:
    """An objective, from the best on without the worst twentieth."""
    values = np.array([trial.values[name] for trial in trials])
    values = values[np.isfinite(values)]
    ends = (values.min(), np.quantile(values, _SHARE_SHOWN))
    if not goals.is_minimized(name):
        ends = (np.quantile(values, 1 - _SHARE_SHOWN), values.max())
    return _numbers(name, [float(end) for end in ends])


def _numbers(name: str, values: Sequence[float]) -> _Axis:
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or abs(low) * 0.05 or 1.0
    ticks, decimals = nice_ticks(low - room, high + room, 5)
    return _Axis(name, low - room, high + room, [(tick, f"{tick:.{decimals}f}") for tick in ticks])
