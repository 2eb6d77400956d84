from datetime import timedelta

from tests.operate.online_tests.online_world import ACCURACY, BEGIN, coin, endpoint, names, serve
from tests.operate.serving_helpers import ENDPOINT

from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.starting import new_test
from assay.operate.online_tests.status import look_at_test as look
from assay.record.models.routes import current_route
from assay.record.sqlstore import SqlStore

_DAY = timedelta(days=1)


def test_a_better_challenger_passes_once_its_labels_are_in(store: SqlStore) -> None:
    endpoint(store)
    test = new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY], override="no gate in this test")
    route = current_route(store, ENDPOINT)
    assert route.split is not None
    assert [variant.name for variant in route.variants] == ["champion", "v2"]
    serve(store, names(3000), at=BEGIN, label=coin(1, lambda variant: 0.5 if variant == "champion" else 0.8))
    early = look(store, test.name, as_of="2026-01-01T00:40Z")
    assert early.outcome == "inconclusive"
    assert early.counts["champion"].exposed > 1000
    assert early.counts["champion"].closed == 0
    store.clock.advance(BEGIN + _DAY)
    reading = look(store)
    print(reading)
    assert reading.outcome == "pass"


def test_a_shadow_is_compared_row_by_row_with_the_champion(store: SqlStore) -> None:
    endpoint(store)
    errors = Metric(name="errors", numerator="error", role="guardrail", margin=0.01, window="0s")
    new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY, errors], kind="shadow", override="no gate in this test")
    assert [one.name for one in current_route(store, ENDPOINT).shadows] == ["v2"]
    truth = [float(place % 2) for place in range(1000)]
    right = {"champion": 0.80, "v2": 0.90}
    serve(
        store,
        names(1000),
        at=BEGIN,
        output=lambda variant, place: truth[place] if place % 100 < 100 * right[variant] else 1 - truth[place],
        label=lambda _, place: truth[place],
    )
    store.clock.advance(BEGIN + _DAY)
    reading = look(store)
    (arm,) = reading.arms
    assert arm.shift is not None
    assert arm.shift.rows == 1000
    assert arm.shift.disagreement == 0.1
    assert arm.shift.mean_shift == 0, "as many went up as down"
    assert arm.pairs is not None
    pairs = arm.pairs["wrong"]
    assert (pairs.units, pairs.better, pairs.worse) == (1000, 100, 0)
    assert pairs.unpaired_units is not None
    assert pairs.unpaired_units > 5 * 1000
    assert [one.effect for one in arm.metrics] == [-0.1, 0.0]
    assert reading.outcome == "pass"
