"""Single values: text read as numbers, times and booleans, categories written in one way."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pyarrow as pa

from assay.build.data.cleaning_rules import Categories, Repair

__all__ = ["category", "each_value", "reader_of", "write_text", "written"]

_TRUE, _FALSE = {"true", "yes", "y", "t", "1", "on"}, {"false", "no", "n", "f", "0", "off"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")
_AROUND = re.compile(r"[\s$€£¥_']+")


def each_value(values: pa.ChunkedArray, function: Callable[[str], object], kind: pa.DataType) -> pa.ChunkedArray:
    """The function of each different value; null stays null."""
    encoded = values.dictionary_encode()
    chunks = []
    for chunk in encoded.chunks:
        made = pa.array([None if text is None else function(text) for text in chunk.dictionary.to_pylist()], kind)
        chunks.append(made.take(chunk.indices))
    return pa.chunked_array(chunks, kind)


def reader_of(rule: Repair) -> Callable[[str], object]:
    """What reads a text as the kind of the rule, and gives None for what it cannot read."""
    if rule.to == "number":
        return lambda text: read_number(text, rule.decimal)
    if rule.to == "time":
        return lambda text: read_time(text, rule.form)
    return read_boolean


def read_number(text: str, decimal: str = ".") -> float | None:
    """A number with signs of currency, marks between thousands, white space or a percent sign around it."""
    plain = _AROUND.sub("", text).lower()
    share = 0.01 if plain.endswith("%") else 1.0
    plain = plain.removesuffix("%")
    mark = "," if decimal == "." else "."
    if mark in plain:
        if not re.fullmatch(rf"[+-]?\d{{1,3}}({re.escape(mark)}\d{{3}})+({re.escape(decimal)}\d*)?", plain):
            return None  # marks stand between thousands, or it is written in another way than was said
        plain = plain.replace(mark, "")
    plain = plain.replace(decimal, ".")
    number = float(plain) * share if _NUMBER.fullmatch(plain) else math.inf
    return number if math.isfinite(number) else None


def read_time(text: str, form: str | None = None) -> datetime | None:
    """A moment, by ISO 8601 or the given format."""
    try:
        moment = datetime.strptime(text.strip(), form) if form else datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_boolean(text: str) -> bool | None:
    """Yes and no in the usual words."""
    plain = text.strip().casefold()
    return True if plain in _TRUE else False if plain in _FALSE else None


def category(
    rule: Categories, known: frozenset[str] | None = None, spellings: Mapping[str, str] | None = None
) -> Callable[[str], str | None]:
    """How the rule writes a value, None for what is empty then.

    `known` are the values that stay, None where all do; `spellings` how values are spelled, by their form without case.
    """
    meanings = {_key(rule, written(rule, word)): meaning for word, meaning in rule.map.items()}

    def write(text: str) -> str | None:
        word = written(rule, text)
        if spellings is not None:
            word = spellings.get(word.casefold(), word)
        word = meanings.get(_key(rule, word), word)
        if not word:
            return None
        return word if known is None or word in known else rule.other

    return write


def written(rule: Categories, text: str) -> str:
    """The text with its white space as the rule wants it."""
    return " ".join(text.split()) if rule.strip else text


def _key(rule: Categories, word: str) -> str:
    return word.casefold() if rule.casefold else word


def write_text(value: object) -> str:
    """A number as people write it: 12, not 12.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
