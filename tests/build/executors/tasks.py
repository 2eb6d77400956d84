"""Functions that tests send to workers: at the top of a module, as those of a project are."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.errors import InvalidInput, MissingExtra


def add(a: int, b: int = 0) -> int:
    return a + b


def nap(seconds: float, value: object = None) -> object:
    time.sleep(seconds)
    return value


def touch(path: Path) -> None:
    path.touch()


def begin_and_nap(path: Path, seconds: float) -> None:
    path.touch()
    time.sleep(seconds)


def fail(text: str) -> None:
    raise ValueError(text)


class Particular(Exception):  # a name like those of projects
    """Made from two things, of which pickle keeps one."""

    def __init__(self, column: str, row: int) -> None:
        super().__init__(f"{column} in row {row}")


class Locked(Exception):
    """Holds what pickle cannot write."""

    def __init__(self) -> None:
        super().__init__("locked", threading.Lock())


def fail_particularly() -> None:
    raise Particular("age", 3)


def fail_locked() -> None:
    raise Locked


def refuse() -> None:
    raise InvalidInput("no column 'agee'", expected="age, sex", hint="age")


def miss() -> None:
    raise MissingExtra("ray", "ray")


def leave() -> None:
    sys.exit(3)


def talk(text: str) -> None:
    print(text)
    print("and to stderr", file=sys.stderr)


def talk_below_python() -> None:
    """Write as compiled code and as child processes do."""
    ctypes.CDLL(None).puts(b"from compiled code")
    os.write(1, b"from the descriptor\n")
    subprocess.run(["echo", "from a child process"], check=True)


def talk_much(mebibytes: int) -> int:
    print("the beginning")
    for _ in range(mebibytes):
        print("x" * (2**20 - 1))
    print("the end")
    return mebibytes


def unsendable() -> object:
    return threading.Lock()


class Unreadable:
    """Can be written by pickle, and not be read."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    raise ValueError("not here")


def unreadable() -> object:
    return Unreadable()


def pid() -> int:
    return os.getpid()


def environment(name: str) -> str | None:
    return os.environ.get(name)


def allocate(mebibytes: int) -> int:
    return len(bytearray(b"x") * (mebibytes * 2**20))


def compute(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def same(value: Any) -> Any:
    return value


def kill_itself(number: int = signal.SIGKILL) -> None:
    print("before the end", flush=True)
    os.kill(os.getpid(), number)
    time.sleep(60)


def exit_at_once(code: int) -> None:
    os._exit(code)


def crash() -> None:
    ctypes.string_at(0)


def close_everything() -> None:
    os.closerange(3, 1000)
    time.sleep(60)


def close_streams() -> None:
    sys.stdout.close()
    sys.stderr.close()
    os.close(1)
    time.sleep(0.1)


def die_once(flag: Path, value: Any) -> Any:
    """Kill the worker at the first call, and give `value` at the next."""
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
    return value


def start_and_nap(pids: Path) -> None:
    """Start a process, say which, and go on for long."""
    started = subprocess.Popen(["sleep", "300"])
    pids.write_text(f"{os.getpid()} {started.pid}")
    time.sleep(300)


def until(holds: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Wait in a test until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"never {what}"
        time.sleep(0.01)
