"""The policy of a gate: what a candidate must show, written down before it is seen.

A margin is a loss the team agreed to be unimportant; it has no default. Everything else has the defaults of the
evidence literature (docs/statistics.md explains each) and is printed with every verdict.
"""

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from assay.errors import InvalidInput, nearest
from assay.record.canonical import digest
from assay.record.toml_text import parse_toml, place, read_text
from assay.stats import GROUP_RATES, known_metrics, metric_of_any_task

__all__ = [
    "EQUALISED_ODDS",
    "Bound",
    "Budget",
    "Calibration",
    "DataRules",
    "DatasetRules",
    "GoldenSet",
    "Guard",
    "Policy",
    "check_margins",
    "check_policy",
    "load_policy",
    "parse_policy",
]

EQUALISED_ODDS = "equalised_odds"  # recall and the false positive rate, both within one gap


class Guard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A guarded metric, in its own unit.

    `margin` > 0: against the baseline, the loss that is agreed to be unimportant; `harm_at` is the loss from which harm
    is tested, by default what the policy's `harm` says. `at_least` and `at_most` bound the candidate's own value,
    whatever the baseline does. At least one of `margin`, `at_least` and `at_most` is given. `own`: the metric is a
    contribution of the team's own (`assay.contribution`), whose name only the evaluation knows.
    """

    margin: float | None = None
    harm_at: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    own: bool | None = None


class Bound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a group may be from the reference in a rate: a `gap`, or a `ratio` of the smaller to the larger.

    Of calibration and equalised odds only a gap. The reference is a value of the column, or "a & b" of a cross, by
    default the group with the most rows.
    """

    gap: float | None = None
    ratio: float | None = None
    reference: str | None = None


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """|mean score − share of positives| stays below `within`: on all rows, and on each required segment."""

    within: float


class DataRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the rows themselves must be: enough of them, and labelled."""

    minimum_rows: int = 0
    maximum_unlabelled: float = 1.0


class DatasetRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another dataset of the evaluation, on all rows of which the guarded metrics must hold too.

    `metrics` are those of the policy that count there; none named means all.
    """

    metrics: list[str] = []


class GoldenSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Examples whose answers must not change: counted, and not a matter of chance.

    At most `maximum_changed` rows of the dataset have another answer, at the threshold, than the baseline gave, and at
    most `maximum_wrong` another than the label.
    """

    dataset: str
    maximum_changed: int | None = 0
    maximum_wrong: int | None = None


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model may cost: bytes of its files, and the milliseconds within which `percentile` % of single rows are
    answered."""

    maximum_size_bytes: int | None = None
    maximum_latency_ms: float | None = None
    percentile: float = 95.0


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate demands. `alpha` is one-sided; `power` is that of the sample sizes it prints.

    `stated_version` (`version` in the file), `description` and `owner` are for people; what binds is the hash of all.

    `harm`: "any" proven loss is harm, or one that is proven to be "beyond margin"; then a proven loss inside the margin
    passes with a remark. `fairness` bounds rates of groups, by column and rate; a column may be a cross, such as
    "race & sex", and a rate "equalised_odds" or "calibration_in_the_large". `datasets` are further datasets of the
    evaluation that must hold too, `golden` one whose answers must not change. `model` is what the model may cost.

    `spend_alpha` lowers alpha with each use k of the same rows to alpha/(k(k + 1)), which sums to alpha however often
    they are used. `on_inconclusive`: a segment that is not decided is listed (warn), holds the candidate back (block),
    or holds it back until a canary has collected the rows (canary).
    """

    name: str
    metrics: dict[str, Guard] = {}
    segments: list[str] = []
    cross: int = 2
    required: list[str] = []
    alpha: float = 0.05
    power: float = 0.8
    minimum_n: int = 10
    harm: Literal["any", "beyond margin"] = "any"
    on_inconclusive: Literal["block", "warn", "canary"] = "warn"
    spend_alpha: bool = False
    fairness: dict[str, dict[str, Bound]] = {}
    calibration: Calibration | None = None
    data: DataRules | None = None
    datasets: dict[str, DatasetRules] = {}
    golden: GoldenSet | None = None
    model: Budget | None = None
    stated_version: str | None = msgspec.field(default=None, name="version")
    description: str | None = None
    owner: str | None = None

    @property
    def version(self) -> str:
        """Hash of the content: a policy that says the same is the same policy."""
        return digest(msgspec.to_builtins(self))

    def harm_at(self, metric: str) -> float:
        """The loss from which a metric with a margin is harmed: 0, its margin, or what its guard says."""
        guard = self.metrics[metric]
        if guard.harm_at is not None:
            return guard.harm_at
        return guard.margin or 0.0 if self.harm == "beyond margin" else 0.0

    def at_use(self, use: int) -> "Policy":
        """The policy with the alpha that is left for the `use`-th verdict on the same rows, 1 for the first."""
        if not self.spend_alpha:
            return self
        return msgspec.structs.replace(self, alpha=self.alpha / (use * (use + 1)))


def load_policy(path: str | Path) -> Policy:
    """Read a policy from a TOML file. Raises InvalidInput with the file and the key that is wrong."""
    return parse_policy(read_text(path, "policy"), str(path))


def parse_policy(text: str, where: str) -> Policy:
    """The policy in the text of a TOML file; `where` names it in messages."""
    check_margins(text, where)
    policy = parse_toml(text, where, Policy, "policy")
    check_policy(policy, where)
    return policy


def check_margins(text: str, where: str, at: Sequence[str] = ()) -> None:
    """InvalidInput for a metric of a policy in TOML that bounds nothing; `at` are the keys of the policy's table."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # said with all else that is wrong
    found: object = content
    for key in [*at, "metrics"]:
        found = found.get(key) if isinstance(found, dict) else None
    metrics = found
    for name, guard in metrics.items() if isinstance(metrics, dict) else ():
        if isinstance(guard, dict) and not {"margin", "at_least", "at_most"} & set(guard):
            raise InvalidInput(
                f"metric {name!r} has no margin",
                where=place(text, where, [*at, "metrics", name]),
                expected="margin = the loss your team agrees to be unimportant",
                hint=_nearest_of(guard, "margin"),
            )


def check_policy(policy: Policy, where: str) -> None:
    """InvalidInput, naming `where` it was written, for a policy that demands nothing, or what cannot be met."""
    if not (policy.metrics or policy.calibration or policy.fairness):
        raise InvalidInput("the policy guards no metric", where=where, expected="at least one [metrics.NAME]")
    if not policy.name.strip():
        raise InvalidInput("the policy's name is empty", where=f"{where}: name", expected="what people call it")
    for name, guard in policy.metrics.items():
        _check_guard(name, guard, where)
    for column, bounds in policy.fairness.items():
        for rate, bound in bounds.items():
            _check_bound(rate, bound, f"{where}: fairness.{column}")
    if not 0 < policy.alpha < 0.5:
        raise InvalidInput(f"alpha is {policy.alpha}", where=f"{where}: alpha", expected="more than 0, less than 0.5")
    if not 0.5 < policy.power < 1:
        raise InvalidInput(f"power is {policy.power}", where=f"{where}: power", expected="more than 0.5, less than 1")
    if policy.cross not in (1, 2, 3):
        raise InvalidInput(f"cross is {policy.cross}", where=f"{where}: cross", expected="1, 2 or 3")
    if policy.minimum_n < 1:
        raise InvalidInput(f"minimum_n is {policy.minimum_n}", where=f"{where}: minimum_n", expected="1 or more")
    within = policy.calibration.within if policy.calibration else 0.5
    if not 0 < within < 1:
        raise InvalidInput(f"within is {within}", where=f"{where}: calibration", expected="more than 0, less than 1")
    rules = policy.data or DataRules()
    if rules.minimum_rows < 0 or not 0 <= rules.maximum_unlabelled <= 1:
        expected = "minimum_rows of 0 or more, maximum_unlabelled as a share from 0 to 1"
        raise InvalidInput("the conditions on the data cannot be met", where=f"{where}: data", expected=expected)
    _check_datasets(policy, where)
    _check_budget(policy.model, f"{where}: model")


def _check_datasets(policy: Policy, where: str) -> None:
    for dataset, rules in policy.datasets.items():
        for metric in rules.metrics:
            if metric not in policy.metrics:
                close = nearest(metric, list(policy.metrics))
                raise InvalidInput(
                    f"{metric!r} is to hold on {dataset!r}, and the policy does not guard it",
                    where=f"{where}: datasets.{dataset}.metrics",
                    expected=f"metrics of the policy: {', '.join(policy.metrics)}",
                    hint=f"did you mean {close!r}?" if close else None,
                )
    if policy.golden is None:
        return
    limits = (policy.golden.maximum_changed, policy.golden.maximum_wrong)
    if limits == (None, None) or any(limit is not None and limit < 0 for limit in limits):
        expected = "maximum_changed or maximum_wrong as a number of rows, 0 or more"
        raise InvalidInput(
            "the golden set allows nothing that can be counted", where=f"{where}: golden", expected=expected
        )


def _check_budget(budget: Budget | None, where: str) -> None:
    if budget is None:
        return
    if budget.maximum_size_bytes is None and budget.maximum_latency_ms is None:
        raise InvalidInput(
            "the model's budget bounds nothing", where=where, expected="maximum_size_bytes or maximum_latency_ms"
        )
    for key in ("maximum_size_bytes", "maximum_latency_ms"):
        limit = getattr(budget, key)
        if limit is not None and not 0 < limit < math.inf:
            raise InvalidInput(f"{key} is {limit}", where=f"{where}.{key}", expected="more than 0")
    if not 50 <= budget.percentile < 100:
        expected = "from 50 to below 100, such as 95"
        raise InvalidInput(f"percentile is {budget.percentile}", where=f"{where}.percentile", expected=expected)


def _check_guard(name: str, guard: Guard, where: str) -> None:
    metric = metric_of_any_task(name)
    if guard.own and metric is not None:
        raise InvalidInput(f"{name} is a metric of Assay", where=f"{where}: metrics.{name}", expected="no own")
    if metric is None and not guard.own:
        known = known_metrics()
        close = nearest(name, known)
        hint = (
            f"did you mean {close!r}?"
            if close
            else f"there are {', '.join(known)}, and own = true for one of the team's own"
        )
        raise InvalidInput(f"there is no metric {name!r}", where=f"{where}: metrics", hint=hint)
    if metric is not None and not metric.gated:
        raise InvalidInput(
            f"{name} is shown but decides nothing: it is biased on few rows",
            where=f"{where}: metrics.{name}",
            hint="guard another; for calibration there is [calibration] within",
        )
    if metric is not None and metric.larger_is_better is None and (guard.margin is not None or guard.harm_at):
        raise InvalidInput(f"{name} has no better direction", where=f"{where}: metrics.{name}", hint="guard another")
    most = 1.0 if metric is not None and metric.kind in ("rate", "ratio") else math.inf  # a rate loses at most 1
    if guard.margin is not None and not (0 < guard.margin <= most and math.isfinite(guard.margin)):
        expected = f"more than 0{' and at most 1' if most == 1 else ', a loss and not a change'}"
        unsigned = f"the loss you accept, without a sign: {-guard.margin:g}" if -most <= guard.margin < 0 else None
        raise InvalidInput(
            f"margin is {guard.margin}", where=f"{where}: metrics.{name}", expected=expected, hint=unsigned
        )
    if guard.harm_at is not None and not (0 <= guard.harm_at <= most and math.isfinite(guard.harm_at)):
        expected = f"0 or more{', at most 1' if most == 1 else ''}"
        raise InvalidInput(f"harm_at is {guard.harm_at}", where=f"{where}: metrics.{name}", expected=expected)
    low, high = metric.bounds if metric is not None else (-math.inf, math.inf)
    for key, bound in (("at_least", guard.at_least), ("at_most", guard.at_most)):
        if bound is not None and not low <= bound <= high:
            expected = f"a value of the metric, from {low:g} to {high:g}"
            raise InvalidInput(f"{key} is {bound}", where=f"{where}: metrics.{name}.{key}", expected=expected)


def _check_bound(rate: str, bound: Bound, where: str) -> None:
    rates = [*GROUP_RATES, EQUALISED_ODDS]
    if rate not in rates:
        close = nearest(rate, rates)
        hint = f"did you mean {close!r}?" if close else None
        raise InvalidInput(f"there is no rate {rate!r}", where=where, expected=", ".join(rates), hint=hint)
    if (bound.gap is None) == (bound.ratio is None):
        raise InvalidInput(f"{rate} is bounded in no way or in two", where=where, expected="either gap or ratio")
    if bound.gap is None and rate in (EQUALISED_ODDS, "calibration_in_the_large"):
        raise InvalidInput(f"{rate} has no ratio", where=where, expected="gap")
    value = bound.gap if bound.gap is not None else bound.ratio
    if value is None or not 0 < value < 1:
        raise InvalidInput(f"the bound of {rate} is {value}", where=where, expected="more than 0, less than 1")


def _nearest_of(guard: dict[str, object], key: str) -> str | None:
    """A hint where `key` was probably written as another key that is there."""
    close = nearest(key, [name for name in guard if name not in Guard.__struct_fields__])
    return f"is {close!r} meant to be {key!r}?" if close else None
