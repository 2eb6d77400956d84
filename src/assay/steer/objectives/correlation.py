"""Does what looks better offline turn out better in business? The team's own correlation, over all of its models.

A pair is a version that replaced another: the gain of its evaluation, and what came of it. `measured` pairs are online
tests, with the effect on their success metric; `observed` pairs the KPI of the month after the promotion beside that of
the month before. Both gains are relative to where they began, and larger is better. The two kinds are never put
together. Over 23 pairs one company found −0.1 (Bernardi, Mavridis & Estevez, KDD 2019): gains offline promise nothing.
"""

import json
import math
from collections.abc import Sequence

import msgspec
import numpy as np

from assay.operate.online_tests.definition import all_tests
from assay.operate.online_tests.readings import TestReading
from assay.prove.checks import OVERALL_NAME, Check
from assay.record.clock import happened
from assay.record.models.registry import CHAMPION
from assay.record.objectives import Basis, kpi_observations, objective_of
from assay.record.store import Store

__all__ = ["Correlation", "GainPair", "correlations", "gain_pairs"]

_FEWEST = 5
_Z = 1.959963984540054


class GainPair(msgspec.Struct, frozen=True, kw_only=True):
    """A version that replaced another, or tried to: the relative gain of `metric` offline, and in business."""

    model: str
    mv_id: str
    basis: Basis
    metric: str
    offline: float
    business: float
    evidence: str


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """Of `pairs` on one basis; figures are None below 5 of them. `low` and `high` are those of Pearson's r at 95 %."""

    basis: Basis
    pairs: list[GainPair]
    pearson: float | None
    low: float | None
    high: float | None
    spearman: float | None
    spearman_low: float | None
    spearman_high: float | None
    words: str


def correlations(store: Store) -> list[Correlation]:
    """The correlation on each basis that has pairs."""
    every = gain_pairs(store)
    bases: tuple[Basis, ...] = ("measured", "observed")
    return [_correlation(basis, own) for basis in bases if (own := [one for one in every if one.basis == basis])]


def gain_pairs(store: Store) -> list[GainPair]:
    """All pairs on record, measured ones first, each kind in order of time."""
    offline = _offline(store)
    return [*_measured(store, offline), *_observed(store, offline)]


def _offline(store: Store) -> dict[tuple[str, str], tuple[str, float]]:
    """(version, the version before) -> the metric that the gate compared first, and its relative improvement."""
    found = {}
    for row in store.query("gate", order_by=["ts", "id"]):
        checks = [msgspec.convert(one, Check) for one in json.loads(row["checks"]) if one["kind"] == "champion_compare"]
        for one in checks:
            if one.segment == OVERALL_NAME and one.delta is not None and one.baseline_value:
                found[row["mv_id"], row["baseline_mv_id"]] = (one.metric, one.delta / abs(one.baseline_value))
                break
    return found


def _measured(store: Store, offline: dict[tuple[str, str], tuple[str, float]]) -> list[GainPair]:
    found = []
    for test in sorted(all_tests(store), key=lambda one: one.started):
        rows = store.query("test_reading", {"test_id": test.test_id}, order_by=["-seq"], limit=1)
        if test.status != "stopped" or not rows:
            continue
        reading = msgspec.json.decode(rows[0]["detail"], type=TestReading)
        versions = {arm.name: arm.mv_id for arm in test.arms}
        for arm in reading.arms:
            known = offline.get((versions[arm.arm], test.arms[0].mv_id))
            success = next((one for one in arm.metrics if one.role == "success"), None)
            if known is None or success is None or success.effect is None or not success.champion:
                continue
            business = test.metric(success.metric).sign * success.effect / abs(success.champion)
            found.append(
                GainPair(
                    model=test.model,
                    mv_id=versions[arm.arm],
                    basis="measured",
                    metric=known[0],
                    offline=known[1],
                    business=business,
                    evidence=f"test {test.name}, {success.metric}",
                )
            )
    return found


def _observed(store: Store, offline: dict[tuple[str, str], tuple[str, float]]) -> list[GainPair]:
    found = []
    for row in store.query("alias_move", {"alias": CHAMPION, "cleared": 0}, order_by=["ts", "seq"]):
        known = offline.get((row["mv_id"], row["previous_mv_id"]))
        objective = objective_of(store, row["model"])
        if known is None or objective is None:
            continue
        kpi, at = objective.terms.kpi, happened(row)
        seen = [one for one in kpi_observations(store, row["model"], kpi=kpi.name) if one.basis == "observed"]
        before = [one for one in seen if one.ended <= at]
        after = [one for one in seen if one.started >= at]
        if not before or not after or not before[-1].value:
            continue
        sign = 1.0 if kpi.direction == "higher" else -1.0
        change = sign * (after[0].value - before[-1].value) / abs(before[-1].value)
        evidence = f"{kpi.name} of {before[-1].started[:7]} and {after[0].started[:7]}"
        pair = {"model": row["model"], "mv_id": row["mv_id"], "metric": known[0], "evidence": evidence}
        found.append(GainPair(**pair, basis="observed", offline=known[1], business=change))
    return found


def _correlation(basis: Basis, pairs: Sequence[GainPair]) -> Correlation:
    n = len(pairs)
    what = "online tests" if basis == "measured" else "promotions, by the KPI before and after"
    x, y = np.array([one.offline for one in pairs]), np.array([one.business for one in pairs])
    if n < _FEWEST or not x.std() or not y.std():
        why = f"too few: {n} of {what}, {_FEWEST} are needed" if n < _FEWEST else f"{n} of {what} are all alike"
        nothing = {"pearson": None, "low": None, "high": None}
        rest = {"spearman": None, "spearman_low": None, "spearman_high": None}
        return Correlation(basis=basis, pairs=list(pairs), **nothing, **rest, words=f"{basis}: {why}")
    from scipy.stats import rankdata

    r, rho = float(np.corrcoef(x, y)[0, 1]), float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
    low, high = _fisher(r, 1.0 / (n - 3))
    # The variance of the transformed rank correlation is larger (Bonett & Wright 2000).
    rho_low, rho_high = _fisher(rho, (1.0 + rho * rho / 2.0) / (n - 3))
    words = (
        f"{basis}: over {n} {what} gains offline and in business have r = {r:.2f} ({low:.2f} to {high:.2f}),"
        f" by ranks {rho:.2f} ({rho_low:.2f} to {rho_high:.2f})"
    )
    return Correlation(
        basis=basis,
        pairs=list(pairs),
        pearson=r,
        low=low,
        high=high,
        spearman=rho,
        spearman_low=rho_low,
        spearman_high=rho_high,
        words=words,
    )


def _fisher(r: float, variance: float) -> tuple[float, float]:
    """Fisher's interval: the transform of r is about normal."""
    middle, half = math.atanh(min(max(r, -1 + 1e-12), 1 - 1e-12)), _Z * math.sqrt(variance)
    return math.tanh(middle - half), math.tanh(middle + half)
