"""Error rates of the gate's verdicts beyond disjoint segments and accuracy: crossed columns, areas, rows in units.

A run is a part of one profile, whose text columns hold the run's name in front of each segment's; `compare_all` answers
all segments of all runs at once, and `gate.default_rule` decides each run. A test gives the rows of single runs to
`assay.evaluate` and `assay.prove.judge` and compares.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from benchmarks.simulations.figures import Row, Share
from benchmarks.simulations.gate import ALPHA, MARGIN, default_rule
from benchmarks.simulations.worlds import Answers, Part, Rows, answers, areas, codes, profile_of, text
from numpy.typing import NDArray

from assay.stats import Profile, compare_all, normal

__all__ = ["WORLDS", "World", "batches", "decide", "p_values", "small_areas", "verdict_errors"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ROWS_AT_ONCE = 400_000
_HARM = -0.06
_AREA = 0.8


@dataclass(frozen=True, slots=True)
class World:
    """A kind of rows: its guarded metrics, its cells and what they are segments of, and the rows of a unit.

    Not `crossed`, each cell is a segment; crossed, cells are the crosses of two columns (4 and 6 values), which are
    segments too: 24 + 10 and overall. Units lie within a segment unless `scattered`.
    """

    name: str
    metrics: tuple[str, ...] = ("accuracy",)
    crossed: bool = False
    per_unit: int = 1
    scattered: bool = False
    sizes: tuple[int, ...] = field(default=tuple(round(float(rows)) for rows in np.geomspace(80, 500, 24)))

    @property
    def clustered(self) -> bool:
        """Whether rows hang together."""
        return self.per_unit > 1


WORLDS = (
    World("accuracy, disjoint segments"),
    World("accuracy, crossed columns", crossed=True),
    World("AUC, disjoint segments", ("auc",)),
    World("AUC, crossed columns", ("auc",), crossed=True),
    World("accuracy and AUC, crossed columns", ("accuracy", "auc"), crossed=True),
    World("accuracy, units within segments", per_unit=5),
    World("accuracy, units across crossed columns", crossed=True, per_unit=5, scattered=True),
    World("AUC, units within segments", ("auc",), per_unit=5),
)


def verdict_errors(
    seed: int, repetitions: int, worlds: tuple[World, ...] = WORLDS, others: int | None = None
) -> list[Row]:
    """By world: what happens to equal models, to a candidate at the margin everywhere, and to harm in one segment.

    The harm is .06 in the cell of most rows. `others` are the repetitions of the last two columns.
    """
    rows = []
    for place, world in enumerate(worlds):
        equal = decide(seed + place, repetitions, world, 0.0)
        harmed = decide(seed + place, others or repetitions, world, 0.0, harm=_HARM)
        shares: dict[str, Share | None] = {
            "equal: P(promote)": _share(equal["promoted"]),
            "equal: P(fail anywhere)": _share(equal["failed"]),
            "at the margin: P(pass overall)": None,
            "−.06 in one: P(fail)": _share(harmed["failed"]),
        }
        if len(world.metrics) == 1:  # a candidate at the margin in one metric is elsewhere in another
            at_margin = decide(seed + place, others or repetitions, world, -MARGIN)
            shares["at the margin: P(pass overall)"] = _share(at_margin["certified"])
        rows.append(Row({"world": world.name}, shares))
    return rows


def small_areas(
    seed: int, repetitions: int, cases: Iterable[tuple[int, int]] = ((100, 12), (300, 30)), segments: int = 30
) -> list[Row]:
    """P(any of many segments is accused), for two models of equal areas; by rows and positives of a segment.

    By `compare_all` with Holm, and by a normal distribution with the same standard errors.
    """
    rows = []
    for place, (n, positives) in enumerate(cases):
        for area in (0.7, 0.9):
            generator = np.random.default_rng([seed, 13, place, round(100 * area)])
            accused: dict[str, list[NDArray[np.bool_]]] = {"Assay": [], "a normal": []}
            label = np.tile((np.arange(n) < positives).astype(np.int64), segments)
            size = max(1, _ROWS_AT_ONCE // len(label))
            for start in range(0, repetitions, size):
                runs = min(size, repetitions - start)
                every, true = np.tile(label, runs), np.full(runs * len(label), area)
                names = [f"{segment:07d}" for segment in range(runs * segments)]
                columns = {"segment": codes(names, np.repeat(np.arange(runs * segments), n))}
                made = Rows(areas(generator, (true, true), every), columns)
                found = compare_all(profile_of(made, influence=True), "candidate", "baseline", "auc", MARGIN, ALPHA)
                normal_tails = normal.upper_tails(-found.delta[1:] / found.standard_error[1:])
                for name, p in (("Assay", found.p_worse[1:]), ("a normal", normal_tails)):
                    accused[name].append(p.reshape(runs, segments).min(axis=1) * segments <= ALPHA)
            shares = {name: _share(np.concatenate(parts)) for name, parts in accused.items()}
            rows.append(Row({"rows": str(n), "positives": str(positives), "area": str(area)}, {**shares}))
    return rows


def _share(found: NDArray[np.bool_]) -> Share:
    return Share(float(found.mean()), len(found))


def decide(
    seed: int, repetitions: int, world: World, difference: float, harm: float | None = None
) -> Mapping[str, NDArray[np.bool_]]:
    """[runs] whether the gate "promoted", "failed", and found the candidate not worse overall ("certified").

    The candidate is better by `difference` everywhere; with `harm`, by that in the cell of most rows.
    """
    found: dict[str, list[NDArray[np.bool_]]] = {"promoted": [], "failed": [], "certified": []}
    for rows in batches(seed, repetitions, world, difference, harm):
        worse, overall = p_values(profile_of(rows, influence="auc" in world.metrics), world)
        promoted, failed = default_rule(worse, overall)
        found["promoted"].append(promoted)
        found["failed"].append(failed)
        found["certified"].append(np.all(overall <= ALPHA, axis=1))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def p_values(profile: Profile, world: World) -> tuple[Floats, Floats]:
    """[runs, tests] the P-values of harm, and [runs, metrics] those of "worse by the margin" overall."""
    worse, overall = [], []
    for metric in world.metrics:
        found = compare_all(profile, "candidate", "baseline", metric, MARGIN, ALPHA, clustered=world.clustered)
        for column in profile.columns:
            places = [place for place, one in enumerate(profile.segments) if [c for c, _ in one.conditions] == [column]]
            runs = len({profile.segments[place].conditions[0][1].partition("|")[0] for place in places})
            worse.append(found.p_worse[places].reshape(runs, -1))
            if column == "run":
                overall.append(found.p_not_worse[places])
    return np.concatenate(worse, axis=1), np.stack(overall, axis=1)


def batches(seed: int, repetitions: int, world: World, difference: float, harm: float | None = None) -> Iterator[Rows]:
    """The rows of all runs, some runs at a time."""
    generator = np.random.default_rng([seed, 9])
    cell = np.repeat(np.arange(len(world.sizes)), world.sizes)
    n = len(cell)
    # A cell's rows stand together, so units of consecutive rows lie within it; scattered ones are dealt out.
    order = np.random.default_rng([seed, 10]).permutation(n) if world.scattered else np.arange(n)
    unit = order // world.per_unit if world.scattered else _within(world)
    size = max(1, _ROWS_AT_ONCE // n)
    for start in range(0, repetitions, size):
        runs = np.arange(start, min(repetitions, start + size))
        every, owner = np.tile(cell, len(runs)), np.repeat(np.arange(len(runs)), n)
        local = (owner * n + np.tile(unit, len(runs))) if world.clustered else None
        made = _answers(generator, world, every, difference, harm, local)
        units = None if local is None else text(local + start * n)
        names = [f"{run:06d}" for run in runs.tolist()]
        yield Rows(made, _columns(world, names, owner, every), units)


def _within(world: World) -> Integers:
    """Units of consecutive rows that end where a cell ends."""
    found, start = [], 0
    for rows in world.sizes:
        found.append(start + np.arange(rows) // world.per_unit)
        start += -(-rows // world.per_unit)
    return np.concatenate(found)


def _answers(
    generator: np.random.Generator,
    world: World,
    cell: Integers,
    difference: float,
    harm: float | None,
    unit: Integers | None,
) -> Answers:
    better = np.full(len(world.sizes), difference)
    if harm is not None:
        better[int(np.argmax(world.sizes))] = harm
    if "auc" not in world.metrics:
        return answers(generator, [Part(one) for one in better.tolist()], cell, unit)
    label = (generator.random(len(cell)) < 0.3).astype(np.int64)
    return areas(generator, (_AREA + better[cell], np.full(len(cell), _AREA)), label, unit=unit)


def _columns(world: World, names: list[str], owner: Integers, cell: Integers) -> dict[str, pa.DictionaryArray]:
    found = {"run": codes(names, owner)}
    numbers = {"segment": (cell, len(world.sizes))}
    if world.crossed:
        numbers = {"a": (cell % 4, 4), "b": (cell // 4, 6), "a and b": (cell, 24)}
    for column, (values, count) in numbers.items():
        every = [f"{name}|{value:02d}" for name in names for value in range(count)]
        found[column] = codes(every, owner * count + values)
    return found
