"""The whole path on clean traffic: how often it alarms although nothing is wrong."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.operate.monitors.monitor_world import around, endpoint, serve_day
from tests.operate.serving_helpers import ENDPOINT

from assay.operate.monitors.checking import check_due
from assay.operate.monitors.definition import Definition
from assay.operate.monitors.records import DEFAULTS, declare_monitors
from assay.record import open_store


@pytest.mark.slow
@pytest.mark.no_cover
def test_clean_windows_seldom_surprise_and_hardly_ever_alarm(tmp_path: Path) -> None:
    """Days that wander by a tenth of a standard deviation, by segment: at most 5 % surprise, and 1 % alarm."""
    states: Counter[tuple[str, str]] = Counter()
    for world in range(3):
        store = open_store(tmp_path / str(world))
        version = endpoint(store)
        named = {str(kind): Definition(kind=kind, segments=["carrier"]) for kind in DEFAULTS}
        declare_monitors(store, "delays", ENDPOINT, named)
        chance = np.random.default_rng([7, world])
        for day in range(24):
            middle = 1000 + 20 * chance.normal()
            serve_day(store, day, version, seed=world, distance=around(middle), rows=int(chance.normal(250, 15)))
        states.update((one.monitor.name, one.outcome.status) for one in check_due(store))
        store.close()
    for name in DEFAULTS:
        looked = sum(states[name, state] for state in ("ok", "watch", "alarm"))
        assert looked >= 48
        assert states[name, "watch"] + states[name, "alarm"] <= 3 + 0.05 * looked, (
            name,
            states,
        )  # 3: of so few windows
        assert states[name, "alarm"] <= 0.01 * looked, (name, states)
