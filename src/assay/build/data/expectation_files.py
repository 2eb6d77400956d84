"""Expectations as a TOML file that people edit: one line each, columns and their types below.

expect = [
    { check = "range", column = "distance", low = 0, high = 6000, severity = "warn" },
]

[columns]
distance = "number"
"""

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Union

import msgspec

from assay.build.data.expectations import KINDS, Columns, Expectation, Expectations, Severity, as_data
from assay.errors import InvalidInput, nearest
from assay.record.files import write_whole
from assay.record.toml_text import read_text

__all__ = ["load_expectations", "parse_expectations", "save_expectations", "to_toml"]

_TABLE_KEYS = ("expect", "columns", "other_columns", "columns_severity")
_KIND_OF = {str(kind.__struct_config__.tag): kind for kind in KINDS}
_Any = Union[KINDS]  # type: ignore[valid-type] # noqa: UP007 - made of the registry


class _File(msgspec.Struct, forbid_unknown_fields=True):
    expect: list[_Any] = []
    columns: dict[str, str] | None = None
    other_columns: bool = False
    columns_severity: Severity = "stop"


def to_toml(expectations: Expectations) -> str:
    """The text of the file. InvalidInput for a function of the team's own, which cannot be written down."""
    columns = [one for one in expectations if isinstance(one, Columns)]
    if len(columns) > 1:
        raise InvalidInput("two expectations say which columns there are", expected="one `columns_are`")
    lines = [f"# {line}" for line in expectations.about.splitlines()] + ["expect = ["]
    lines += [f"    {_inline(as_data(one))}," for one in expectations if not isinstance(one, Columns)] + ["]"]
    for one in columns:
        lines += ["other_columns = true"] if one.others else []
        lines += [f'columns_severity = "{one.severity}"'] if one.severity != "stop" else []
        lines += ["", "[columns]", *(f"{_key(name)} = {_value(word)}" for name, word in one.types.items())]
    return "\n".join(lines) + "\n"


def save_expectations(expectations: Expectations, path: str | Path) -> Path:
    """Write the file, whole or not at all."""
    file = Path(path)
    write_whole(file, to_toml(expectations).encode(), mode=0o644)
    return file


def load_expectations(path: str | Path) -> Expectations:
    """Read the file. InvalidInput with file, line, key and the nearest right spelling for what is wrong in it."""
    return parse_expectations(read_text(path, "file of expectations"), str(path))


def parse_expectations(text: str, where: str) -> Expectations:
    """The expectations in the text of a TOML file; `where` names it in messages."""
    try:
        content = _plain(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"the expectations are not valid TOML: {error}", where=where) from error
    try:
        file = msgspec.convert(content, _File)
    except msgspec.ValidationError as error:
        raise _wrong(error, content, text, where) from error
    first: list[Expectation] = []
    if file.columns is not None:
        try:
            first = [Columns(types=file.columns, others=file.other_columns, severity=file.columns_severity)]
        except InvalidInput as error:
            line = _line_with(text, error.what.split("'")[1], _line_with(text, "columns", 1))
            raise error.at(f"{where}:{line}") from error
    about = "\n".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    return Expectations((*first, *file.expect), about)


def _wrong(error: msgspec.ValidationError, content: Mapping[str, Any], text: str, where: str) -> InvalidInput:
    """What msgspec says, with the line and the nearest right spelling."""
    said, _, place = str(error).partition(" - at `$")
    place = place.rstrip("`")
    position = re.match(r"\.expect\[(\d+)\]", place)
    line = _line_of(text, int(position[1])) if position else 1
    unknown = re.match(r"Object contains unknown field `(.*)`", said)
    key = (
        unknown[1] if unknown else place.rpartition(".")[2] if "." in place[position.end() if position else 0 :] else ""
    )
    if place.startswith(".columns["):  # msgspec does not say which
        key = next(name for name, word in content["columns"].items() if not isinstance(word, str))
    line = _line_with(text, key, line) if key else line
    at = f"{where}:{line}" + (f": {key}" if key else "")
    if isinstance(error.__cause__, InvalidInput):
        return error.__cause__.at(at)
    item = content["expect"][int(position[1])] if position else {}
    kind = item.get("check") if isinstance(item, dict) else None
    if unknown:
        known = [name for name in _fields(kind) if name != "check"] if position else list(_TABLE_KEYS)
        return InvalidInput(f"there is no key {key!r}" + (f" in {kind!r}" if kind else ""), where=at,
                            expected=", ".join(known), hint=_did_you_mean(key, known))  # fmt: skip
    if key == "check" and isinstance(kind, str):
        return InvalidInput(f"there is no check {kind!r}", where=at, expected=", ".join(_KIND_OF),
                            hint=_did_you_mean(kind, list(_KIND_OF)))  # fmt: skip
    return InvalidInput(f"the expectations are not valid: {said}", where=at)


def _fields(kind: str | None) -> list[str]:
    return list(_KIND_OF[kind].__struct_encode_fields__) if kind in _KIND_OF else []


def _did_you_mean(word: str, known: list[str]) -> str | None:
    close = nearest(word, known)
    return f"did you mean {close!r}?" if close else None


def _line_of(text: str, position: int) -> int:
    """The line on which the entry of that position begins: the first up to which the text holds so many entries."""
    lines = text.splitlines()
    for number in range(1, len(lines) + 1):
        part = "\n".join(lines[:number])
        for whole in (part, part + "\n]"):
            try:
                found = tomllib.loads(whole).get("expect", [])
            except tomllib.TOMLDecodeError:
                continue
            if isinstance(found, list) and len(found) > position:
                return number
    return 1


def _line_with(text: str, key: str, first: int) -> int:
    """The first line from `first` on that gives the key."""
    given = re.compile(rf"(^|[{{,\s\"']){re.escape(key)}[\"']?\s*=|^\[+{re.escape(key)}\]+")
    lines = text.splitlines()
    return next((at for at in range(first, len(lines) + 1) if given.search(lines[at - 1])), first)


def _plain(value: Any) -> Any:
    """TOML's own times as text: a range may be written with or without quotes."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime | date) else value


def _inline(values: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {_value(value)}" for key, value in values.items()) + " }"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    """JSON writes text, numbers and lists as TOML does, but for DEL, which TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
