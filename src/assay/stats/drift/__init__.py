"""Drift: whether columns look as they did, calibrated on windows in which nothing was wrong.

Profile each window of a table in one pass, learn from reference windows what is usual, judge the next window:

    windows = [TableProfile.of(table, segments=["origin"]) for table in reference_tables]  # Arrow; or .stream(batches)
    baseline = Baseline.learn(windows)
    verdicts = judge(baseline, TableProfile.of(new_table, like=baseline.reference), earlier=earlier_verdicts)

`TableProfile` adds up with `+`, bit for bit whatever the split or order of rows, and goes to and from bytes; so does
`Baseline`. `same_season` chooses the windows that a new one is compared with. `distance` is one measure of two columns,
`learn_bounds` what is usual of it. A `Verdict` is a row for people and pages, with its numbers and words;
`rank_by_harm` orders them, `SlowDrift` watches many windows, `two_sample_test` columns together.
"""

from assay.stats.drift.baseline import DEFAULT_MEASURES, Baseline
from assay.stats.drift.bounds import ALPHA, MINIMUM_WINDOWS, Bound, learn_bounds
from assay.stats.drift.category_column import CAP, Categories
from assay.stats.drift.distances import MEASURES, Distance, distance, measures_of
from assay.stats.drift.effect_interval import effect_interval
from assay.stats.drift.harm import Harm, rank_by_harm, score_correlations
from assay.stats.drift.number_column import Numbers
from assay.stats.drift.seasons import Season, same_season
from assay.stats.drift.slow_drift import SLOW_ALPHA, SlowDrift
from assay.stats.drift.table_profile import KINDS, ColumnProfile, Kind, TableProfile
from assay.stats.drift.two_samples import TwoSamples, two_sample_test
from assay.stats.drift.verdicts import FLOORS, State, Verdict, judge

__all__ = [
    "ALPHA",
    "CAP",
    "DEFAULT_MEASURES",
    "FLOORS",
    "KINDS",
    "MEASURES",
    "MINIMUM_WINDOWS",
    "SLOW_ALPHA",
    "Baseline",
    "Bound",
    "Categories",
    "ColumnProfile",
    "Distance",
    "Harm",
    "Kind",
    "Numbers",
    "Season",
    "SlowDrift",
    "State",
    "TableProfile",
    "TwoSamples",
    "Verdict",
    "distance",
    "effect_interval",
    "judge",
    "learn_bounds",
    "measures_of",
    "rank_by_harm",
    "same_season",
    "score_correlations",
    "two_sample_test",
]
