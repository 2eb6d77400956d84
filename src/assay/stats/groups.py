"""One group of rows against another: is a rate of a model, or its calibration, the same for both, within a bound?

The rows differ, so nothing is paired. As everywhere there are three answers: shown to be within the bound, shown to
be beyond it, or neither. A difference or a ratio of the rates seen is never compared with the bound itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from assay.errors import InvalidInput, nearest
from assay.stats.group_evidence import (
    CALIBRATION,
    Bounded,
    Evidence,
    Sample,
    evidence_of,
    rows_that_decide,
    samples_of,
)
from assay.stats.metric import Metric
from assay.stats.metrics import metric_named
from assay.stats.multiplicity import holm
from assay.stats.profile import Profile
from assay.stats.segment import Segment

__all__ = ["GROUP_RATES", "GroupGap", "OddsGap", "columns_of", "equalised_odds", "group_gaps", "judged_together"]

GROUP_RATES = (
    "accuracy",
    "recall",
    "precision",
    "fpr",
    "fnr",
    "specificity",
    "npv",
    "selection_rate",
    "prevalence",
    CALIBRATION,
)
_JOIN = " & "
Verdict = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True, slots=True)
class GroupGap:
    """A group's rate beside the reference group's.

    `gap` is their difference (measure "gap") or their ratio ("ratio"), group over reference, with its two-sided
    interval at confidence 1 − 2 alpha. `p_beyond` is the P-value of "within the bound", `p_holm` the same after Holm
    over all that were judged together, `p_within` that of "beyond it". `affected` rows of the group would have had
    another answer at the reference's rate: above 0 it would have counted more. `n` and `reference_n` are rows of the
    rate's denominator. `rows_needed` rows of the group decide if the rates stay as they are, None where no number does.
    `method` is "score", "t", "jackknife" or "too small".
    """

    group: Segment
    reference: Segment
    metric: str
    measure: Literal["gap", "ratio"]
    bound: float
    n: int
    reference_n: int
    value: float
    reference_value: float
    gap: float
    low: float
    high: float
    p_beyond: float
    p_holm: float
    p_within: float
    verdict: Verdict
    affected: float
    rows_needed: int | None
    method: str


@dataclass(frozen=True, slots=True)
class OddsGap:
    """Equalised odds (Hardt, Price and Srebro 2016): recall and false positive rate both within the bound.

    Certified only where both are, each at alpha (an intersection-union test); accused where either is proven to be
    beyond, with Holm over both rates of all groups.
    """

    recall: GroupGap
    fpr: GroupGap

    @property
    def parts(self) -> tuple[GroupGap, GroupGap]:
        """Both rates."""
        return self.recall, self.fpr

    @property
    def verdict(self) -> Verdict:
        """Pass, fail or inconclusive."""
        said = {part.verdict for part in self.parts}
        if "fail" in said:
            return "fail"
        return "pass" if said == {"pass"} else "inconclusive"

    @property
    def decisive(self) -> GroupGap:
        """The rate that is proven beyond, or else the one with the weaker evidence of being within."""
        if self.verdict == "fail":
            return min(self.parts, key=lambda part: (part.verdict != "fail", part.p_holm, part.p_beyond))
        return max(self.parts, key=lambda part: (part.verdict != "pass", part.p_within))


def group_gaps(
    profile: Profile,
    model: str,
    metric: str,
    column: str | Sequence[str],
    *,
    gap: float | None = None,
    ratio: float | None = None,
    reference: str | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    clustered: bool = False,
) -> list[GroupGap]:
    """Every group of a segment column against the reference, by default the group with the most rows.

    `column` may be a cross, such as `"race & sex"` or `["race", "sex"]`: its groups are then the pairs that occur, and
    the reference is named as `"a & b"`, values in that order. `metric` is one of `GROUP_RATES`.

    `gap` bounds the difference on both sides: within it is shown by two one-sided tests of Miettinen and Nurminen,
    beyond it by one of them at twice its P-value; the interval is Newcombe's. `ratio`, such as 0.8, bounds the
    smaller rate over the larger one: Koopman's score test and interval. Calibration (mean score minus share of
    positives, a mean and no rate) has a gap only, tested by Welch's t. A gap of 0 and a ratio of 1 ask whether there is
    any difference: it can be proven, and its absence cannot.

    To call a group beyond the bound is an accusation, with Holm over the groups; to certify it takes alpha each.
    `clustered`: rows hang together within units, of which a bucket may hold rows of both groups; then the jackknife of
    the difference (of the log ratio) counts wherever it is the weaker evidence, as it does for sample weights.

    "Too small": fewer than 10 rows in a denominator, or fewer than 10 occupied buckets where clustered. InvalidInput
    for a metric that is no rate, a column or reference that is not there, and bounds other than one of both.
    """
    measure, question = _checked(profile, metric, gap, ratio, alpha)
    columns = columns_of(profile, column)
    wanted = set(columns)
    places = [place for place, one in enumerate(profile.segments) if {name for name, _ in one.conditions} == wanted]
    b = _reference(profile, places, reference, columns)
    samples = samples_of(profile, model, measure)
    found = []
    for a in (place for place in places if place != b):
        pair = samples[a], samples[b]
        evidence = evidence_of(profile, model, measure, (a, b), pair, question, alpha, clustered=clustered)
        needed = rows_that_decide(question, *pair, evidence.inflation, alpha, power)
        found.append(_gap(profile.segments[a], profile.segments[b], metric, question, pair, evidence, needed))
    return judged_together(found, alpha)


def equalised_odds(
    profile: Profile,
    model: str,
    column: str | Sequence[str],
    *,
    gap: float,
    reference: str | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    clustered: bool = False,
) -> list[OddsGap]:
    """Every group against the reference in recall and in the false positive rate, both bounded by `gap`.

    Arguments and errors are those of `group_gaps`.
    """
    recall, fpr = (
        group_gaps(
            profile,
            model,
            metric,
            column,
            gap=gap,
            reference=reference,
            alpha=alpha,
            power=power,
            clustered=clustered,
        )
        for metric in ("recall", "fpr")
    )
    together = judged_together([*recall, *fpr], alpha)
    return [OddsGap(*pair) for pair in zip(together[: len(recall)], together[len(recall) :], strict=True)]


def judged_together(gaps: Sequence[GroupGap], alpha: float) -> list[GroupGap]:
    """The same findings with Holm over all of them, and the verdicts that follow."""
    adjusted = holm([one.p_beyond for one in gaps])
    return [_judged(one, p_holm, alpha) for one, p_holm in zip(gaps, adjusted, strict=True)]


def columns_of(profile: Profile, column: str | Sequence[str]) -> tuple[str, ...]:
    """The segment columns that make groups, of a name, a cross `"race & sex"` or a list of names.

    InvalidInput for a column the profile does not have, one that is named twice, and a cross it did not keep.
    """
    known = list(profile.columns)
    named = [column] if isinstance(column, str) else list(column)
    if isinstance(column, str) and column not in known:
        named = [part.strip() for part in column.split(_JOIN)]
    for name in named:
        if name not in known:
            raise InvalidInput(
                f"the profile has no segment column {name!r}",
                expected=f"one of {', '.join(known) or 'none'}",
                hint=nearest(name, known),
            )
    if not named or len(set(named)) < len(named):
        raise InvalidInput("groups need columns", expected="each column once, such as 'race' or 'race & sex'")
    if len(named) > profile.cross:
        raise InvalidInput(
            f"{_JOIN.join(named)} crosses {len(named)} columns; the profile keeps crosses of up to {profile.cross}",
            hint=f"evaluate again with cross={len(named)}",
        )
    return tuple(named)


def _checked(
    profile: Profile, metric: str, gap: float | None, ratio: float | None, alpha: float
) -> tuple[Metric, Bounded]:
    measure = metric_named(metric, profile.task)
    if metric not in GROUP_RATES:
        raise InvalidInput(f"{metric} is no rate, so groups cannot be compared in it", expected=", ".join(GROUP_RATES))
    if (gap is None) == (ratio is None):
        raise InvalidInput("groups need one bound", expected="either gap= or ratio=")
    if gap is None and metric == CALIBRATION:
        raise InvalidInput(f"{metric} may be below 0, so it has no ratio", expected="gap=")
    if not 0.0 < alpha < 0.5:
        raise InvalidInput(f"alpha is {alpha!r}", expected="inside (0, 0.5), such as 0.05")
    if gap is not None:
        if not 0.0 <= gap < 1.0:
            raise InvalidInput(f"the bound is {gap!r}", expected="a gap of 0 or more and below 1, such as 0.05")
        return measure, Bounded("gap", gap)
    assert ratio is not None
    if not 0.0 < ratio <= 1.0:
        raise InvalidInput(f"the bound is {ratio!r}", expected="a ratio above 0 and at most 1, such as 0.8")
    return measure, Bounded("ratio", ratio)


def _reference(profile: Profile, places: list[int], reference: str | None, columns: tuple[str, ...]) -> int:
    """The place of the group that is named by its values, or of the one with the most rows, the first of several."""
    if not places:
        raise InvalidInput("there are no rows, so there are no groups", expected="a profile of labelled rows")
    if reference is None:
        rows = profile.totals().count("rows")
        return max(places, key=lambda place: float(rows[place]))
    values = [_JOIN.join(dict(profile.segments[place].conditions)[name] for name in columns) for place in places]
    if reference not in values:
        raise InvalidInput(
            f"no row has {_JOIN.join(columns)}={reference}",
            expected=", ".join(values),
            hint=nearest(reference, values),
        )
    return places[values.index(reference)]


def _gap(
    group: Segment,
    reference: Segment,
    metric: str,
    question: Bounded,
    samples: tuple[Sample, Sample],
    evidence: Evidence,
    needed: int | None,
) -> GroupGap:
    mine, other = samples
    seen = mine.value - other.value
    if question.measure == "ratio":
        seen = mine.value / other.value if other.value else math.nan
    return GroupGap(
        group=group,
        reference=reference,
        metric=metric,
        measure=question.measure,
        bound=question.bound,
        n=int(mine.n),
        reference_n=int(other.n),
        value=mine.value,
        reference_value=other.value,
        gap=seen,
        low=evidence.low,
        high=evidence.high,
        p_beyond=evidence.p_beyond,
        p_holm=1.0,
        p_within=evidence.p_within,
        verdict="inconclusive",
        affected=(other.value - mine.value) * mine.weight,
        rows_needed=needed,
        method=evidence.method,
    )


def _judged(found: GroupGap, p_holm: float, alpha: float) -> GroupGap:
    if p_holm <= alpha:
        return replace(found, p_holm=p_holm, verdict="fail")
    return replace(found, p_holm=p_holm, verdict="pass" if found.p_within <= alpha else "inconclusive")
