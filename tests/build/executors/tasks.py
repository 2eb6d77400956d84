"""Functions that tests send to workers: at the top of a module, as those of a project are."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def add(a: int, b: int = 0) -> int:
    return a + b


def nap(seconds: float, value: object = None) -> object:
    time.sleep(seconds)
    return value


def fail(text: str) -> None:
    raise ValueError(text)


def talk(text: str) -> None:
    print(text)
    print("and to stderr", file=sys.stderr)


def pid() -> int:
    return os.getpid()


def kill_itself(number: int = signal.SIGKILL) -> None:
    print("before the end", flush=True)
    os.kill(os.getpid(), number)
    time.sleep(60)


def die_once(flag: Path, value: Any) -> Any:
    """Kill the worker at the first call, and give `value` at the next."""
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return value
