"""CSV files as people have them."""

import datetime
import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assay.build.data.sources import source
from assay.errors import InvalidInput


def _file(folder: Path, text: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _read(folder: Path, text: str | bytes, name: str = "rows.csv", **options: Any) -> pa.Table:
    return source(_file(folder, text, name), **options).read()


def _types(table: pa.Table) -> dict[str, str]:
    return {field.name: str(field.type) for field in table.schema}


def test_ids_keep_their_leading_zeros_and_all_their_digits(tmp_path: Path) -> None:
    table = _read(tmp_path, "zip,account,amount,size\n01234,12345678901234567890,10,1.50\n98765,1,007.5,2\n")
    assert _types(table) == {"zip": "string", "account": "string", "amount": "string", "size": "double"}
    assert table["zip"].to_pylist() == ["01234", "98765"]


def test_columns_become_what_all_of_their_values_are(tmp_path: Path) -> None:
    text = (
        "n,x,yes,day,moment,there,said,mixed,signed\n"
        "1,1e3,true,2013-04-01,2013-04-01 09:30,2013-04-01T09:30:00+02:00,01/02/2013,1,-3\n"
        "0, 2,False,2013-04-02,2013-04-01T09:30:01.5,2013-04-01T07:30:00Z,02/01/2013,one,4\n"
    )
    table = _read(tmp_path, text)
    assert _types(table) == {
        **{"n": "int64", "x": "double", "yes": "bool", "day": "date32[day]", "moment": "timestamp[us]"},
        **{"there": "timestamp[us, tz=UTC]", "said": "string", "mixed": "string", "signed": "int64"},
    }
    assert table["x"].to_pylist() == [1000.0, 2.0], "a space before a number is no part of it"
    assert table["there"].to_pylist() == [datetime.datetime(2013, 4, 1, 7, 30, tzinfo=datetime.UTC)] * 2


def test_na_and_nothing_are_missing_and_quoted_text_is_text(tmp_path: Path) -> None:
    table = _read(tmp_path, 'country,n,empty,said\nNA,NA,,""\n"NA",,,"a, ""b""\nc"\nDE,"",,x\n')
    assert table["country"].to_pylist() == [None, "NA", "DE"], "Namibia is not missing"
    assert table["n"].to_pylist() == [None, None, None]
    assert _types(table)["empty"] == "null"
    assert table["said"].to_pylist() == ["", 'a, "b"\nc', "x"]
    numbers = _read(tmp_path, '"a","b"\n"1",""\n"","2.5"\n')
    assert numbers.to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": 2.5}], "programs that quote everything"
    assert _read(tmp_path, "a\n1\n-99\n", nulls=["-99"])["a"].to_pylist() == [1, None]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.tsv", "a b\tc\n1,5\t2\n"),
        ("rows.csv", "a b;c\n1,5;2\n"),
        ("rows.csv", "a b|c\n1,5|2\n"),
        ("rows.txt", "a b\tc\n1,5\t2\n"),
        ("rows.csv", "\ufeffa b;c\r\n1,5;2\r\n"),
    ],
)
def test_the_separator_is_found_out_and_names_keep_their_spaces(tmp_path: Path, name: str, text: str) -> None:
    assert _read(tmp_path, text, name).to_pylist() == [{"a b": "1,5", "c": 2}]


def test_numbers_with_a_comma(tmp_path: Path) -> None:
    text = "a;b;c\n1,5;007;2\n-2;8;3,25\n"
    assert _types(_read(tmp_path, text)) == {"a": "string", "b": "string", "c": "string"}, "1,500 may be a thousand"
    table = _read(tmp_path, text, decimal=",")
    assert table.to_pylist() == [{"a": 1.5, "b": "007", "c": 2.0}, {"a": -2.0, "b": "8", "c": 3.25}]
    assert _read(tmp_path, text, decimal=",", types={"b": "number"})["b"].to_pylist() == [7.0, 8.0]


def test_compressed_files_and_other_endings(tmp_path: Path) -> None:
    assert _read(tmp_path, gzip.compress(b"a,b\n1,2\n"), "rows.csv.gz").to_pylist() == [{"a": 1, "b": 2}]
    assert _read(tmp_path, "a,b\n1,2\n", "rows.data", format="csv").to_pylist() == [{"a": 1, "b": 2}]
    with pytest.raises(InvalidInput, match=r"ending of rows\.data says no format"):
        source(tmp_path / "rows.data")


def test_encodings(tmp_path: Path) -> None:
    text = "name,n\nZoé,1\n"
    assert _read(tmp_path, text.encode("cp1252"), encoding="cp1252")["name"].to_pylist() == ["Zoé"]
    assert _read(tmp_path, text.encode("utf-16"))["name"].to_pylist() == ["Zoé"], "the mark of byte order says it"
    with pytest.raises(InvalidInput, match="byte 0xe9 is not utf-8") as caught:
        _read(tmp_path, text.encode("cp1252"))
    assert caught.value.where == f"{tmp_path / 'rows.csv'}, line 2"
    assert "cp1252" in str(caught.value.hint)
    with pytest.raises(InvalidInput, match="no encoding 'cp1253x'"):
        _read(tmp_path, text, encoding="cp1253x")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ('a,b\n1,"x\ny"\n1,2,3\n', 4, "the line has 3 values, the header has 2"),
        ("a,b\n\n1\n", 3, "the line has 1 value, the header has 2"),
        ("a,b,a\n1,2,3\n", 1, "more than one column is called 'a': columns 1, 3"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, line: int, what: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        _read(tmp_path, text)
    assert caught.value.what == what
    assert caught.value.where == f"{tmp_path / 'rows.csv'}, line {line}"


def test_a_quotation_mark_that_is_never_closed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="a row cannot be read: unexpected end of data") as caught:
        _read(tmp_path, 'a,b\n1,2\n3,"4\n5,6\n')
    assert caught.value.where == f"{tmp_path / 'rows.csv'}, after line 2"


def test_empty_files_and_files_without_rows(tmp_path: Path) -> None:
    for text in ("", "\n\n"):
        with pytest.raises(InvalidInput, match="the file is empty"):
            _read(tmp_path, text)
    table = _read(tmp_path, "a,b\n")
    assert (table.column_names, table.num_rows) == (["a", "b"], 0)


def test_a_column_without_a_name_and_one_column_alone(tmp_path: Path) -> None:
    assert _read(tmp_path, ",a\n0,5\n").to_pylist() == [{"column_1": 0, "a": 5}]
    assert _read(tmp_path, "a\n5\n\n6\n")["a"].to_pylist() == [5, None, 6], "an empty line is a value of it"


def test_types_can_be_stated(tmp_path: Path) -> None:
    text = "id,day,n,x\n12,31.12.2013,1,1\n13,01.01.2014,2,\n"
    table = _read(tmp_path, text, types={"id": "text", "day": "%d.%m.%Y", "n": "number", "x": pa.int16()})
    assert _types(table) == {"id": "string", "day": "timestamp[us]", "n": "double", "x": "int16"}
    assert table["day"].to_pylist()[0] == datetime.datetime(2013, 12, 31)
    with pytest.raises(InvalidInput, match="column 'n' holds 'two', which is no int64") as caught:
        _read(tmp_path, 'a,n\n"x\ny",1\n,\nz,two\n', types={"n": "int"})
    assert caught.value.where == f"{tmp_path / 'rows.csv'}, line 5"
    with pytest.raises(InvalidInput, match="types names the column 'dya'") as caught:
        _read(tmp_path, text, types={"dya": "date"})
    assert caught.value.hint == "did you mean 'day'?"
    with pytest.raises(InvalidInput, match="there is no type 'txt'") as caught:
        _read(tmp_path, text, types={"id": "txt"})
    assert caught.value.hint == "did you mean 'text'?"
