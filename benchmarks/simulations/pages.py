"""Every table of the page: which simulation at which size, and what a reader has to know."""

from collections.abc import Callable

from benchmarks.simulations import (
    canary,
    certifying,
    drifting,
    gate,
    groups,
    intervals,
    looking,
    rates,
    slices,
    verdicts,
    whole_tests,
)
from benchmarks.simulations.figures import Row, Share, Table

__all__ = ["PAGES", "TABLES"]

_EXACT = "exact, all outcomes counted through"


def _many(repetitions: int, scale: float) -> int:
    return max(20, round(repetitions * scale))


def operating(seed: int, scale: float) -> Table:
    """The gate's rule beside others."""
    runs = _many(gate.SPECIFIED_RUNS, scale)
    rows = []
    for row in gate.operating_table(seed, runs):
        rows.append(row)
        specified = zip(row.shares, gate.SPECIFIED[row.of["P(promote)"]], strict=True)
        rows.append(Row({"P(promote)": "*as specified*"}, {name: Share(value) for name, value in specified}))
    text = (
        "How often each rule promotes a candidate: 30 disjoint segments of 100 to 5,000 rows, accuracy, the "
        "models disagree on 8 % of the rows, margin .02. Below each line stand the figures of the specification, "
        "from 4,000 runs of its own. The gate tests overall too, beside the segments; the other rules count the "
        "30 segments alone. Rules that look at points find harm only because they stop nearly everything."
    )
    return Table("Operating characteristics of the gate", text, f"{runs:,} runs for each column", rows)


def errors(seed: int, scale: float) -> Table:
    """Verdicts of the default rule in other worlds."""
    runs, others = _many(600, scale), _many(300, scale)
    text = (
        "The default rule where segments overlap, where areas are guarded, and where rows hang together: 24 cells "
        "of 80 to 500 rows, as segments of their own or as crosses of two columns (with the columns and overall "
        "35 segments), margin .02. Models that are equal must fail anywhere in at most 5 % of the runs, and a "
        "candidate that is worse by the margin must be certified overall in at most 5 %. The last column is the "
        "power to see a loss of .06 in the cell of 500 rows. Units are 5 rows. “–”: no candidate is at the margin "
        "of both metrics."
    )
    rows = verdicts.verdict_errors(seed, runs, others=others)
    return Table("Verdicts", text, f"{runs:,} runs with equal models, {others:,} otherwise", rows)


def small_areas(seed: int, scale: float) -> Table:
    """Many segments with few positives."""
    runs = _many(1000, scale)
    text = (
        "How often any of 30 segments is accused by its area, at 5 % after Holm, where both models are equal: "
        "with Student's t, as Assay has it, and with a normal distribution, whose tail is too short for few "
        "positives."
    )
    return Table("Areas of many small segments", text, f"{runs:,} runs", verdicts.small_areas(seed, runs))


def at_the_margin(seed: int, scale: float) -> Table:
    """Tango beside Wald and the bootstrap."""
    runs = _many(1500, scale)
    rows = []
    for row, specified in zip(
        certifying.certified_at_the_margin(seed, runs), certifying.AT_MARGIN.values(), strict=True
    ):
        names = zip(row.shares.items(), specified, strict=True)
        beside = {name: (share, Share(value)) for (name, share), value in names}
        cells = {name: share for name, (share, _) in beside.items()}
        cells |= {f"{name}, specified": value for name, (_, value) in beside.items()}
        rows.append(Row(row.of, cells))
    text = (
        "How often a candidate that is worse by exactly the margin of .02 is certified at 5 %. Wald's interval "
        "and the percentile bootstrap take the disagreement that they saw for the true one."
    )
    repetitions = f"Tango and Wald {_EXACT}; bootstrap {runs:,} runs of 400 replicates"
    return Table("Certifying at the margin", text, repetitions, rows)


def nulls(seed: int, scale: float) -> Table:
    """Any rejection among true nulls."""
    runs = _many(5000, scale)
    text = (
        "How often anything is rejected at 10 % among 20 hypotheses that are all true. Benjamini and Hochberg's "
        "method holds the rate here; without correction it is what 20 draws make of it."
    )
    return Table("Twenty true nulls", text, f"{runs:,} runs", certifying.twenty_nulls(seed, runs))


def wilson(seed: int, scale: float) -> Table:
    """One rate."""
    del seed, scale
    text = (
        "How often Wilson's 95 % interval holds the true rate, over 400 rates from 0.1 % to 50 %, spaced evenly "
        "and by their logarithm. It falls lowest where less than one success is expected: there a single one "
        "already moves the interval beyond the rate."
    )
    return Table("One rate", text, _EXACT, rates.wilson_coverage())


def paired(seed: int, scale: float) -> Table:
    """Two models on the same rows."""
    del seed, scale
    text = (
        "How often Tango's 95 % interval holds the true difference: models that disagree on 0.1 % to 50 % of the "
        "rows (8 shares, spaced by their logarithms), with a difference of nothing, of a third of that and of all "
        "of it."
    )
    return Table("Two models on the same rows", text, _EXACT, rates.paired_coverage())


def unpaired(seed: int, scale: float) -> Table:
    """Two groups."""
    runs = _many(500, scale)
    text = (
        "95 % intervals for two groups of different rows: 8 rates of the first from 0.1 % to 50 %, and a second "
        "rate as large, 1.5 and 2 times as large."
    )
    repetitions = f"small groups exact, larger ones {runs:,} runs for each pair of rates"
    return Table("Groups of different rows", text, repetitions, rates.group_coverage(seed, runs))


def area(seed: int, scale: float) -> Table:
    """Areas."""
    runs = _many(1500, scale)
    text = (
        "How often DeLong's 95 % interval holds the truth: one area (on the logit scale), and the difference of "
        "two on the same rows that is .02. “–” is “too small”: below 10 rows of a class there is no interval."
    )
    return Table("Areas under the ROC curve", text, f"{runs:,} runs", intervals.area_coverage(seed, runs))


def clustered(seed: int, scale: float) -> Table:
    """Rows in units."""
    runs = _many(800, scale)
    text = (
        "How often the 95 % intervals for rows in units hold the truth: the jackknife over 50 buckets for the "
        "accuracy, Obuchowski's variance for areas; alone, and for a candidate that is better by .02. What two "
        "rows of a unit rest on is correlated by .5."
    )
    repetitions = f"{runs:,} runs, fewer where they would have more than {_MOST_ROWS * scale:,.0f} rows in all"
    rows = intervals.jackknife_coverage(seed, runs, most_rows=_MOST_ROWS * scale)
    return Table("Rows that hang together", text, repetitions, rows)


def means(seed: int, scale: float) -> Table:
    """Losses."""
    runs = _many(1000, scale)
    text = (
        "How often the 95 % intervals of means hold the truth, for scores that are right and spread evenly from 0 "
        "to 1: Student's t for the losses, √Σp(1 − p)/n for calibration in the large."
    )
    repetitions = f"{runs:,} runs, fewer where they would have more than {_MOST_ROWS * scale:,.0f} rows in all"
    return Table("Means", text, repetitions, intervals.mean_coverage(seed, runs, most_rows=_MOST_ROWS * scale))


def found(seed: int, scale: float) -> Table:
    """Found slices."""
    runs = _many(500, scale)
    text = (
        "How often `find` confirms anything among 2,000 rows with three columns, at 5 %: where no slice differs, "
        "and where a third of the rows is worse by .25."
    )
    return Table("Found slices", text, f"{runs:,} runs", slices.found_by_chance(seed, runs))


def fairness(seed: int, scale: float) -> Table:
    """Groups at the bound."""
    runs = _many(1000, scale)
    text = (
        "Fairness bounds where the truth is exactly at the bound: how often any group is called beyond it, and "
        "how often one is shown to be within it, at 5 %. The first rate is the reference's."
    )
    return Table("Groups at the bound", text, f"{runs:,} runs", groups.errors_at_the_bound(seed, runs))


def looks(seed: int, scale: float) -> Table:
    """Online tests of nothing."""
    runs = _many(2000, scale)
    text = (
        "How often each engine calls a difference between two variants that are the same, at 5 %, looked at 100 times. "
        "What may be looked at at will is cautious at each single look; a plain test is wrong in more than a third of "
        "the tests. Units have exponential values; rates are 50 %, 10 % of the traffic, and 5 % of slow answers."
    )
    medians = _many(400, scale)
    rows = looking.false_positives(seed, runs)
    equal = looking.equal_percentiles(seed, medians, looking.LOOKS, 20)
    rows.append(Row({"engine": f"medians of two variants ({medians:,} runs)"}, {"any look": equal, "last look": None}))
    return Table("A hundred looks at nothing", text, f"{runs:,} runs", rows)


def whole(seed: int, scale: float) -> Table:
    """Rows and labels to verdicts."""
    tests = _many(2000, scale)
    text = (
        "Whole tests of nothing: rows of a log, units that return, a fifth of the labels lost and others too late, to "
        "the verdict at each of 100 looks. Two success metrics share 5 %, one a ratio and one with a covariate; the "
        "guardrail is called harmed at 5 %; shares of units and of labels hold a test at 1 % each."
    )
    return Table("Whole tests", text, f"{tests:,} tests", whole_tests.nothing_found(seed, tests))


def returning(seed: int, scale: float) -> Table:
    """Requests of units that come back."""
    runs = _many(2000, scale)
    text = (
        "2,000 users with 10 requests each, two requests of a user correlated by .5, no difference, 100 looks at 5 %: "
        "the same sequence over requests, and over users whose outcome is complete. No interval repairs rows that are "
        "not independent."
    )
    return Table("Units that come back", text, f"{runs:,} runs", looking.returning_units(seed, runs))


def planned(seed: int, scale: float) -> Table:
    """Power as planned."""
    runs = _many(20_000, scale)
    text = (
        "How often a true effect is found with the units planned for a power of .8, in one look or five evenly spaced "
        "ones, and how many units of each variant that takes in the mean."
    )
    return Table("Power as planned", text, f"{runs:,} runs", looking.power_rows(seed, runs))


def stopped(seed: int, scale: float) -> Table:
    """Intervals at the stop."""
    runs = _many(10_000, scale)
    text = (
        "How often the 95 % interval holds the true effect once a test of five planned looks has stopped (power .8): "
        "by the stage-wise ordering, and estimate ± 1.96·se as if there had been one look."
    )
    return Table("Intervals of tests that stopped", text, f"{runs:,} runs", looking.stopped_coverage(seed, runs))


def canaries(seed: int, scale: float) -> Table:
    """Rollbacks."""
    runs = _many(5000, scale)
    text = (
        "A canary with 10 % of the traffic and errors of 0.5 % times a factor: how often it is rolled back within "
        "60,000 requests at an α of 1 %, and after how many in the median. A test every 1,000 requests is quicker, "
        "and rolls back one of eight healthy canaries."
    )
    return Table("Canaries", text, f"{runs:,} runs", canary.rolled_back(seed, runs))


def drift_bounds(seed: int, scale: float) -> Table:
    """Bounds of drift."""
    runs = _many(1200, scale)
    rows = []
    for row in drifting.bound_rates(seed, runs):
        rows.append(row)
        if row.of["rule"].startswith("log-t"):
            specified = drifting.SPECIFIED[int(row.of["windows"]), float(row.of["wander"].split()[0])]
            shares: dict[str, Share | None] = {
                name: Share(value) for name, value in zip(row.shares, specified, strict=True)
            }
            rows.append(Row(row.of | {"rule": "*log-t as specified*"}, shares))
    text = (
        "How often a window of 1,000 rows is beyond the bound by KS: where nothing is wrong, and where the mean moved. "
        "Bounds are learned from 10 or 30 windows, whose own means wander by nothing or by .05 σ. The third rule of "
        "each world compares with the whole reference, windows included, and takes three standard deviations; "
        "the last asks chance alone. Floors and persistence are not in this table."
    )
    return Table("What is called a surprise", text, f"{runs:,} runs", rows)


def drift_tables(seed: int, scale: float) -> Table:
    """Verdicts of a table."""
    runs = _many(200, scale)
    text = (
        "A table of 20 columns, ten reference windows and three further ones of 1,000 rows, by the default rule: "
        "floors, α = .01 a row, 5 % after Benjamini and Hochberg over 60 rows, two of three windows."
    )
    return Table("A table of many columns", text, f"{runs:,} runs", drifting.table_rates(seed, runs))


def drift_slow(seed: int, scale: float) -> Table:
    """Slow drift."""
    runs = _many(400, scale)
    text = (
        "Slow drift by the mean at an alpha of .001, over 200 windows of 1,000 rows: a column that goes nowhere, and "
        "one that creeps from window 50 on. One call in 1,000 windows in the mean allows 18 % of such columns to be "
        "called."
    )
    return Table("Many windows, each a little further", text, f"{runs:,} runs", drifting.slow_rates(seed, runs))


def falls(seed: int, scale: float) -> Table:
    """How late a fall of performance is proven."""
    runs = _many(400, scale)
    text = (
        "Daily AUC is .76 in the mean and moves by .02 from day to day; below .73 is harm (a monitor of "
        "performance at an alpha of .05, half of which is the test's). After good windows it falls. Beside the "
        "test in use stands a bet that counts from the first window on and knows no more than that an AUC is at "
        "most 1, in use before. At .73 nothing is to be called."
    )
    return Table("A fall of performance", text, f"{runs:,} runs of 60 windows", drifting.fall_rates(seed, runs))


_MOST_ROWS = 8_000_000

TABLES: dict[str, Callable[[int, float], Table]] = {
    "operating": operating,
    "verdicts": errors,
    "small areas": small_areas,
    "certifying": at_the_margin,
    "nulls": nulls,
    "wilson": wilson,
    "paired": paired,
    "unpaired": unpaired,
    "area": area,
    "clustered": clustered,
    "means": means,
    "slices": found,
    "fairness": fairness,
    "looks": looks,
    "whole": whole,
    "returning": returning,
    "planned": planned,
    "stopped": stopped,
    "canaries": canaries,
    "drift bounds": drift_bounds,
    "drift tables": drift_tables,
    "slow drift": drift_slow,
    "falls": falls,
}

_DRIFT = ("drift bounds", "drift tables", "slow drift", "falls")
_ONLINE = ("looks", "whole", "returning", "planned", "stopped", "canaries")

PAGES: dict[str, list[str]] = {
    "statistics.md": [name for name in TABLES if name not in _ONLINE + _DRIFT],
    "online_statistics.md": list(_ONLINE),
    "drift_statistics.md": list(_DRIFT),
}
