"""A search on a Ray cluster of two nodes, of which one dies in the middle: the same trials as in this process."""

import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.build.executors import tasks
from tests.build.searching.objectives import bowl, slow_bowl

import assay
from assay.build import Float, Searched
from assay.record.sqlstore import SqlStore

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),  # Ray's own, where it starts a node
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

OPTIONS: dict[str, Any] = {"sampler": "tpe", "pruner": "asha", "seed": 2, "n_trials": 20, "in_flight": 4}
SPACE = {"x": Float(-5, 5)}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    head = {
        "num_cpus": 1,
        "include_dashboard": False,
        "_system_config": {  # that a node is gone is noticed within two seconds instead of half a minute
            "health_check_initial_delay_ms": 500,
            "health_check_period_ms": 500,
            "health_check_timeout_ms": 500,
            "health_check_failure_threshold": 3,
        },
    }
    started = Cluster(initialize_head=True, head_node_args=head)
    yield started
    started.shutdown()  # type: ignore[no-untyped-call] # Ray has no types here


def told(found: Searched) -> list[tuple[int, dict[str, Any], str, dict[str, float]]]:
    return sorted((t.number, t.params, t.state, t.values) for t in found.trials)


def test_a_search_survives_a_node_that_dies(cluster: Any, store: SqlStore, tmp_path: Path) -> None:
    second = cluster.add_node(num_cpus=1)

    def kill() -> None:
        tasks.until((tmp_path / second.node_id).exists, "a trial on the second node", 120)
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    objective = functools.partial(slow_bowl, folder=str(tmp_path))
    found = assay.search(objective, SPACE, store=store, executor=cluster.address, workers=4, **OPTIONS)
    killer.join()
    killed = store.query("run", {"parent_run_id": found.run_id, "status": "killed"})
    assert killed
    assert all("node" in run["reason"] or "worker" in run["reason"] for run in killed)
    assert told(found) == told(assay.search(bowl, SPACE, store=store, **OPTIONS))
