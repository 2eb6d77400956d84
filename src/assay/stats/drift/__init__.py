"""Drift: whether columns look as they did, calibrated on windows in which nothing was wrong.

Profile each window of a table in one pass, learn from reference windows what is usual, judge the next window:

    windows = [TableProfile.of(table, segments=["origin"]) for table in reference_tables]  # Arrow; or .stream(batches)
    baseline = Baseline.learn(windows)
    verdicts = judge(baseline, TableProfile.of(new_table, like=baseline.reference), earlier=earlier_verdicts)

`TableProfile` adds up with `+`, bit for bit whatever the split or order of rows, and goes to and from bytes; so does
`Baseline`. `same_season` chooses the windows that a new one is compared with. `distance` is one measure of two columns,
`learn_bounds` what is usual of it. A `Verdict` is a row for people and pages, with its numbers and words;
`SlowDrift` watches many windows, `two_sample_test` columns together;
`changed_unit` tells numbers in another unit.
"""

from assay.stats.drift.baseline import DEFAULT_MEASURES, Baseline
from assay.stats.drift.bounds import ALPHA, MINIMUM_WINDOWS, Bound, learn_bounds
from assay.stats.drift.category_column import Categories
from assay.stats.drift.changed_unit import QUANTILES, ChangedUnit, changed_unit
from assay.stats.drift.distances import MEASURES, Distance, distance
from assay.stats.drift.number_column import Numbers
from assay.stats.drift.seasons import Season, same_season
from assay.stats.drift.slow_drift import SLOW_ALPHA, SlowDrift
from assay.stats.drift.table_profile import KINDS, ColumnProfile, Kind, TableProfile
from assay.stats.drift.two_samples import TwoSamples, two_sample_test
from assay.stats.drift.verdicts import FLOORS, State, Verdict, judge

__all__ = [
    "ALPHA",
    "DEFAULT_MEASURES",
    "FLOORS",
    "KINDS",
    "MEASURES",
    "MINIMUM_WINDOWS",
    "QUANTILES",
    "SLOW_ALPHA",
    "Baseline",
    "Bound",
    "Categories",
    "ChangedUnit",
    "ColumnProfile",
    "Distance",
    "Kind",
    "Numbers",
    "Season",
    "SlowDrift",
    "State",
    "TableProfile",
    "TwoSamples",
    "Verdict",
    "changed_unit",
    "distance",
    "judge",
    "learn_bounds",
    "same_season",
    "two_sample_test",
]
