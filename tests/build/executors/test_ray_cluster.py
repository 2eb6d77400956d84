"""What only a Ray cluster has: nodes that go, versions that differ, and noise of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.build.executors import tasks

from assay.build.executors import ray_cluster
from assay.build.executors.executor import Outcome, Task
from assay.build.executors.mapping import map_tasks
from assay.build.executors.opening import open_executor
from assay.build.executors.ray_cluster import RayExecutor
from assay.errors import InvalidInput, WorkerLost

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),  # Ray's own, where it starts a node
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def client_port() -> int:
    """A free one below those that the system gives out, of which Ray takes many before it opens this one."""
    for port in range(24700, 24800):
        with contextlib.suppress(OSError), socket.create_server(("0.0.0.0", port)):
            return port
    raise AssertionError("no port is free")


@pytest.fixture(scope="module")
def cluster(client_port: int) -> Iterator[Any]:
    """Two nodes with one processor each, on this machine."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {
            "num_cpus": 1,
            "include_dashboard": False,
            "ray_client_server_port": client_port,
            # That a node is gone is noticed within two seconds instead of half a minute.
            "_system_config": {
                "health_check_initial_delay_ms": 500,
                "health_check_period_ms": 500,
                "health_check_timeout_ms": 500,
                "health_check_failure_threshold": 3,
            },
        }
        started = Cluster(initialize_head=True, head_node_args=head)
    started.add_node(num_cpus=1, resources={"second": 4})
    yield started
    started.shutdown()  # type: ignore[no-untyped-call] # Ray has no types here


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user's project, where the program is started."""
    folder = tmp_path / "project"
    (folder / ".assay").mkdir(parents=True)
    (folder / ".assay/assay.db").write_text("the store stays here")
    (folder / "work.py").write_text(
        "import os, pathlib, time\n"
        "def where(): return pathlib.Path(__file__).exists(), os.path.exists('.assay')\n"
        "def nap(flag, value, seconds):\n"
        "    pathlib.Path(flag).touch()\n"
        "    time.sleep(seconds)\n"
        "    return value\n"
    )
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "work", raising=False)
    return folder


def outcome(executor: RayExecutor, task: Task) -> Outcome:
    number = executor.submit(task)
    return executor.wait([number])[number]


def test_what_ran_on_a_node_that_dies_is_lost_and_given_again(cluster: Any, project: Path, tmp_path: Path) -> None:
    import work  # type: ignore[import-not-found] # just written

    third = cluster.add_node(num_cpus=1, resources={"third": 1})
    with open_executor(cluster.address) as executor:
        assert executor.info().workers == 3
        flags = [tmp_path / f"begun {n}" for n in range(12)]
        naps = [Task(f"nap {n}", work.nap, (str(flag), n, 0.5)) for n, flag in enumerate(flags)]
        there = Task("on the third", work.nap, (str(tmp_path / "there"), 0, 60), resources={"third": 1})
        number = executor.submit(there)
        tasks.until((tmp_path / "there").exists, "begun on the third node", 60)
        ended: dict[int, Outcome] = {}
        for done, result in map_tasks(executor, naps):
            if not ended:
                cluster.remove_node(third, allow_graceful=False)
            ended[done] = result
        assert [ended[n].value for n in range(12)] == list(range(12))
        lost = executor.wait([number])[number]
        assert lost.lost
        assert isinstance(lost.error, WorkerLost)
        assert "task 'on the third' lost its worker: its node is gone" in str(lost.error)


def test_the_project_travels_to_a_running_cluster_and_its_store_does_not(cluster: Any, project: Path) -> None:
    import work

    with open_executor("auto") as executor:
        assert outcome(executor, Task("where", work.where)).value == (True, False)  # type: ignore[arg-type] # this one


def test_a_client_far_away_reaches_it_through_one_port(cluster: Any, project: Path, client_port: int) -> None:
    (project / "program.py").write_text(
        "import work\n"
        "from assay.build.executors.executor import Task\n"
        "from assay.build.executors.mapping import map_tasks\n"
        "from assay.build.executors.opening import open_executor\n"
        f"with open_executor('ray://127.0.0.1:{client_port}') as executor:\n"
        "    for _, outcome in map_tasks(executor, [Task('where', work.where)] * 3):\n"
        "        assert outcome.value == (True, False), outcome\n"
    )
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")


def test_other_versions_on_the_worker_are_an_error(
    cluster: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "versions", lambda: {"Python": "3.99", "assay-mlops": "0.1.0"})
    with open_executor(cluster.address) as executor:
        ended = outcome(executor, Task("add", abs, (-1,)))  # type: ignore[arg-type] # this one
    assert isinstance(ended.error, InvalidInput)
    here = f"Python {sys.version_info.major}.{sys.version_info.minor} there, 3.99 here"
    assert f"task 'add': the worker is not like this process: {here}" in str(ended.error)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "localhost:ten"])
def test_an_address_where_no_cluster_is_is_refused_at_once(address: str) -> None:
    with pytest.raises(InvalidInput, match=address):
        open_executor(address)


def test_a_local_cluster_is_quiet_refuses_what_it_can_never_run_and_dies_with_its_parent(
    cluster: Any, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(
        "import os, time\n"
        "from assay.build.executors.executor import Task\n"
        "from assay.build.executors.opening import open_executor\n"
        "executor = open_executor('ray', workers=1)\n"
        "assert executor.info().workers == 1\n"  # not those of the cluster that runs beside it
        "for task in (Task('exits', os._exit, (3,)), Task('sleeps', time.sleep, (0.1,))):\n"
        "    number = executor.submit(task)\n"
        "    assert executor.wait([number])[number].lost == (task.name == 'exits')\n"
        "try:\n"
        "    executor.submit(Task('large', time.sleep, (0,), resources={'num_gpus': 64}))\n"
        "except ValueError as error:\n"
        "    open('refused', 'w').write(str(error))\n"
        "number = executor.submit(Task('pid', os.getpid))\n"
        "open('pid', 'w').write(str(executor.wait([number])[number].value))\n"
        "executor.wait([executor.submit(Task('sleeps', time.sleep, (300,)))])\n"
    )
    program = subprocess.Popen(
        [sys.executable, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    tasks.until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "running", 60)
    time.sleep(0.5)
    os.kill(program.pid, signal.SIGKILL)
    said, _ = program.communicate(timeout=30)
    assert said == ""
    assert (tmp_path / "refused").read_text().startswith("task 'large' asks for num_gpus = 64, and this machine has 0")
    worker = Path("/proc") / (tmp_path / "pid").read_text()
    tasks.until(lambda: not worker.exists() or "State:\tZ" in (worker / "status").read_text(), "dead", 30)
