"""Front matter is read by YAML parsers as what was meant, whatever stands in it."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.steer.cards.front_matter import as_yaml

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    TEXTS | st.integers(-(2**60), 2**60) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False, width=32),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(TEXTS, inner, min_size=1, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    text = as_yaml(value)
    assert "\n---" not in f"\n{text}", "nothing ends the block"
    read = yaml.safe_load(text)
    assert read == value or _close(read, value)


def _close(read: object, value: object) -> bool:
    """The same, where numbers such as 1e+16 are text to YAML 1.1."""
    if isinstance(value, dict):
        return isinstance(read, dict) and all(_close(read[key], one) for key, one in value.items())
    if isinstance(value, list):
        return isinstance(read, list) and all(_close(*pair) for pair in zip(read, value, strict=True))
    if isinstance(value, float):
        return float(str(read)) == value
    return read == value


@pytest.mark.parametrize(
    "word", ["yes", "No", "null", "on", "1.0", "1e5", "2026-11-30", "0x1f", "- a", "a: b", "~", ""]
)
def test_text_that_looks_like_something_else_stays_text(word: str) -> None:
    assert yaml.safe_load(as_yaml({"word": word, "list": [word]})) == {"word": word, "list": [word]}


def test_plain_words_are_not_quoted_and_what_is_none_is_left_out() -> None:
    assert as_yaml({"license": "apache-2.0", "base_model": None, "tags": ["assay"]}) == (
        "license: apache-2.0\ntags:\n- assay\n"
    )
