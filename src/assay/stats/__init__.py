"""Floor 0: numbers in, numbers out; profiles, intervals, tests, multiplicity, power and sequential tests.

It takes arrays and gives numbers: no files, no network, no clock, no models. scipy is imported where it is
called, so that importing this room stays cheap.
"""

from assay.stats.areas import Influence
from assay.stats.bootstrap import Bootstrap, average_precision_interval, cell_bootstrap
from assay.stats.buckets import bucket_of, row_identities, text_hashes
from assay.stats.clustered import MeanEstimate, clustered_ratio, paired_t
from assay.stats.compare import Comparison, Comparisons, compare, compare_all
from assay.stats.contingency import shares_differ_p
from assay.stats.custom import ModelSums, metric
from assay.stats.delong import AucDifference, DeLong, auc_interval, compare_aucs, delong, delong_from_histogram
from assay.stats.equivalence import rate_equivalence_power
from assay.stats.estimate import Estimate, Estimates, estimate, estimate_all
from assay.stats.false_discovery import benjamini_hochberg, benjamini_yekutieli, e_benjamini_hochberg
from assay.stats.group_evidence import Sample, samples_of
from assay.stats.groups import (
    GROUP_RATES,
    GroupGap,
    OddsGap,
    columns_of,
    equalised_odds,
    group_gaps,
    judged_together,
)
from assay.stats.intervals import Interval, newcombe_independent, wilson
from assay.stats.late_rise import rise_evidence
from assay.stats.metric import Metric
from assay.stats.metrics import known_metrics, metric_named, metric_of_any_task, metrics_of
from assay.stats.mix import Mix, kitagawa
from assay.stats.multiplicity import holm
from assay.stats.newcombe import newcombe_paired
from assay.stats.odd_rates import odd_rates
from assay.stats.operating_points import POINT_RATES, OperatingPoints, operating_points
from assay.stats.paired import mcnemar_p, tango_interval, tango_p_not_worse, tango_p_worse, tango_z
from assay.stats.poisson import poisson_weights, unit_weights
from assay.stats.pooling import Pooled, pool
from assay.stats.power import minimum_difference, minimum_differences, rows_needed
from assay.stats.profile import Profile
from assay.stats.quantile_tests import quantile_interval, quantile_p_above, quantile_p_within
from assay.stats.ranking import query_values
from assay.stats.rate_ratio import koopman_interval, koopman_z, mover_ratio, ratio_p_above, ratio_p_below
from assay.stats.rate_thresholds import threshold_for
from assay.stats.row_losses import row_losses
from assay.stats.rows import Columns, rows_of
from assay.stats.segment import OVERALL, Segment
from assay.stats.segmentation import code_columns
from assay.stats.sequential import (
    BettingTest,
    MeanSequence,
    bernoulli_interval,
    beta_binomial_bound,
    beta_binomial_log,
    normal_mixture_bound,
    normal_mixture_log,
    stitched_bound,
)
from assay.stats.slices import FoundSlice, find_slices
from assay.stats.sums import Sums
from assay.stats.task import BINARY, RANKING, SCORES, TASKS, Quantity, Task
from assay.stats.unpaired import (
    miettinen_nurminen_interval,
    miettinen_nurminen_p_not_worse,
    miettinen_nurminen_p_worse,
    miettinen_nurminen_z,
    two_rates_p,
)

__all__ = [
    "BINARY",
    "GROUP_RATES",
    "OVERALL",
    "POINT_RATES",
    "RANKING",
    "SCORES",
    "TASKS",
    "AucDifference",
    "BettingTest",
    "Bootstrap",
    "Columns",
    "Comparison",
    "Comparisons",
    "DeLong",
    "Estimate",
    "Estimates",
    "FoundSlice",
    "GroupGap",
    "Influence",
    "Interval",
    "MeanEstimate",
    "MeanSequence",
    "Metric",
    "Mix",
    "ModelSums",
    "OddsGap",
    "OperatingPoints",
    "Pooled",
    "Profile",
    "Quantity",
    "Sample",
    "Segment",
    "Sums",
    "Task",
    "auc_interval",
    "average_precision_interval",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bernoulli_interval",
    "beta_binomial_bound",
    "beta_binomial_log",
    "bucket_of",
    "cell_bootstrap",
    "clustered_ratio",
    "code_columns",
    "columns_of",
    "compare",
    "compare_all",
    "compare_aucs",
    "delong",
    "delong_from_histogram",
    "e_benjamini_hochberg",
    "equalised_odds",
    "estimate",
    "estimate_all",
    "find_slices",
    "group_gaps",
    "holm",
    "judged_together",
    "kitagawa",
    "known_metrics",
    "koopman_interval",
    "koopman_z",
    "mcnemar_p",
    "metric",
    "metric_named",
    "metric_of_any_task",
    "metrics_of",
    "miettinen_nurminen_interval",
    "miettinen_nurminen_p_not_worse",
    "miettinen_nurminen_p_worse",
    "miettinen_nurminen_z",
    "minimum_difference",
    "minimum_differences",
    "mover_ratio",
    "newcombe_independent",
    "newcombe_paired",
    "normal_mixture_bound",
    "normal_mixture_log",
    "odd_rates",
    "operating_points",
    "paired_t",
    "poisson_weights",
    "pool",
    "quantile_interval",
    "quantile_p_above",
    "quantile_p_within",
    "query_values",
    "rate_equivalence_power",
    "ratio_p_above",
    "ratio_p_below",
    "rise_evidence",
    "row_identities",
    "row_losses",
    "rows_needed",
    "rows_of",
    "samples_of",
    "shares_differ_p",
    "stitched_bound",
    "tango_interval",
    "tango_p_not_worse",
    "tango_p_worse",
    "tango_z",
    "text_hashes",
    "threshold_for",
    "two_rates_p",
    "unit_weights",
    "wilson",
]
