"""Drift that single windows and single columns do not show."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.operate.monitors.labelled_helpers import finding
from tests.operate.monitors.monitor_world import CARRIERS, around, endpoint, serve_day
from tests.operate.serving_helpers import ENDPOINT

from assay.errors import InvalidInput
from assay.operate.monitors.checking import Checked, check_due
from assay.operate.monitors.definition import Definition
from assay.operate.monitors.kinds.slowly import SLOW
from assay.operate.monitors.kinds.together import TOGETHER
from assay.operate.monitors.records import declare_monitors
from assay.record.sqlstore import SqlStore

Cells = tuple[str | float | None, ...]


def looked(
    store: SqlStore, definition: Definition, days: int, middle: Callable[[int], float] = lambda _: 1000.0
) -> list[Checked]:
    """What a monitor found of days whose distances are about a middle."""
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"drift": definition})
    for day in range(days):
        serve_day(store, day, version, distance=around(middle(day)))
    return check_due(store)


def test_a_column_that_creeps_is_found_before_any_window_is_far_enough(store: SqlStore) -> None:
    checked = looked(store, Definition(kind="drift", slow=True), 36, lambda day: 1000.0 + 2.5 * max(0, day - 12))
    found = [finding(one.outcome, "distance", measure=SLOW) for one in checked[1:]]
    assert not any(one.raised for one in found[:12])
    first = next(place for place, one in enumerate(found) if one.raised)
    others = [
        place for place, one in enumerate(checked[1:]) for each in one.outcome.findings
        if each.measure != SLOW and each.state == "drift"
    ]  # fmt: skip
    assert first < min(others, default=len(found))
    assert found[first].words.startswith("distance goes on moving window by window, evidence ")
    assert "; its mean was 1" in found[first].words
    assert found[first + 1].state == "drift"
    assert (found[first].harm or 0) > 0
    assert not any(finding(one.outcome, "carrier", measure=SLOW).raised for one in checked[1:])


def test_days_that_only_wander_are_no_slow_drift(store: SqlStore) -> None:
    chance = np.random.default_rng(1)
    middles = 1000 + 20 * chance.normal(size=30)
    checked = looked(store, Definition(kind="prediction_drift", slow=True), 30, lambda day: float(middles[day]))
    assert not any(one.raised for each in checked for one in each.outcome.findings if one.measure == SLOW)
    assert checked[1].outcome.status == "uncalibrated", "what is usual is not known yet"


def test_inputs_that_no_longer_go_together_are_found_though_each_looks_as_it_did(store: SqlStore) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"drift": Definition(kind="drift", together=True)})
    far = dict(zip(CARRIERS.tolist(), (False, True, False, True), strict=True))

    def bound(_: int, cells: Cells) -> Cells:
        """Some carriers fly far and the others near; distances and carriers are those there always were."""
        distance, carrier = cells
        assert isinstance(distance, float)
        off = abs(distance - 1000.0)
        return (1000.0 + off if far[str(carrier)] else 1000.0 - off, carrier)

    def shuffled(place: int, cells: Cells) -> Cells:
        """The same distances, at whatever carrier."""
        distance, carrier = cells
        assert isinstance(distance, float)
        off = abs(distance - 1000.0)
        return (1000.0 + off if (place * 7) % 5 < 2 else 1000.0 - off, carrier)

    for day in range(9):
        serve_day(store, day, version, change=shuffled if day < 7 else bound)
    checked = check_due(store)
    states = [one.outcome.status for one in checked]
    assert set(states[5:7]) <= {"ok", "uncalibrated"}
    assert states[7:] == ["watch", "alarm"]
    found = finding(checked[-1].outcome, TOGETHER)
    assert found.low is not None
    assert found.low > 0.55
    assert found.words.startswith("a classifier tells the current rows from the reference (area 0.")
    alone = [one for one in checked[-1].outcome.findings if one.subject != TOGETHER and one.segment == "all rows"]
    assert not any(one.raised for one in alone)


@pytest.mark.parametrize("said", [{"kind": "skew", "slow": True}, {"kind": "prediction_drift", "together": True}])
def test_options_of_drift_are_refused_elsewhere(store: SqlStore, said: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="of the kind"):
        declare_monitors(store, "delays", ENDPOINT, {"one": Definition(**said)})  # type: ignore[arg-type]
