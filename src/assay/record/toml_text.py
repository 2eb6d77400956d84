"""TOML files that people write: what is wrong is said with file, line, key, what was expected, the nearest spelling."""

import re
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from assay.errors import InvalidInput, nearest

__all__ = ["line_of", "parse_toml", "place", "read_text"]

T = TypeVar("T")

_AT = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_CHOICE = re.compile(r"Invalid enum value '?(.*?)'?$")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def read_text(path: str | Path, what: str) -> str:
    """The text of a file; InvalidInput, calling it `what`, where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"the {what} cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the {what} is not UTF-8 text: {error.reason}", where=str(path)) from error


def parse_toml(text: str, where: str, kind: type[T], what: str) -> T:
    """A typed structure out of the text of a TOML file. InvalidInput names the line of what is wrong in it."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"the {what} is not valid TOML: {error}", where=where) from error
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise _explained(str(error), content, text, where, kind, what) from error


def line_of(text: str, keys: typing.Sequence[str | int]) -> int | None:
    """The line, from 1, where a key of TOML stands: a number in `keys` counts tables of an array, from 0.

    Of a key that is not there, the line of the table it would be in; None where there is no such table either.
    """
    best: tuple[int, int | None] = (0, None)
    prefix: list[str | int] = []
    seen: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            names: list[str | int] = []
            parts = _PART.findall(header[2])
            for position, part in enumerate(parts):
                names.append(part.strip("\"'"))
                last = position == len(parts) - 1
                if last and header[1] == "[[":
                    seen[tuple(names)] = seen.get(tuple(names), -1) + 1
                if tuple(names) in seen:
                    names.append(seen[tuple(names)])
            prefix = names
            found: list[str | int] = prefix
        else:
            key = _KEY.match(line)
            if not key:
                continue
            found = [*prefix, *[part.strip("\"'") for part in _PART.findall(key[1])]]
        shared = 0
        for ours, theirs in zip(found, keys, strict=False):
            if ours != theirs:
                break
            shared += 1
        if shared == len(found) and shared > best[0]:
            best = (shared, number)
    return best[1]


def place(text: str, where: str, keys: typing.Sequence[str | int]) -> str:
    """File, line and key, as messages say it."""
    line = line_of(text, keys)
    said = "".join(f"[{key + 1}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
    return f"{where}{f', line {line}' if line else ''}{f': {said}' if said else ''}"


def _explained(message: str, content: Any, text: str, where: str, kind: object, what: str) -> InvalidInput:
    at = _AT.search(message)
    told = message[: at.start()] if at else message
    keys: list[str | int] = []
    for number, name in re.findall(r"\[(\d*|\.\.\.)\]|\.([^.\[]+)", at[1]) if at else ():
        keys.append(name or (int(number) if number.isdecimal() else _first_wrong(content, kind, keys)))
    unknown, missing = _UNKNOWN.match(told), _MISSING.match(told)
    if unknown:
        known = _fields_at(kind, keys)
        close = nearest(unknown[1], known)
        return InvalidInput(
            f"the {what} has an unknown key {unknown[1]!r}",
            where=place(text, where, [*keys, unknown[1]]),
            expected=", ".join(known),
            hint=f"did you mean {close!r}?" if close else None,
        )
    if missing:
        return InvalidInput(
            f"the {what} lacks {missing[1]!r}", where=place(text, where, keys), expected=f"{missing[1]} = ..."
        )
    choice = _CHOICE.match(told)
    inside = _kind_at(kind, keys) if choice else None
    if choice and typing.get_origin(inside) is typing.Literal:
        names = [str(one) for one in typing.get_args(inside)]
        close = nearest(choice[1], names)
        return InvalidInput(
            f"the {what} has an unknown value {choice[1]!r}",
            where=place(text, where, keys),
            expected=", ".join(names),
            hint=f"did you mean {close!r}?" if close else None,
        )
    return InvalidInput(f"the {what} is not valid: {told[:1].lower()}{told[1:]}", where=place(text, where, keys))


def _first_wrong(content: Any, kind: object, keys: typing.Sequence[str | int]) -> str:
    """Which of the named tables at a path is meant: messages do not say."""
    inside = _kind_at(kind, [*keys, "any name"])
    for key in keys:
        content = content[key]
    for name, value in content.items():
        try:
            msgspec.convert(value, inside)
        except msgspec.ValidationError:
            return str(name)
    raise AssertionError("one of them was refused")


def _kind_at(kind: Any, keys: typing.Sequence[str | int]) -> Any:
    """The type of what stands at a path."""
    for key in keys:
        kind = _bare(kind)
        if isinstance(key, int) or typing.get_origin(kind) is dict:
            kind = typing.get_args(kind)[-1]
        else:
            names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
            kind = typing.get_type_hints(kind)[names[key]]
    return _bare(kind)


def _fields_at(kind: Any, keys: typing.Sequence[str | int]) -> list[str]:
    """The keys that the structure at a path takes."""
    return list(getattr(_kind_at(kind, keys), "__struct_encode_fields__", ()))


def _bare(kind: Any) -> Any:
    """The type itself, of one that may also be None."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        others = tuple(one for one in typing.get_args(kind) if one is not type(None))
        return others[0] if len(others) == 1 else typing.Union[others]  # noqa: UP007 - made of a tuple
    return kind
