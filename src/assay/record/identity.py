"""Who acts, and the ids of what is recorded."""

import getpass
import os
import time
from dataclasses import dataclass
from typing import Literal

__all__ = ["Actor", "current_actor", "new_id", "ordered_id"]


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


def ordered_id() -> str:
    """A UUID version 7 (RFC 9562) as 32 hexadecimal characters: sorts by the millisecond it was made in."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return f"{value:032x}"
