"""Floor 0: numbers in, numbers out; profiles, intervals, tests, multiplicity, power and sequential tests.

It takes arrays and gives numbers: no files, no network, no clock, no models. scipy is imported where it is
called, so that importing this room stays cheap.
"""

from assay.stats.buckets import bucket_of
from assay.stats.compare import Comparison, compare
from assay.stats.estimate import Estimate, estimate
from assay.stats.intervals import Interval, newcombe_independent, wilson
from assay.stats.metrics import METRICS, Metric, metric_named
from assay.stats.multiplicity import holm
from assay.stats.paired import mcnemar_p, tango_interval, tango_p_not_worse, tango_p_worse, tango_z
from assay.stats.power import minimum_difference, rows_needed
from assay.stats.profile import Profile
from assay.stats.segment import OVERALL, Segment
from assay.stats.sequential import (
    BettingTest,
    MeanSequence,
    bernoulli_interval,
    beta_binomial_bound,
    beta_binomial_log,
    normal_mixture_bound,
    normal_mixture_log,
)
from assay.stats.state import State

__all__ = [
    "METRICS",
    "OVERALL",
    "BettingTest",
    "Comparison",
    "Estimate",
    "Interval",
    "MeanSequence",
    "Metric",
    "Profile",
    "Segment",
    "State",
    "bernoulli_interval",
    "beta_binomial_bound",
    "beta_binomial_log",
    "bucket_of",
    "compare",
    "estimate",
    "holm",
    "mcnemar_p",
    "metric_named",
    "minimum_difference",
    "newcombe_independent",
    "normal_mixture_bound",
    "normal_mixture_log",
    "rows_needed",
    "tango_interval",
    "tango_p_not_worse",
    "tango_p_worse",
    "tango_z",
    "wilson",
]
