"""What is wrong in a TOML file is said with its line."""

import msgspec
import pytest

from assay.errors import InvalidInput
from assay.record.toml_text import line_of, parse_toml, read_text


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    label: str
    rows: int = 0


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    data: Inner | None = None
    steps: list[Inner] = []
    named: dict[str, Inner] = {}


TEXT = """name = "x"  # what people call it

[data]
label = "y"
rows = 3

[[steps]]
label = "a"

[[steps]]
label = "b"
rows = 1
[named."odd one"]
label = "c"
"""


def refused(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse_toml(text, "f.toml", Outer, "file")
    return caught.value


def test_a_good_file_is_read() -> None:
    found = parse_toml(TEXT, "f.toml", Outer, "file")
    assert (found.name, [one.label for one in found.steps], list(found.named)) == ("x", ["a", "b"], ["odd one"])


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["name"], 1),
        (["data"], 3),
        (["data", "rows"], 5),
        (["steps", 0, "label"], 8),
        (["steps", 1, "rows"], 12),
        (["steps", 1, "no such"], 10),
        (["named", "odd one", "label"], 14),
        (["nowhere"], None),
    ],
)
def test_a_key_has_a_line(keys: list[str | int], line: int | None) -> None:
    assert line_of(TEXT, keys) == line


def test_an_unknown_key_is_named_with_its_line_and_the_nearest() -> None:
    error = refused(TEXT.replace("rows = 1", "row = 1"))
    assert error.what == "the file has an unknown key 'row'"
    assert error.where == "f.toml, line 12: steps[2].row"
    assert error.expected == "label, rows"
    assert error.hint == "did you mean 'rows'?"


def test_an_unknown_key_in_a_named_table_has_its_line() -> None:
    error = refused(TEXT.replace('label = "c"', 'label = "c"\nlabels = 1'))
    assert (error.where, error.hint) == ("f.toml, line 15: named.odd one.labels", "did you mean 'label'?")


def test_a_wrong_type_is_named_with_its_line() -> None:
    error = refused(TEXT.replace("rows = 3", 'rows = "three"'))
    assert error.what == "the file is not valid: expected `int`, got `str`"
    assert error.where == "f.toml, line 5: data.rows"


def test_a_missing_key_is_named() -> None:
    error = refused(TEXT.replace('label = "y"\n', ""))
    assert (error.what, error.where) == ("the file lacks 'label'", "f.toml, line 3: data")


def test_what_is_no_toml_says_the_line() -> None:
    assert "line 2" in refused('name = "x"\nname\n').what


def test_a_file_that_cannot_be_read_is_called_by_its_name(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInput, match="the list cannot be read: No such file"):
        read_text(tmp_path / "none.toml", "list")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidInput, match="the list is not UTF-8"):
        read_text(tmp_path / "bytes.toml", "list")
