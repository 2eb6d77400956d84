"""From sums to a verdict in three values, in the order in which evidence may speak.

1. Shares that cannot be chance, of units or of labels, hold everything: then the arms are not comparable.
2. A guardrail that is proven to be harmed fails.
3. Spotify's rule (Schultzberg et al. 2024, arXiv 2402.11609): pass if one success metric at least is better, none is
   worse, and every guardrail is proven to be within its margin. Success metrics share alpha (Holm, or Bonferroni at
   planned looks); guardrails do not, since all of them have to hold.
"""

import math
from collections.abc import Sequence

from assay.operate.online_tests.definition import Design, OnlineTest
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.needed import units_until
from assay.operate.online_tests.rare_events import exact_bounds, is_rare
from assay.operate.online_tests.readings import ArmReading, Look, MetricReading, Outcome, Seen
from assay.stats import holm, normal
from assay.stats.anytime import MINIMUM_UNITS, Looks, asymptotic_interval, asymptotic_p
from assay.stats.arrays import finite
from assay.stats.effects import Effect, difference
from assay.stats.group_sequential import boundaries, repeated_interval
from assay.stats.intervals import Interval
from assay.stats.proportions_test import share_p
from assay.stats.three_way import noninferiority

__all__ = ["SHARE_ALPHA", "Effects", "effects_of", "fraction_of", "held_because", "judged_arms", "look_at", "look_of"]

SHARE_ALPHA = 0.01  # at which shares of units or labels hold a test: at any look, over its whole life
_NOTHING = Interval(-math.inf, math.inf)

Effects = dict[str, dict[str, Effect]]  # by arm and metric


def effects_of(test: OnlineTest, evidence: Evidence) -> Effects:
    """Challenger minus champion for each challenger and metric, measured within each phase."""
    found: Effects = {arm.name: {} for arm in test.arms[1:]}
    for metric in test.metrics:
        sums = [evidence.by_phase(test, metric, place) for place in range(len(test.arms))]
        for place, arm in enumerate(test.arms[1:], start=1):
            found[arm.name][metric.name] = difference(sums[0], sums[place])
    return found


def held_because(test: OnlineTest, evidence: Evidence, seen: Seen) -> list[str]:
    """Why nothing may be decided; `seen` takes in this look at the shares."""
    if len(test.arms) < 2 or test.kind == "shadow":
        return []
    weights = [phase.weights for phase in test.phases]
    exposed = evidence.table(test, evidence.exposed)
    seen.srm_p = min(seen.srm_p, share_p(exposed, weights))
    held = []
    if seen.srm_p <= SHARE_ALPHA:
        held.append(f"units are not shared out as planned (p {seen.srm_p:.2g}): {_shares(test, exposed)}")
    for metric in test.metrics:
        if not metric.needs_labels or metric.missing != "excluded":
            continue
        valued = evidence.valued(test, metric)
        p = min(seen.coverage_p.get(metric.name, 1.0), share_p(valued, weights))
        seen.coverage_p[metric.name] = p
        if p <= SHARE_ALPHA:
            held.append(f"labels of {metric.name} are not shared out as the units (p {p:.2g}): {_shares(test, valued)}")
    return held


def fraction_of(test: OnlineTest, effects: Effects) -> float:
    """How far the test is on the way to the units that each variant needs, by the metric that is farthest behind."""
    if not test.design.n:
        return 0.0
    least = min(
        (min(effect.n_control, effect.n_treatment) for own in effects.values() for effect in own.values()), default=0
    )
    return least / test.design.n


def look_at(test: OnlineTest, effects: Effects, seen: Seen) -> bool:
    """Take in a look at the effects; whether it counts as one. Looks between planned ones leave all as it was."""
    design = test.design
    if design.kind != "anytime":
        fraction = min(1.0, fraction_of(test, effects))
        planned = 1 if design.kind == "fixed" else design.looks
        last = seen.fractions[-1] if seen.fractions else 0.0
        if math.floor(fraction * planned + 1e-9) <= math.floor(last * planned + 1e-9):
            return False
        seen.fractions.append(fraction)
    tested = sum(metric.role == "success" for metric in test.metrics) * len(effects)
    for arm, own in effects.items():
        for name, effect in own.items():
            metric = test.metric(name)
            interval, p = look_of(design, metric, effect, seen.fractions, max(1, tested))
            _add(seen, arm, metric, effect, interval, p, keep=design.kind == "anytime")
    return True


def judged_arms(
    test: OnlineTest, evidence: Evidence, effects: Effects, seen: Seen, held: Sequence[str]
) -> list[ArmReading]:
    """The verdict on each challenger."""
    places = [(arm.name, metric) for arm in test.arms[1:] for metric in test.metrics if metric.role == "success"]
    p_values = [_seen(seen, arm, metric).p_value for arm, metric in places]
    adjusted = holm(p_values) if test.design.kind != "group" else p_values
    significant = {
        (arm, metric.name): p <= test.design.alpha for (arm, metric), p in zip(places, adjusted, strict=True)
    }
    found = []
    for place, arm in enumerate(test.arms[1:], start=1):
        metrics = [
            _judged(
                test,
                evidence,
                effects[arm.name][metric.name],
                _seen(seen, arm.name, metric),
                metric,
                place,
                significant.get((arm.name, metric.name), False),
            )
            for metric in test.metrics
        ]
        unlabelled = [metric.name for metric in test.metrics if not metric.needs_labels]
        outcome, words = _verdict(arm.name, metrics, held, unlabelled)
        found.append(ArmReading(arm.name, arm.version, outcome, words, metrics))
    return found


def look_of(
    design: Design, metric: Metric, effect: Effect, fractions: Sequence[float], tested: int
) -> tuple[Interval, float]:
    """The interval of this look and its P-value. Both ends of a guardrail's interval are one-sided bounds.

    Those hold for rare events, too: that none was seen in a few hundred units does not prove that there are none.
    """
    interval, p = _usual_look(design, metric, effect, fractions, tested)
    return (_of_rare_events(design, metric, effect, interval) if metric.role == "guardrail" else interval), p


def _usual_look(
    design: Design, metric: Metric, effect: Effect, fractions: Sequence[float], tested: int
) -> tuple[Interval, float]:
    """By means that are nearly normal, and an error that is estimated well."""
    guards = metric.role == "guardrail"
    if design.kind == "fixed":
        return effect.interval(1 - (2 * design.alpha if guards else design.alpha)), effect.p_value()
    if design.kind == "group":
        alpha = design.alpha if guards else design.alpha / tested
        bound = boundaries(fractions, alpha, design.spending, one_sided=guards)[-1]
        if min(effect.n_control, effect.n_treatment) < 2 or math.isnan(effect.se):
            return _NOTHING, 1.0
        interval = repeated_interval(effect.estimate, effect.se, _of_few_units(bound, effect.degrees))
        return interval, 0.0 if not interval.low <= 0 <= interval.high else 1.0
    tuning = design.tuning
    p = asymptotic_p(effect, alpha=design.alpha, tuning=tuning)
    if not guards:
        return asymptotic_interval(effect, design.alpha, tuning=tuning), p
    low = asymptotic_interval(effect, design.alpha, tuning=tuning, side="above").low
    return Interval(low, asymptotic_interval(effect, design.alpha, tuning=tuning, side="below").high), p


def _of_rare_events(design: Design, metric: Metric, effect: Effect, interval: Interval) -> Interval:
    """The interval, wider where an arm has few events; nothing where values that could be any are all alike."""
    if is_rare(metric, effect):
        exact = exact_bounds(design, effect)
        return Interval(min(interval.low, exact.low), max(interval.high, exact.high))
    return _NOTHING if effect.se == 0.0 and not metric.within_one else interval


def _of_few_units(bound: float, degrees: float) -> float:
    """The t that is as seldom passed as the z `bound`: the errors of few units are estimated, and vary themselves."""
    tail = normal.upper_tail(bound)
    return -normal.t_quantile(tail, degrees) if tail > 0.0 and degrees > 0.0 else math.inf


def _add(seen: Seen, arm: str, metric: Metric, effect: Effect, interval: Interval, p: float, *, keep: bool) -> None:
    """Take in a look; with `keep` intervals are intersected with those before, else this one stands for itself."""
    before = _seen(seen, arm, metric)
    low, high = _ends(before) if keep else (-math.inf, math.inf)
    looks = Looks(low, high, before.p_value)
    looks.add(interval, p)
    together = looks.interval
    if looks.empty:  # the effect moves in time, and all looks together exclude every value
        together = interval
        seen.empty = sorted({*seen.empty, f"{arm}: {metric.name}"})
    seen.looks.setdefault(arm, {})[metric.name] = Look(
        low=finite(together.low),
        high=finite(together.high),
        p_value=looks.p_value,
        effect=finite(effect.estimate),
    )


def _judged(
    test: OnlineTest, evidence: Evidence, effect: Effect, look: Look, metric: Metric, place: int, significant: bool
) -> MetricReading:
    low, high = _ends(look)
    if metric.sign < 0:
        low, high = -high, -low  # so that more is better
    if metric.role == "success":
        better, worse = significant and low > 0, significant and high < 0
        outcome: Outcome = "pass" if better else "fail" if worse else "inconclusive"
        word = "better" if better else "worse" if worse else "neither better nor worse is proven"
    else:
        assert metric.margin is not None
        answer = noninferiority(low, high, metric.margin, metric.harm)
        outcome, better, worse = answer.verdict, low > 0, answer.worse
        word = {
            "pass": "within the margin",
            "fail": "harmed",
            "inconclusive": "not yet proven to be within the margin",
        }[outcome]
        if outcome == "pass" and worse:
            word = "worse, within the agreed margin"
    needed = units_until(test.design, metric, effect, outcome)
    return MetricReading(
        metric=metric.name,
        role=metric.role,
        champion=finite(effect.control),
        challenger=finite(effect.treatment),
        effect=finite(effect.estimate),
        low=look.low,
        high=look.high,
        p_value=look.p_value,
        units=(effect.n_control, effect.n_treatment),
        coverage=(evidence.coverage(metric, 0), evidence.coverage(metric, place)),
        better=better,
        worse=worse,
        outcome=outcome,
        words=f"{metric.name}: {word}",
        needed_units=needed,
    )


def _verdict(
    arm: str, metrics: Sequence[MetricReading], held: Sequence[str], unlabelled: Sequence[str]
) -> tuple[Outcome, str]:
    """`unlabelled` are metrics of how requests were served: what holds a test never holds back their alarm."""
    harmed = [one.metric for one in metrics if one.role == "guardrail" and one.outcome == "fail"]
    worse = [one.metric for one in metrics if one.role == "success" and one.worse]
    better = [one.metric for one in metrics if one.role == "success" and one.better]
    open_ = [one.metric for one in metrics if one.role == "guardrail" and one.outcome == "inconclusive"]
    has_success = any(one.role == "success" for one in metrics)
    if held and not set(harmed) & set(unlabelled):
        return "inconclusive", f"{arm}: held, because {held[0]}"
    if harmed:
        return "fail", f"{arm}: {', '.join(harmed)} is proven to be harmed"
    if worse:
        return "fail", f"{arm}: {', '.join(worse)} is proven to be worse"
    if not open_ and (better or not has_success):
        said = f"{', '.join(better)} is better" if better else "no guardrail is harmed"
        return "pass", f"{arm}: {said}, and all guardrails hold" if better else f"{arm}: all guardrails hold"
    missing = [f"a success metric that is better ({', '.join(one.metric for one in metrics if one.role == 'success')})"]
    missing = missing if has_success and not better else []
    missing += [f"proof that {', '.join(open_)} stays within its margin"] if open_ else []
    fewest = min((min(one.units) for one in metrics), default=0)
    early = f"; nothing is said before {MINIMUM_UNITS} units in each variant" if fewest < MINIMUM_UNITS else ""
    return "inconclusive", f"{arm}: missing is {' and '.join(missing)}{early}"


def _shares(test: OnlineTest, counts: Sequence[Sequence[int]]) -> str:
    totals = [sum(column) for column in zip(*counts, strict=True)]
    expected = [0.0] * len(test.arms)
    for phase, row in zip(test.phases, counts, strict=True):
        for place, weight in enumerate(phase.weights):
            expected[place] += sum(row) * weight / sum(phase.weights)
    return ", ".join(
        f"{name} {total:,} of {planned:,.0f} expected"
        for name, total, planned in zip(test.names, totals, expected, strict=True)
    )


def _seen(seen: Seen, arm: str, metric: Metric) -> Look:
    return seen.looks.get(arm, {}).get(metric.name, Look())


def _ends(look: Look) -> tuple[float, float]:
    return -math.inf if look.low is None else look.low, math.inf if look.high is None else look.high
