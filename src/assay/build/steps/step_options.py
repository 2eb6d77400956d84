"""What can be said about a step beside its function, checked when it is said."""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import get_args

from assay.build.steps.closure import Grain
from assay.build.steps.outside import Reads, checked_fresh_for, checked_reads
from assay.errors import InvalidInput, nearest

__all__ = ["Options", "checked_options"]

_RESOURCES = ["num_cpus", "num_gpus", "memory"]
_LONGEST_WAIT = 60.0  # seconds between two attempts
_RANDOM = random.Random()  # noqa: S311 - spreads attempts over time; never touches the generator that steps seed


@dataclass(frozen=True, slots=True)
class Options:
    """`timeout` and `backoff` in seconds; the wait doubles with every attempt. `resources` as `Task` has them.

    `reads` is what is read outside, by name: tokens, or functions that give them.
    """

    retries: int
    retry_on: tuple[type[Exception], ...]
    backoff: float
    timeout: float | None
    cache: bool
    version: str | int | None
    code: Grain
    resources: Mapping[str, float] = field(default_factory=dict)
    reads: Reads = field(default_factory=dict)
    fresh_for: timedelta | None = None

    def wait(self, attempt: int) -> float:
        """Seconds to wait after attempt 1, 2, ...: half to one and a half times `backoff` doubled each time."""
        return min(self.backoff * 2.0 ** min(attempt - 1, 60), _LONGEST_WAIT) * _RANDOM.uniform(0.5, 1.5)


def checked_options(
    *,
    retries: int,
    retry_on: Iterable[type[Exception]],
    backoff: float,
    timeout: float | None,
    cache: bool,
    version: str | int | None,
    code: object,
    resources: Mapping[str, float] | None = None,
    reads: object = None,
    fresh_for: object = None,
) -> Options:
    """The options; InvalidInput names the first that is wrong."""
    if type(retries) is not int or retries < 0:
        raise _wrong("retries", retries, "a whole number, 0 or more")
    if not _is_number(backoff) or backoff < 0:
        raise _wrong("backoff", backoff, "seconds, 0 or more")
    if timeout is not None and (not _is_number(timeout) or timeout <= 0):
        raise _wrong("timeout", timeout, "seconds, more than 0, or None")
    if type(cache) is not bool:
        raise _wrong("cache", cache, "True or False")
    if version is not None and type(version) not in (str, int):
        raise _wrong("version", version, "a text or a whole number")
    kinds = tuple(retry_on) if isinstance(retry_on, tuple | list | set | frozenset) else (retry_on,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise _wrong("retry_on", kind, "classes of exceptions, such as (OSError, TimeoutError)")
    grain: Grain | None = next((known for known in get_args(Grain) if known == code), None)
    if grain is None:
        close = nearest(code, [*get_args(Grain)]) if isinstance(code, str) else None
        raise _wrong("code", code, '"function", "module" or "package"', f'code="{close}"' if close else None)
    fresh = checked_fresh_for(fresh_for)
    if fresh is not None and not cache:
        raise _wrong("fresh_for", fresh_for, "no fresh_for with cache=False: then nothing is remembered")
    return Options(
        retries,
        kinds,
        backoff,
        timeout,
        cache,
        version,
        grain,
        resources=_resources(resources),
        reads=checked_reads(reads),
        fresh_for=fresh,
    )


def _resources(given: object) -> dict[str, float]:
    """By name. A name like one that every cluster knows is a mistake; any other is a word of the cluster's own."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise _wrong("resources", given, 'amounts by name, such as {"num_cpus": 2}')
    for name, amount in given.items():
        close = nearest(name, _RESOURCES) if isinstance(name, str) else None
        if not isinstance(name, str) or not name or (close is not None and close != name):
            expected = f"one of {', '.join(_RESOURCES)}, or a word of the cluster's own"
            raise InvalidInput(
                f"resources has {name!r}", where="@assay.step", expected=expected, hint=f'"{close}"' if close else None
            )
        if not _is_number(amount) or amount <= 0:
            raise _wrong(f"resources: {name}", amount, "a number, more than 0")
        if name == "memory" and amount != int(amount):
            raise _wrong("resources: memory", amount, "whole bytes")
    return {**given}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(name: str, value: object, expected: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(f"{name} is {value!r}", where="@assay.step", expected=expected, hint=hint)
