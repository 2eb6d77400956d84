import sys
import time
from collections.abc import Mapping

import pytest

from assay.record.live.system_metrics import SystemMetrics, sample


def test_a_sample_has_the_names_that_clients_know() -> None:
    found = sample()
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= set(found)
    assert all(isinstance(value, float) for value in found.values())
    assert 0 < found["system/system_memory_usage_percentage"] <= 100


def test_nothing_is_sampled_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert sample() == {}


def test_samples_come_until_it_is_stopped() -> None:
    came: list[tuple[Mapping[str, float], int]] = []
    sampler = SystemMetrics(lambda values, step: came.append((values, step)), every_s=0.02)
    until = time.monotonic() + 20
    while len(came) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    sampler.stop()
    assert [step for _, step in came[:3]] == [0, 1, 2]
    sampler._thread.join(10)
    count = len(came)
    time.sleep(0.1)
    assert len(came) == count
