"""`assay test reallocate`: the shares of a bandit follow what was found, above a floor; each time is a new phase.

Within a phase the shares stay, so the log's propensities are right and phases can be compared one by one: the analysis
weighs what each phase says by its units, whatever share a variant had. Shares are computed, not drawn: the same
evidence gives the same shares.
"""

from typing import Annotated

import msgspec

from assay.errors import Conflict, InvalidInput, Refused
from assay.operate.online_tests.definition import OnlineTest
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.gathering import gather
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.readings import seen_before
from assay.operate.online_tests.starting import add_phase
from assay.operate.online_tests.status import judge, settled
from assay.operate.online_tests.stopping import running_test
from assay.operation import operation
from assay.record.clock import iso
from assay.record.store import Store
from assay.stats.anytime import MINIMUM_UNITS
from assay.stats.bandit import best_chances, shares

__all__ = ["Reallocation", "new_shares", "reallocate"]

_WEIGHTS = 1000  # whole numbers that shares are written as


class Reallocation(msgspec.Struct, frozen=True):
    """A new phase of a bandit: by arm its mean so far, the chance that it is the best, its share before and now."""

    test: str
    phase: int
    metric: str
    means: dict[str, float]
    best: dict[str, float]
    before: dict[str, float]
    now: dict[str, float]
    as_of: str


@operation("test reallocate")
def reallocate(
    store: Store,
    test: str,
    *,
    metric: Annotated[str | None, "The success metric that shares follow; by default the first"] = None,
) -> Reallocation:
    """Share the units of a bandit out by what was found so far: more to what is likely to be the best.

    Refused while shares of units or labels cannot be chance, or a variant has less than 100 closed units.
    """
    found = running_test(store, test)
    if found.kind != "bandit":
        raise InvalidInput(f"{found.name} is no bandit", hint="assay test new --bandit --floor 0.1")
    chosen = found.metric(metric) if metric is not None else _first(found)
    now = settled(store)
    evidence = gather(store, found, now)
    reading = judge(found, evidence, seen_before(store, found.test_id, iso(now)), iso(now))
    if reading.held:
        raise Refused(f"test {found.name!r} is held", where=reading.held[0], hint="find out why before shares change")
    means, chances, wanted = new_shares(found, chosen, evidence)
    weights = _whole(wanted)
    before = found.phases[-1].weights
    if tuple(weights) == before:
        raise Conflict(f"the shares of {found.name!r} are as they should be")
    said = ", ".join(f"{name} {share:.1%}" for name, share in zip(found.names, wanted, strict=True))
    after = add_phase(
        store, found, weights, found.phases[-1].coverage, reason=f"test {found.name} follows {chosen.name}: {said}"
    )
    names = found.names
    return Reallocation(
        test=found.name,
        phase=after.phases[-1].phase,
        metric=chosen.name,
        means=dict(zip(names, means, strict=True)),
        best=dict(zip(names, chances, strict=True)),
        before={name: weight / sum(before) for name, weight in zip(names, before, strict=True)},
        now={name: weight / sum(weights) for name, weight in zip(names, weights, strict=True)},
        as_of=iso(now),
    )


def new_shares(test: OnlineTest, metric: Metric, evidence: Evidence) -> tuple[list[float], list[float], list[float]]:
    """Means by arm, chances to be the best, and shares: phases weighed by their units, as the effects are."""
    by_arm = [evidence.by_phase(test, metric, place) for place in range(len(test.arms))]
    means, errors = [], []
    for arm in by_arm:
        if sum(sums.n for sums in arm) < MINIMUM_UNITS:
            raise Refused(
                f"a variant of {test.name!r} has {sum(sums.n for sums in arm)} closed units",
                expected=f"{MINIMUM_UNITS} or more of each",
                hint="wait for windows to close",
            )
    phases = [place for place in range(len(test.phases)) if min(arm[place].n for arm in by_arm) >= 2]
    units = [sum(arm[place].n for arm in by_arm) for place in phases]
    for arm in by_arm:
        parts = [(weight / sum(units), arm[place]) for weight, place in zip(units, phases, strict=True)]
        means.append(sum(weight * sums.mean for weight, sums in parts))
        errors.append(sum(weight**2 * sums.variance / sums.n for weight, sums in parts) ** 0.5)
    smallest = max(errors) * 1e-6 or 1e-9  # a variant whose units are all alike has no error to speak of
    errors = [max(error, smallest) for error in errors]
    upwards = metric.sign > 0
    chances, _ = best_chances(means, errors, larger_is_better=upwards)
    return means, chances, shares(means, errors, floor=test.floor, larger_is_better=upwards)


def _first(test: OnlineTest) -> Metric:
    for metric in test.metrics:
        if metric.role == "success":
            return metric
    raise InvalidInput(f"test {test.name!r} has no success metric to follow", expected="a metric with that role")


def _whole(wanted: list[float]) -> list[int]:
    """Shares as whole weights; what rounding leaves goes to the largest."""
    weights = [round(share * _WEIGHTS) for share in wanted]
    weights[weights.index(max(weights))] += _WEIGHTS - sum(weights)
    return weights
