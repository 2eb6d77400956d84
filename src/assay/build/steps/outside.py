"""What a step reads outside: its state as tokens that count in the key, and how long a result of it is good."""

import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from assay.build.steps import values
from assay.errors import InvalidInput, nearest
from assay.record.lengths import FORM, UNITS, written_length

__all__ = ["Reads", "checked_fresh_for", "checked_reads", "in_words", "tokens"]

Reads = Mapping[str, Any]
_WHERE = "@assay.step"
_NAMES = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}


def checked_reads(given: object) -> Reads:
    """What is read, by name: that of a function, or the place in the list of a value, from 1.

    InvalidInput for functions without a name, with one that is there already, or which cannot be called without
    arguments, and for values that have no hash.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        named = list(given.items())
    elif isinstance(given, list | tuple):
        named = [(_name(one, place), one) for place, one in enumerate(given, 1)]
    else:
        raise InvalidInput(
            f"reads is {given!r}", where=_WHERE, expected="a list of functions that give a token, or of tokens"
        )
    found: dict[str, Any] = {}
    for name, one in named:
        if not isinstance(name, str) or not name or name in found:
            why = "is there twice" if isinstance(name, str) and name else "is no name"
            raise InvalidInput(
                f"reads: {name!r} {why}",
                where=_WHERE,
                expected="a name for each",
                hint='reads={"orders": newest_order}',
            )
        if callable(one):
            _check_call(name, one)
        else:
            values.value_hash(one, f"{_WHERE}: reads: {name}")
        found[name] = one
    return found


def _name(one: object, place: int) -> str:
    if not callable(one):
        return str(place)
    name = getattr(one, "__name__", "")
    if not name or name == "<lambda>":
        raise InvalidInput(
            f"reads: number {place} has no name", where=_WHERE, hint='give it one: reads={"orders": lambda: ...}'
        )
    return str(name)


def _check_call(name: str, function: Callable[..., object]) -> None:
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise InvalidInput(
            f"reads: {name} cannot be called: {error}", where=_WHERE, expected="a function without arguments"
        ) from None
    except ValueError:  # compiled, and does not say what it takes
        return


def tokens(reads: Reads, step: str) -> dict[str, str]:
    """The hashes of what is read, as it is now. InvalidInput, naming it, where that cannot be learned."""
    return {name: values.value_hash(_token(one, name, step), f"{step}: read {name}") for name, one in reads.items()}


def _token(one: Any, name: str, step: str) -> object:
    if not callable(one):
        return one
    try:
        return one()
    except Exception as error:
        raise InvalidInput(
            f"step {step}: the state of {name} cannot be learned: {type(error).__name__}: {error}",
            hint="see to what it reads; without it nobody knows whether a result still holds",
        ) from error


def checked_fresh_for(given: object) -> timedelta | None:
    """How long a result is good; a text such as "1d" in seconds, minutes, hours, days or weeks."""
    if given is None:
        return None
    found = given if isinstance(given, timedelta) else None
    hint = None
    if isinstance(given, str):
        found = written_length(given)
        hint = _meant(given) if found is None else None
    if found is None or found <= timedelta(0):
        raise InvalidInput(
            f"fresh_for is {given!r}",
            where=_WHERE,
            expected=f"more than nothing: {FORM}",
            hint=f'fresh_for="{hint}"' if hint else None,
        )
    return found


def _meant(given: str) -> str | None:
    """The text that is meant by `1 day`."""
    word = given.strip().lstrip("0123456789")
    amount = given.strip().removesuffix(word)
    close = nearest(word.strip(), [*_NAMES.values(), *UNITS]) if amount else None
    return f"{amount}{close[0]}" if close else None


def in_words(length: timedelta) -> str:
    """1 day, 12 hours: in the greatest unit that it is a whole number of."""
    seconds = length.total_seconds()
    unit = next((unit for unit in _NAMES if seconds % UNITS[unit] == 0 and seconds >= UNITS[unit]), None)
    if unit is None:
        return f"{seconds:g} seconds"
    count = int(seconds // UNITS[unit])
    return f"{count} {_NAMES[unit]}{'' if count == 1 else 's'}"
