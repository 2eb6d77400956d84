import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.build.executors import tasks

from assay.build.executors import losses
from assay.build.executors.executor import Outcome, Task
from assay.build.executors.processes import ProcessExecutor
from assay.errors import InvalidInput, MissingExtra

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def one() -> Iterator[ProcessExecutor]:
    with ProcessExecutor(workers=1) as executor:
        yield executor


def outcome(executor: ProcessExecutor, task: Task) -> Outcome:
    number = executor.submit(task)
    return executor.wait([number])[number]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_serves_many_tasks_and_is_replaced_when_it_dies(one: ProcessExecutor) -> None:
    pids = [outcome(one, Task("pid", tasks.pid)).value for _ in range(3)]
    assert pids == [pids[0]] * 3
    assert pids[0] != os.getpid()
    assert outcome(one, Task("doomed", tasks.kill_itself)).worker == f"process {pids[0]}"
    assert outcome(one, Task("pid", tasks.pid)).value not in (pids[0], os.getpid())


def test_a_worker_that_dies_while_it_has_no_task_costs_none(one: ProcessExecutor) -> None:
    pid = outcome(one, Task("pid", tasks.pid)).value
    os.kill(pid, signal.SIGKILL)
    tasks.until(lambda: not is_alive(pid), "dead")
    assert outcome(one, Task("pid", tasks.pid)).value != pid


def test_cancelling_ends_what_the_task_has_started(one: ProcessExecutor, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    number = one.submit(Task("starts", tasks.start_and_nap, (pids,)))
    tasks.until(lambda: pids.exists() and len(pids.read_text().split()) == 2, "started")
    assert one.cancel(number)
    for pid in map(int, pids.read_text().split()):
        tasks.until(lambda pid=pid: not is_alive(pid), f"dead: {pid}")  # type: ignore[misc] # bound now


def test_a_task_cancelled_at_the_moment_it_begins_does_not_take_the_next_one_with_it(one: ProcessExecutor) -> None:
    for _ in range(30):
        first, second = one.submit(Task("nap", tasks.nap, (0.002,))), one.submit(Task("add", tasks.add, (1,)))
        time.sleep(0.002)
        was_cancelled = one.cancel(first)
        ended = one.wait([second])[second]
        assert ended.value == 1
        assert not ended.lost
        if not was_cancelled:
            assert one.wait([first])[first].error is None


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"""
from pathlib import Path
from assay.build.executors.processes import ProcessExecutor
from assay.build.executors.executor import Task
from tests.build.executors import tasks
executor = ProcessExecutor(workers=2)
executor.wait([executor.submit(Task("idle", tasks.add, (1,)))])
executor.wait([executor.submit(Task("starts", tasks.start_and_nap, (Path({str(pids)!r}),)))])
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    tasks.until(lambda: pids.exists() and len(pids.read_text().split()) == 2, "started")
    workers = [int(pid) for pid in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()]
    parent.kill()
    parent.wait()
    for pid in {*workers, *map(int, pids.read_text().split())}:
        tasks.until(lambda pid=pid: not is_alive(pid), f"dead: {pid}", 5)  # type: ignore[misc] # bound now


def test_a_function_of_the_program_itself_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "from assay.build.executors.opening import open_executor\n"
        "from assay.build.executors.executor import Task\n"
        "class Mine: pass\n"
        "def work(value): return value\n"
        "with open_executor('processes', workers=1) as executor:\n"
        "    for task in (Task('train', work, (1,)), Task('score', max, (Mine(),))):\n"
        "        try:\n"
        "            executor.submit(task)\n"
        "        except ValueError as error:\n"
        "            print(error)\n"
    )
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "task 'train': work stands in the program itself, where a worker cannot import it" in done.stdout
    assert "task 'score': Mine stands in the program itself, where a worker cannot import it" in done.stdout
    assert "try: move it into a file of its own" in done.stdout


def test_workers_share_the_processors_and_waiting_threads_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with ProcessExecutor(workers=2) as executor:
        assert outcome(executor, Task("asks", tasks.environment, ("OMP_WAIT_POLICY",))).value == "PASSIVE"
        threads = outcome(executor, Task("asks", tasks.environment, ("OMP_NUM_THREADS",))).value
        assert threads == str(max((os.cpu_count() or 1) // 2, 1))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with ProcessExecutor(workers=2) as executor:
        assert outcome(executor, Task("asks", tasks.environment, ("OMP_NUM_THREADS",))).value == "7"


def test_a_task_that_closes_the_way_back_is_lost_and_not_waited_for(one: ProcessExecutor) -> None:
    ended = outcome(one, Task("closes", tasks.close_everything))
    assert ended.lost
    assert "'closes' lost its worker" in str(ended.error)
    assert outcome(one, Task("add", tasks.add, (1,))).value == 1


def test_a_task_that_closes_its_output_goes_on_and_the_next_one_has_it_again(one: ProcessExecutor) -> None:
    for function, given in ((os.close, (1,)), (os.close, (2,)), (tasks.close_streams, ())):
        pid = outcome(one, Task("pid", tasks.pid)).value
        assert outcome(one, Task("closes", function, given)).error is None
        ended = outcome(one, Task("talks", tasks.talk, ("hello",)))
        assert (ended.error, ended.log, ended.worker) == (None, "hello\nand to stderr\n", f"process {pid}")


def test_the_kernels_lack_of_memory_is_told_with_what_to_do(
    one: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> str:
        outcome(one, Task("fresh", tasks.pid))
        return str(outcome(one, Task("large", tasks.kill_itself)).error)

    outcome(one, Task("doomed", tasks.kill_itself))  # so that the next worker begins with these counts
    assert losses.out_of_memory_kills() is not None, "Linux counts them"
    assert "where nobody did so, it was the kernel" in told()
    counts = iter(range(100))
    monkeypatch.setattr("assay.build.executors.worker.out_of_memory_kills", lambda: next(counts))
    assert "task 'large' lost its worker: the process was killed by signal 9 (SIGKILL) while the kernel was" in told()
    assert "try: give it less at once, use fewer workers" in told()


def test_errors_of_assay_come_back_as_they_were(one: ProcessExecutor) -> None:
    ended = outcome(one, Task("refuses", tasks.refuse))
    assert isinstance(ended.error, InvalidInput)
    assert str(ended.error) == "no column 'agee'\n  expected: age, sex\n  try: age"
    ended = outcome(one, Task("misses", tasks.miss))
    assert isinstance(ended.error, MissingExtra)
    assert str(ended.error) == str(MissingExtra("ray", "ray"))


def test_no_descriptor_is_left_open() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for _ in range(3):
        with ProcessExecutor(workers=2) as executor:
            outcome(executor, Task("doomed", tasks.kill_itself))
            outcome(executor, Task("add", tasks.add, (1,)))
    assert count() == before
