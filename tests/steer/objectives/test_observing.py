from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from tests.steer.objectives.objective_world import BEGIN, MODEL, Shop, terms_with

from assay.errors import InvalidInput
from assay.record.objective_terms import Guardrail, Kpi
from assay.record.objectives import decide_objective, kpi_observations
from assay.steer.objectives.months import month_after, start_of
from assay.steer.objectives.observing import observe
from assay.steer.objectives.valuing import recent_value, value_of

SPAN = {"from_": "2026-01-01", "to": "2026-02-01"}


def test_what_a_person_brings_is_kept_and_the_newest_counts(shop: Shop) -> None:
    store = shop.store
    decide_objective(store, MODEL, terms_with())
    observe(
        store,
        MODEL,
        value=120.0,
        low=100.0,
        high=140.0,
        basis="observed",
        note="first",
        from_="2026-01-01",
        to="2026-02-01",
    )
    observe(store, MODEL, value=130.0, basis="observed", from_="2026-01-01", to="2026-02-01")
    observe(store, MODEL, value=90.0, basis="measured", link="test:warn", from_="2026-01-01", to="2026-02-01")
    found = kpi_observations(store, MODEL)
    assert [(one.basis, one.value) for one in found] == [("measured", 90.0), ("observed", 130.0)]
    assert len(store.query("kpi_obs")) == 3, "what was said before stays"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"value": 1.0, "basis": "observd", **SPAN}, "--basis is 'observd'"),
        ({"value": 1.0, "basis": "observed"}, "the span is not said"),
        ({"value": 1.0, "basis": "observed", "from_": "2026-02-01", "to": "2026-01-01"}, "the span is not said"),
        ({"value": 1.0, "low": 2.0, "basis": "observed", **SPAN}, "finite numbers in this order"),
        ({"value": float("nan"), "basis": "observed", **SPAN}, "finite numbers in this order"),
        ({"value": 1.0, "basis": "measured", **SPAN}, "has no evidence"),
        ({"value": 1.0, "basis": "observed", "kpi": "net valu", **SPAN}, "did you mean 'net value'"),
        ({"basis": "observed"}, "no value is given"),
    ],
)
def test_what_cannot_be_an_observation_is_refused_and_changes_nothing(
    shop: Shop, given: dict[str, object], told: str
) -> None:
    decide_objective(shop.store, MODEL, terms_with())
    with pytest.raises(InvalidInput, match=told):
        observe(shop.store, MODEL, **given)  # type: ignore[arg-type]
    assert shop.store.query("kpi_obs") == []


def test_months_that_are_over_are_computed_once_and_again_when_labels_come_late(shop: Shop) -> None:
    shop.serve(BEGIN, 31, labelled=0.5)
    shop.serve(datetime(2026, 2, 1, tzinfo=UTC), 10)
    store = shop.store
    decide_objective(store, MODEL, terms_with())
    store.clock.advance(datetime(2026, 2, 11, tzinfo=UTC))
    (first,) = observe(store, MODEL)
    assert (first.started[:10], first.basis) == ("2026-01-01", "estimated")
    assert observe(store, MODEL) == []
    from assay.operate.labels.recording import Label, record_labels

    missing = [place for place, label in enumerate(np.concatenate(shop.labels)[:1240]) if np.isnan(label)]
    record_labels(store, [Label(f"p{place}", 0.0, BEGIN) for place in missing])
    (second,) = observe(store, MODEL)
    assert second.basis == "observed", "all outcomes are known now"


def test_a_query_over_the_log_tells_the_kpi_and_a_guardrail(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    shop.serve(datetime(2026, 2, 1, tzinfo=UTC), 28)
    kpi = Kpi(
        name="late orders",
        unit="share",
        target=0.4,
        floor=0.6,
        direction="lower",
        source="sql",
        sql="select avg(value) as value, 0.0 as low, 1.0 as high from labels",
    )
    guardrail = Guardrail(
        name="slow",
        unit="ms",
        limit=1.0,
        direction="lower",
        source="sql",
        sql="select max(latency_us) / 1000 as value from predictions",
    )
    store = shop.store
    decide_objective(store, MODEL, terms_with(kpi=kpi, guardrails=[guardrail]))
    store.clock.advance(datetime(2026, 3, 2, tzinfo=UTC))
    found = {(one.kpi, one.started[:7]): one for one in observe(store, MODEL)}
    assert found["late orders", "2026-01"].value == pytest.approx(np.concatenate(shop.truths)[:1240].mean())
    assert found["late orders", "2026-02"].value == pytest.approx(np.concatenate(shop.truths)[1240:].mean())
    assert found["slow", "2026-01"].value == 0.5
    assert (found["late orders", "2026-01"].low, found["late orders", "2026-01"].high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select 1 as figure", "one row with the column value"),
        ("select output as value from predictions", "gives 1240 rows"),
        ("select nothing as value from predictions", "cannot be run"),
        ("drop table gaps", "only read"),
    ],
)
def test_a_query_that_tells_nothing_is_refused(shop: Shop, sql: str, told: str) -> None:
    shop.serve(BEGIN, 31)
    kpi = msgspec.structs.replace(terms_with().kpi, source="sql", sql=sql)
    decide_objective(shop.store, MODEL, terms_with(kpi=kpi))
    shop.store.clock.advance(datetime(2026, 2, 2, tzinfo=UTC))
    with pytest.raises(InvalidInput) as caught:
        observe(shop.store, MODEL)
    assert told in str(caught.value)


def test_what_is_looked_at_again_and_again_goes_back_thirteen_months(shop: Shop) -> None:
    for number in range(15):
        shop.serve(start_of(month_after("2026-01", number)), 1, rows=5)
    store = shop.store
    objective = decide_objective(store, MODEL, terms_with())
    store.clock.advance(datetime(2027, 5, 1, tzinfo=UTC))
    recent = recent_value(store, objective)
    assert recent is not None
    assert [recent.months[0].month, recent.months[-1].month, len(recent.months)] == ["2026-03", "2027-03", 13]
    assert len(observe(store, MODEL)) == 13
    assert len(value_of(store, objective).months) == 15
