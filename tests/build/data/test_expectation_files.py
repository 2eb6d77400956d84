"""Expectations in files: what was written is read, and mistakes are told with line and nearest spelling."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.build.data.checks import columns_are, expect, in_range
from assay.build.data.expectation_files import load_expectations, parse_expectations, save_expectations, to_toml
from assay.build.data.expectations import (
    Columns,
    Exists,
    Expectations,
    Fresh,
    Label,
    LabelRate,
    OneOf,
    Pattern,
    Present,
    Range,
    Rows,
    Unique,
    Varies,
)
from assay.errors import InvalidInput

ALL = Expectations(
    (
        Columns(types={"a": "number", 'odd "name" é.=': "text"}, others=True, severity="warn"),
        Rows(1, 10),
        Present("a", 0.5),
        Range("a", -1, 2.5, severity="warn"),
        Range("t", "2026-01-01", None),
        OneOf("b", ("x", 'y"\\', "\n\x7f")),
        OneOf("c", (1, 2.5, True)),
        Pattern("b", r"[a-z]+\d", 0.9),
        Unique(("a", "b")),
        Exists("b", "others", "key"),
        Fresh("t", 36),
        Varies("a"),
        Label("l", 0.9),
        LabelRate("l", "t", "yes", "month", difference=0.1, rate=0.3),
    ),
    "of a test\nin two lines",
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = save_expectations(ALL, tmp_path / "expectations.toml")
    assert load_expectations(path) == ALL
    assert '    { check = "range", column = "a", low = -1, high = 2.5, severity = "warn" },\n' in path.read_text()


scalars = st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
WORDS = st.sampled_from(["text", "whole number", "timestamp[us, tz=UTC]", "int8"])


@given(st.text(min_size=1), st.lists(scalars), st.floats(0, 1), st.dictionaries(st.text(), WORDS))
def test_any_names_and_values_survive(name: str, values: list[Any], share: float, types: dict[str, str]) -> None:
    try:
        (name + "".join(str(value) for value in [*values, *types, *types.values()])).encode()
    except UnicodeEncodeError:  # half a surrogate pair is no text of a file
        return
    expectations = Expectations((Columns(types=types), OneOf(name, tuple(values), share), Present(name, share)))
    assert parse_expectations(to_toml(expectations), "a test") == expectations


def test_the_hash_is_of_what_is_said_in_any_order() -> None:
    assert Expectations(ALL.items[::-1]).hash == ALL.hash
    assert Expectations(ALL.items[1:]).hash != ALL.hash
    assert Expectations((Present("a", 1.0),)).hash == Expectations((Present("a"),)).hash
    assert len(ALL + Expectations((Varies("b"),))) == len(ALL) + 1


def test_a_function_cannot_be_written() -> None:
    own = Expectations((expect("mine", lambda _: True),))
    with pytest.raises(InvalidInput, match="'mine' is a function, which cannot be written down"):
        to_toml(own)
    with pytest.raises(InvalidInput, match="'mine' is a function, which cannot be written down"):
        _ = own.hash
    with pytest.raises(InvalidInput, match="two expectations say which columns there are"):
        to_toml(Expectations((Columns(types={}), Columns(types={}))))


@pytest.mark.parametrize(
    ("text", "where", "what", "hint"),
    [
        ('expect = [\n {check="rows"},\n {check="range", hihg=3},\n]', "3: hihg", "no key 'hihg' in 'range'", "'high'"),
        ('expect = [\n # words\n {check="rnge"}]', "3: check", "there is no check 'rnge'", "'range'"),
        ('[[expect]]\ncheck="range"\ncolumn="a"\n\nlow=true\n', "5: low", "got `bool`", None),
        ('[[expect]]\ncheck="rows"\n[[expect]]\ncheck="range"\ncolumm="a"', "5: columm", "no key 'columm'", "'column'"),
        ('expect = []\n\n[columns]\na = "text"\nb = "nubmer"', "5", "column 'b' has the type 'nubmer'", "'number'"),
        ("expct = 3", "1: expct", "there is no key 'expct'", "'expect'"),
        ('expect = []\n\n[colums]\na = "text"', "3: colums", "there is no key 'colums'", "'columns'"),
        ('expect = [\n {check="rows"},\n {check="range",column="a",low=1,high=0}]', "3", "the range is 1 to 0", None),
        ('expect = [\n {check="present",column="a",share=2}]', "2", "share is 2", None),
        ('expect = [\n {check="range",low=1}]', "2", "missing required field `column`", None),
        ("expect = [\n 3]", "2", "Expected `object`, got `int`", None),
        ('[columns]\na = "text"\nb = 3', "3: b", "got `int`", None),
        ('expect = [{check="rows", severity="halt"}]', "1: severity", "Invalid enum value 'halt'", None),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_line_key_and_spelling(text: str, where: str, what: str, hint: str | None) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_expectations(text, "file.toml")
    assert raised.value.where == f"file.toml:{where}"
    assert what in raised.value.what
    assert (hint is None) or hint in str(raised.value.hint)


def test_what_is_no_file_and_no_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        load_expectations(tmp_path / "nowhere.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        load_expectations(tmp_path / "bytes.toml")
    with pytest.raises(InvalidInput, match=r"not valid TOML: .*line 2"):
        parse_expectations("expect = []\nexpect =\n", "file.toml")


def test_times_may_stand_without_quotes() -> None:
    (found,) = parse_expectations('expect = [{check="range", column="t", low=2026-01-01}]', "file.toml")
    assert found == Range("t", "2026-01-01")


def test_ends_of_a_range_are_numbers_or_open() -> None:
    assert in_range("a", float("-inf"), 3) == Range("a", None, 3)
    with pytest.raises(InvalidInput, match="an end of the range is nan"):
        Range("a", float("nan"))
    with pytest.raises(InvalidInput, match="the range of 'a' has no end"):
        in_range("a")
    import pyarrow as pa

    assert columns_are(pa.schema({"t": pa.large_string()})).types == {"t": "string"}
