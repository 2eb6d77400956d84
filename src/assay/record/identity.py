"""Who acts, and the ids of what is recorded."""

import functools
import getpass
import os
import platform
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Actor", "current_actor", "new_id", "ordered_id", "this_host"]


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or a service, as every record names it."""

    name: str
    kind: Literal["human", "service"] = "human"


def current_actor() -> Actor:
    """ASSAY_ACTOR (`name` or `service:name`) where set, else the user who is logged in."""
    named = os.environ.get("ASSAY_ACTOR", "").strip()
    if named.startswith("service:"):
        return Actor(named.removeprefix("service:"), "service")
    if named:
        return Actor(named)
    try:
        return Actor(getpass.getuser())
    except (OSError, KeyError):  # a container without an entry for its user
        return Actor(f"uid-{os.getuid()}")


def new_id() -> str:
    """32 random hexadecimal characters: a short prefix is enough to name a run on the command line."""
    return os.urandom(16).hex()


_RANDOM_BYTES, _AT_ONCE = 10, 256
_random: list[bytes] = []  # not used yet; taken one by one, from any thread
os.register_at_fork(after_in_child=_random.clear)  # no two processes use the same


def ordered_id() -> str:
    """A UUID version 7 (RFC 9562) as 32 hexadecimal characters: sorts by the millisecond it was made in."""
    try:
        random = _random.pop()
    except IndexError:
        block = os.urandom(_RANDOM_BYTES * _AT_ONCE)  # asking the kernel each time takes longer than all the rest
        _random.extend([block[start : start + _RANDOM_BYTES] for start in range(0, len(block), _RANDOM_BYTES)])
        random = os.urandom(_RANDOM_BYTES)
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(random)
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return f"{value:032x}"


@functools.cache
def this_host() -> str:
    """The name of this machine, and on Linux which of those of that name it is: `node/1a2b3c4d`.

    Two places have the same one only where the number of a process names the same process in both: containers may share
    a name, and have processes of their own.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        processes = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - of what the link stands for
    except OSError:
        return platform.node()
    return f"{platform.node()}/{zlib.crc32(f'{boot}{processes}'.encode()):08x}"
