"""Online tests of two equal variants that are looked at again and again: how often each engine calls a difference.

Runs are drawn as arrays; what an engine rejects at a look is asked of it once, as a limit on the sums of that look, and
compared with all runs at once.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from benchmarks.simulations.figures import Row, Share
from numpy.typing import NDArray

from assay.stats import bernoulli_interval, normal
from assay.stats.anytime import MINIMUM_UNITS, asymptotic_interval
from assay.stats.bandit import shares
from assay.stats.duration import sequence_inflation
from assay.stats.effects import Effect, Sums, difference
from assay.stats.group_sequential import boundaries, crossing, drift_for, inflation
from assay.stats.proportions_test import ERROR_CONCENTRATION, SRM_CONCENTRATION, error_share, share_p
from assay.stats.quantile_sequences import quantile_ranks, quantiles_differ_p
from assay.stats.shadow_pairs import discordant, paired_effect

__all__ = [
    "ALPHA",
    "ENGINES",
    "equal_percentiles",
    "false_positives",
    "power_rows",
    "returning_units",
    "stopped_coverage",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ALPHA = 0.05
LOOKS = 100
_TUNING = 5000.0


def false_positives(seed: int, runs: int, looks: int = LOOKS, engines: Sequence[str] | None = None) -> list[Row]:
    """P(a difference is called at any look, or at the last) of two variants that are the same."""
    rows = []
    for place, (name, engine) in enumerate(ENGINES.items()):
        if engines is None or name in engines:
            called = engine(np.random.default_rng([seed, 21, place]), runs, looks)
            rows.append(
                Row(
                    {"engine": name},
                    {
                        "any look": Share(float(called.any(axis=1).mean()), runs),
                        "last look": Share(float(called[:, -1].mean()), runs),
                    },
                )
            )
    return rows


def _naive(generator: np.random.Generator, runs: int, looks: int) -> Bools:
    return np.abs(_mean_z(generator, runs, looks)[0]) >= normal.critical_value(1.0 - ALPHA)


def _sequence(generator: np.random.Generator, runs: int, looks: int) -> Bools:
    z, units = _mean_z(generator, runs, looks)
    limits = [
        asymptotic_interval(Effect(0.0, 1.0, n, n, 2.0 * n - 2.0), ALPHA, tuning=_TUNING).high for n in units.tolist()
    ]
    return np.abs(z) >= np.array(limits)


def _mean_z(generator: np.random.Generator, runs: int, looks: int, step: int = 50) -> tuple[Floats, NDArray[np.int64]]:
    """[runs, looks] z of differences of exponential means, and the units of each variant at the looks."""
    units = step * np.arange(1, looks + 1)
    means, variances = [], []
    for _ in range(2):
        values = generator.standard_exponential((runs, looks, step), dtype=np.float32)
        total = np.cumsum(values.sum(axis=2, dtype=np.float64), axis=1)
        squares = np.cumsum((values * values).sum(axis=2, dtype=np.float64), axis=1)
        means.append(total / units)
        variances.append((squares - total * total / units) / (units - 1) / units)
    return (means[1] - means[0]) / np.sqrt(variances[0] + variances[1]), units


def _guardrail(generator: np.random.Generator, runs: int, looks: int) -> Bools:
    """The lower bound of a guardrail says that the loss is within the margin, and the true loss is the margin."""
    z, units = _mean_z(generator, runs, looks)
    limits = [
        -asymptotic_interval(Effect(0.0, 1.0, n, n, 2.0 * n - 2.0), ALPHA, tuning=_TUNING, side="above").low
        for n in units.tolist()
    ]
    return z >= np.array(limits)


def _ramp(generator: np.random.Generator, runs: int, looks: int, step: int = 40) -> Bools:
    """Ratios with a covariate while the treatment goes from 5 % to half, on days that become better."""
    phases = 4
    names = ("y", "yy", "x", "xx", "xy", "d", "dd", "yd", "xd")
    sums = {side: {name: np.zeros((runs, phases)) for name in ("n", *names)} for side in (0, 1)}
    called = np.zeros((runs, looks), bool)
    for look in range(looks):
        phase = look * phases // looks
        treated = generator.random((runs, step)) < (0.05, 0.2, 0.5, 0.5)[phase]
        d = 1.0 + generator.poisson(3.0, (runs, step))
        x = d * generator.normal(1.0 + phase, 1.0, (runs, step))
        y = 0.5 * x + d * generator.normal(phase, 1.0, (runs, step))
        values = {"y": y, "yy": y * y, "x": x, "xx": x * x, "xy": x * y, "d": d, "dd": d * d, "yd": y * d, "xd": x * d}
        for side, chosen in ((0, ~treated), (1, treated)):
            sums[side]["n"][:, phase] += chosen.sum(axis=1)
            for name, value in values.items():
                sums[side][name][:, phase] += (value * chosen).sum(axis=1)
        for run in range(runs):
            control, treatment = (
                [
                    Sums(
                        n=int(side["n"][run, one]), ratio=True, **{name: float(side[name][run, one]) for name in names}
                    )
                    for one in range(phase + 1)
                ]
                for side in (sums[0], sums[1])
            )
            found = asymptotic_interval(difference(control, treatment), ALPHA, tuning=2000.0)
            called[run, look] = found.low > 0.0 or found.high < 0.0
    return called


def _planned(spending: str) -> Callable[[np.random.Generator, int, int], Bools]:
    def engine(generator: np.random.Generator, runs: int, looks: int) -> Bools:
        z, units = _mean_z(generator, runs, looks)
        fractions = (units / units[-1]).tolist()
        return np.abs(z) >= np.array(boundaries(fractions, ALPHA, spending))  # type: ignore[arg-type]

    return engine


def _split(share: float, concentration: float, step: int) -> Callable[[np.random.Generator, int, int], Bools]:
    """Counts that fall to the first of two variants with a chance, `step` more at each look."""

    def engine(generator: np.random.Generator, runs: int, looks: int) -> Bools:
        counts = np.cumsum(generator.binomial(step, share, (runs, looks)), axis=1)
        totals = step * np.arange(1, looks + 1)

        def rejects(count: int, total: int) -> bool:
            return share_p([count, total - count], [share, 1.0 - share], concentration) <= ALPHA

        return _outside(counts, totals, share, rejects)

    return engine


def _stated_harm(generator: np.random.Generator, runs: int, looks: int) -> Bools:
    """Errors of a canary against twice those of the others, though they are the same."""
    counts = np.cumsum(generator.binomial(5, 0.1, (runs, looks)), axis=1)
    totals = 5 * np.arange(1, looks + 1)
    high = np.empty(looks)
    for look, total in enumerate(totals.tolist()):
        middle = round(total * 0.1)

        def harmful(more: int, total: int = total, middle: int = middle) -> bool:
            errors = [middle + more, total - middle - more]
            return error_share(errors, [0.1, 0.9], 0, factor=2.0).harmful(ALPHA)

        high[look] = middle + _first(harmful, total - middle)
    return counts >= high


def _losses(generator: np.random.Generator, runs: int, looks: int, step: int = 20) -> Bools:
    """Losses of a shadow in pairs, several labels of a unit, which hang together."""
    labels = 1.0 + generator.poisson(2.0, (runs, looks, step))
    own = generator.normal(0.0, 1.0, labels.shape)
    y = labels * own + np.sqrt(labels) * generator.standard_exponential(labels.shape) - np.sqrt(labels)
    columns = {"y": y, "yy": y * y, "d": labels, "dd": labels * labels, "yd": y * labels}
    sums = {name: np.cumsum(column.sum(axis=2), axis=1) for name, column in columns.items()}
    called = np.zeros((runs, looks), bool)
    for run in range(runs):
        for look in range(looks):
            so_far = {name: float(column[run, look]) for name, column in sums.items()}
            found = asymptotic_interval(paired_effect(Sums(n=step * (look + 1), ratio=True, **so_far)), ALPHA)
            called[run, look] = found.low > 0.0 or found.high < 0.0
    return called


def _bandit(generator: np.random.Generator, runs: int, looks: int, step: int = 60) -> Bools:
    """Three variants whose shares follow the evidence ten times, on days of different levels."""
    every = max(1, looks // 10)
    called = np.zeros((runs, looks), bool)
    for run in range(runs):
        days = generator.normal(0.0, 0.5, 10)
        chances = [1 / 3, 1 / 3, 1 / 3]
        phases: list[list[Sums]] = []
        for look in range(looks):
            if look % every == 0:
                if phases:
                    chances = _followed(phases)
                phases.append([Sums() for _ in chances])
            arms = generator.choice(3, step, p=chances)
            values = days[(look // every) % 10] + generator.normal(0.0, 1.0, step)
            phases[-1] = [
                one + Sums(n=int(np.sum(arms == arm)), y=float(own.sum()), yy=float((own * own).sum()))
                for arm, one in enumerate(phases[-1])
                for own in (values[arms == arm],)
            ]
            found = asymptotic_interval(
                difference([phase[0] for phase in phases], [phase[2] for phase in phases]), ALPHA, tuning=2000.0
            )
            called[run, look] = found.low > 0.0 or found.high < 0.0
    return called


def _followed(phases: list[list[Sums]]) -> list[float]:
    """The shares of the next phase, by means that weigh each phase by its units."""
    units = [sum(one.n for one in phase) for phase in phases]
    means, errors = [], []
    for arm in range(len(phases[0])):
        parts = [(own / sum(units), phase[arm]) for own, phase in zip(units, phases, strict=True)]
        means.append(sum(weight * one.mean for weight, one in parts))
        errors.append(sum(weight**2 * one.variance / one.n for weight, one in parts) ** 0.5)
    return shares(means, errors, floor=0.1)


def _pairs(generator: np.random.Generator, runs: int, looks: int, step: int = 5) -> Bools:
    better = np.cumsum(generator.binomial(step, 0.5, (runs, looks)), axis=1)
    totals = step * np.arange(1, looks + 1)
    return _outside(better, totals, 0.5, lambda count, total: discordant(count, total - count, ALPHA).p_value <= ALPHA)


def _fraction(generator: np.random.Generator, runs: int, looks: int, step: int = 50, share: float = 0.05) -> Bools:
    """The fraction of slow answers is what it is agreed to be, and its sequence leaves that out."""
    slow = np.cumsum(generator.binomial(step, share, (runs, looks)), axis=1)
    totals = step * np.arange(1, looks + 1)

    def rejects(count: int, total: int) -> bool:
        found = bernoulli_interval(count, total, 1000.0, ALPHA)
        return not found.low <= share <= found.high

    return _outside(slow, totals, share, rejects)


def _percentile(generator: np.random.Generator, runs: int, looks: int, step: int = 50, q: float = 0.95) -> Bools:
    """The sequence of the 95th percentile leaves out the true one: too few values or too many are up to it."""
    upto = np.cumsum(generator.binomial(step, q, (runs, looks)), axis=1)
    ranks = np.array([quantile_ranks(step * look, q, ALPHA) for look in range(1, looks + 1)])
    return (upto < ranks[:, 0]) | (upto >= ranks[:, 1])


def equal_percentiles(seed: int, runs: int, looks: int = 8, step: int = 200) -> Share:
    """P(two variants with the same median are told apart by it at any look)."""
    generator = np.random.default_rng([seed, 26])
    called = 0
    for _ in range(runs):
        control, treatment = generator.exponential(1.0, (2, looks * step))
        called += any(
            quantiles_differ_p(control[: step * look], treatment[: step * look], 0.5, ALPHA) <= ALPHA
            for look in range(1, looks + 1)
        )
    return Share(called / runs, runs)


def _outside(
    counts: NDArray[np.int64], totals: NDArray[np.int64], share: float, rejects: Callable[[int, int], bool]
) -> Bools:
    """Which counts an engine rejects: the smallest above their expectation and the largest below, by bisection."""
    highest, lowest = np.empty(len(totals)), np.empty(len(totals))
    for place, total in enumerate(totals.tolist()):
        middle = round(total * share)
        highest[place] = _first(lambda k, n=total, m=middle: rejects(m + k, n), total - middle)  # type: ignore[misc]
        highest[place] += middle
        lowest[place] = middle - _first(lambda k, n=total, m=middle: rejects(m - k, n), middle)  # type: ignore[misc]
    return (counts >= highest) | (counts <= lowest)


def _first(true: Callable[[int], bool], most: int) -> int:
    """The smallest step from 1 to `most` at which it becomes true; one more than that where it does not."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if true(middle) else (middle, high)
    return high


ENGINES: dict[str, Callable[[np.random.Generator, int, int], Bools]] = {
    "a 5 % test at each look": _naive,
    "asymptotic sequence": _sequence,
    "the same over a ramp, ratios with a covariate": _ramp,
    "bandit of three, shares that follow": _bandit,
    "one-sided bound of a guardrail": _guardrail,
    "planned looks, O'Brien-Fleming": _planned("obrien-fleming"),
    "planned looks, Pocock": _planned("pocock"),
    "units against the split (k = 100)": _split(0.5, SRM_CONCENTRATION, 100),
    "errors against the traffic (k = 10)": _split(0.1, ERROR_CONCENTRATION, 5),
    "errors against a stated harm (twice)": _stated_harm,
    "shadow, one right and one wrong": _pairs,
    "shadow, losses of units in pairs": _losses,
    "fraction of slow answers": _fraction,
    "95th percentile": _percentile,
}


def returning_units(seed: int, runs: int, users: int = 2000, requests: int = 10, looks: int = LOOKS) -> list[Row]:
    """Users come back, and what they do hangs together (correlation .5); the sequence counts requests or ripe units."""
    generator = np.random.default_rng([seed, 22])
    called = {"requests as they come": 0, "units, once their last request is in": 0}
    for _ in range(runs):
        own = generator.normal(0.0, math.sqrt(0.5), users)
        values = own[:, None] + generator.normal(0.0, math.sqrt(0.5), (users, requests))
        treated = generator.random(users) < 0.5
        times = np.sort(generator.random((users, 1)) * 0.7 + generator.random((users, requests)) * 0.3, axis=1)
        for name in called:
            if name.startswith("requests"):
                found = _looked(values.ravel(), np.repeat(treated, requests), times.ravel(), looks)
            else:
                found = _looked(values.mean(axis=1), treated, times[:, -1], looks)
            called[name] += found
    return [Row({"counted": name}, {"any look": Share(count / runs, runs)}) for name, count in called.items()]


def _looked(y: Floats, treated: Bools, times: Floats, looks: int) -> bool:
    """Whether the sequence calls a difference at any of the looks, evenly spaced in time."""
    order = np.argsort(times)
    y, treated = y[order], treated[order]
    ends = np.searchsorted(times[order], np.arange(1, looks + 1) / looks, side="right")
    sides = []
    for chosen in (~treated, treated):
        n, total, squares = (
            np.concatenate([[0.0], np.cumsum(column)])[ends]
            for column in (chosen.astype(np.float64), y * chosen, y * y * chosen)
        )
        sides.append((n, total, squares))
    for look in range(looks):
        control, treatment = (
            Sums(n=int(n[look]), y=float(total[look]), yy=float(squares[look])) for n, total, squares in sides
        )
        if min(control.n, treatment.n) < MINIMUM_UNITS:
            continue
        found = asymptotic_interval(difference(control, treatment), ALPHA, tuning=_TUNING)
        if found.low > 0.0 or found.high < 0.0:
            return True
    return False


def power_rows(seed: int, runs: int, fixed: int = 400, power: float = 0.8) -> list[Row]:
    """P(a true difference is found) with the units planned for it, beside what was planned."""
    effect = (normal.critical_value(1.0 - ALPHA) + normal.quantile(power)) * math.sqrt(2.0 / fixed)
    rows = []
    for place, (name, looks, spending) in enumerate(
        [("one look", 1, "obrien-fleming"), ("O'Brien-Fleming", 5, "obrien-fleming"), ("Pocock", 5, "pocock")]
    ):
        generator = np.random.default_rng([seed, 23, place])
        factor = inflation(looks, ALPHA, power, spending)  # type: ignore[arg-type]
        units = np.ceil(fixed * factor * np.arange(1, looks + 1) / looks).astype(np.int64)
        bounds = boundaries((units / units[-1]).tolist(), ALPHA, spending)  # type: ignore[arg-type]
        steps = np.diff(units, prepend=0)
        found, used = np.zeros(runs, bool), np.full(runs, units[-1])
        totals = [np.zeros(runs), np.zeros(runs)]
        squares = [np.zeros(runs), np.zeros(runs)]
        for n, step, bound in zip(units.tolist(), steps.tolist(), bounds, strict=True):
            for side in (0, 1):
                values = generator.normal(side * effect, 1.0, (runs, step))
                totals[side] += values.sum(axis=1)
                squares[side] += (values * values).sum(axis=1)
            variance = sum((squares[side] - totals[side] ** 2 / n) / (n - 1) / n for side in (0, 1))
            now = ~found & ((totals[1] - totals[0]) / n / np.sqrt(variance) >= bound)
            used[now] = n
            found |= now
        rows.append(
            Row(
                {"design": name, "units at most": f"{units[-1]:,}", "in the mean": f"{used.mean():,.0f}"},
                {"power": Share(float(found.mean()), runs), "planned": Share(power)},
            )
        )
    return [*rows, _power_at_will(seed, runs, fixed, power, effect)]


def _power_at_will(seed: int, runs: int, fixed: int, power: float, effect: float) -> Row:
    """A sequence that is tightest at the planned end: its power at the end alone, and units until it first calls."""
    generator = np.random.default_rng([seed, 27])
    units = np.ceil(fixed * sequence_inflation(ALPHA, power) * np.arange(1, 21) / 20).astype(np.int64)
    z = np.zeros((runs, 20))
    for place, step in enumerate(np.diff(units, prepend=0).tolist()):
        z[:, place] = generator.normal(effect * step, math.sqrt(2.0 * step), runs)
    z = np.cumsum(z, axis=1) / np.sqrt(2.0 * units)
    limits = [
        asymptotic_interval(Effect(0.0, 1.0, n, n, 2.0 * n - 2.0), ALPHA, tuning=2.0 * units[-1]).high
        for n in units.tolist()
    ]
    out = z >= np.array(limits)
    used = np.where(out.any(axis=1), units[out.argmax(axis=1)], units[-1])
    return Row(
        {"design": "at will, at its end", "units at most": f"{units[-1]:,}", "in the mean": f"{used.mean():,.0f}"},
        {"power": Share(float(out[:, -1].mean()), runs), "planned": Share(power)},
    )


def stopped_coverage(seed: int, runs: int) -> list[Row]:
    """P(the interval at the stop holds the true effect), and of the plain ± 1.96, in a test of five planned looks."""
    fractions = [0.2, 0.4, 0.6, 0.8, 1.0]
    rows = []
    for place, spending in enumerate(("obrien-fleming", "pocock")):
        bounds = boundaries(fractions, ALPHA, spending)  # type: ignore[arg-type]
        drift = drift_for(0.8, fractions, bounds)
        generator = np.random.default_rng([seed, 24, place])
        score = np.cumsum(generator.normal(drift * 0.2, math.sqrt(0.2), (runs, 5)), axis=1)
        z = score / np.sqrt(fractions)
        out = np.abs(z) >= np.array(bounds)
        last = np.where(out.any(axis=1), out.argmax(axis=1), 4)
        reached = z[np.arange(runs), last]
        plain = np.abs(reached - drift * np.sqrt(np.array(fractions)[last])) <= normal.critical_value(1.0 - ALPHA)
        # `at_stop` keeps the drifts at which the chance of this outcome or more is between α/2 and 1 - α/2.
        chances = [
            math.fsum(crossing(fractions[: k + 1], [*bounds[:k], value], drift)[0])
            for k, value in zip(last.tolist(), reached.tolist(), strict=True)
        ]
        held = [ALPHA / 2.0 <= chance <= 1.0 - ALPHA / 2.0 for chance in chances]
        rows.append(
            Row(
                {"spending": spending},
                {"at the stop": Share(float(np.mean(held)), runs), "plain": Share(float(plain.mean()), runs)},
            )
        )
    return rows
