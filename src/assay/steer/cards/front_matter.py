"""Metadata as YAML that every reader of YAML 1.1 and 1.2 takes for the same: blocks with plain words or quoted text."""

import json
import re
from typing import Any

__all__ = ["as_yaml"]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.-]+)*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "none", "nan", "inf"}  # that mean something else
# What JSON leaves as it is and YAML takes for a line end, or does not allow.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def as_yaml(value: dict[str, Any]) -> str:
    """The lines of a mapping of text, numbers, lists and mappings; what is None is left out."""
    return "".join(_mapping(value, ""))


def _mapping(value: dict[str, Any], indent: str) -> list[str]:
    lines = []
    for key, item in value.items():
        if item is None:
            continue
        name = _scalar(key)
        if isinstance(item, dict | list) and item:
            inner = _mapping(item, f"{indent}  ") if isinstance(item, dict) else _sequence(item, indent)
            lines += [f"{indent}{name}:\n", *inner]
        else:
            lines.append(f"{indent}{name}: {_scalar(item)}\n")
    return lines


def _sequence(items: list[Any], indent: str) -> list[str]:
    lines = []
    for item in items:
        if isinstance(item, dict) and item:
            first, *rest = _mapping(item, f"{indent}  ")
            lines += [f"{indent}- {first.removeprefix(f'{indent}  ')}", *rest]
        elif isinstance(item, list) and item:
            lines += [f"{indent}-\n", *_sequence(item, f"{indent}  ")]
        else:
            lines.append(f"{indent}- {_scalar(item)}\n")
    return lines


def _scalar(value: object) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    return json.dumps(value)
