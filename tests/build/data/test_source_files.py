"""Files of every format, alone, by pattern and in folders."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from pyarrow import fs, ipc

from assay.build.data import source_files
from assay.build.data.sources import source
from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore
from assay.record.table_hash import content_hash

TABLE = pa.table({"n": [1, 2], "s": ["a", None]})


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_format_gives_the_same_table(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    pyarrow.feather.write_feather(TABLE, tmp_path / "t.feather")
    with ipc.new_stream(tmp_path / "t.arrow", TABLE.schema) as stream:
        stream.write_table(TABLE)
    lines = [json.dumps(row) for row in TABLE.to_pylist()]
    _write(tmp_path / "t.jsonl", "\n".join(lines))
    _write(tmp_path / "t.json", f"[{','.join(lines)}]")
    _write(tmp_path / "t.csv", "n,s\n1,a\n2,\n")
    for ending in ("parquet", "feather", "arrow", "jsonl", "json", "csv"):
        found = source(tmp_path / f"t.{ending}")
        assert found.read().equals(TABLE), ending
        assert found.schema() == TABLE.schema


def test_folders_of_files_are_one_table_and_their_names_are_columns(tmp_path: Path) -> None:
    _write(tmp_path / "day=2013-01-02/city=New%20York/b.csv", "n\n3\n")
    _write(tmp_path / "day=2013-01-01/city=Paris/a.csv", "n\n1\n2\n")
    _write(tmp_path / "day=2013-01-01/city=Paris/_SUCCESS", "")
    _write(tmp_path / "day=2013-01-01/.hidden/c.csv", "n\n9\n")
    table = source(tmp_path).read()
    assert str(table.schema.field("day").type) == "date32[day]"
    assert [(row["n"], str(row["day"]), row["city"]) for row in table.to_pylist()] == [
        (1, "2013-01-01", "Paris"),
        (2, "2013-01-01", "Paris"),
        (3, "2013-01-02", "New York"),
    ]


def test_patterns(tmp_path: Path) -> None:
    for name in ("x/a1.csv", "x/a2.csv", "x/b1.csv", "x/deep/a3.csv", "y/a4.csv"):
        _write(tmp_path / name, f"n\n{name[-5]}\n")
    found = {
        pattern: source(f"{tmp_path}/{pattern}").read()["n"].to_pylist()
        for pattern in ("x/a*.csv", "*/a?.csv", "**/a*.csv", "x/[ab]1.csv")
    }
    assert found == {
        "x/a*.csv": [1, 2],
        "*/a?.csv": [1, 2, 4],
        "**/a*.csv": [1, 2, 3, 4],
        "x/[ab]1.csv": [1, 1],
    }
    with pytest.raises(InvalidInput, match=r"there are no files at .*/x/c\*\.csv"):
        source(f"{tmp_path}/x/c*.csv")


def test_csv_files_that_differ_become_what_all_of_them_are(tmp_path: Path) -> None:
    _write(tmp_path / "1.csv", "id,x,day,late\n01,1,2013-01-01,\n")
    _write(tmp_path / "2.csv", "id,x,day,more\n2,1.50,2013-01-01 10:00,7\n")
    _write(tmp_path / "3.csv", "id,x,day,more\n2.50,1.5,2013-01-01,7\n")
    table = source(tmp_path).read()
    assert {field.name: str(field.type) for field in table.schema} == {
        **{"id": "string", "x": "double", "day": "timestamp[us]", "late": "null", "more": "int64"},
    }
    assert table["id"].to_pylist() == ["01", "2", "2.50"], "text as it stands in the file"
    assert table["more"].to_pylist() == [None, 7, 7]


def test_stated_types_that_differ_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"id": [1]}), tmp_path / "2.parquet")
    with pytest.raises(InvalidInput, match="column 'id' is string in one file and int64 in another") as caught:
        source(tmp_path).read()
    assert "1.parquet" in str(caught.value.where)
    _write(tmp_path / "3.csv", "id\n1\n")
    with pytest.raises(InvalidInput, match="several formats: csv, parquet"):
        source(tmp_path)
    assert source(tmp_path / "*.csv").read()["id"].to_pylist() == [1]


def test_types_that_hold_the_same_are_one(tmp_path: Path) -> None:
    (tmp_path / "day=2013-01-01").mkdir()
    pq.write_table(
        pa.table({"s": pa.array(["a"]).dictionary_encode(), "n": [1]}), tmp_path / "day=2013-01-01/1.parquet"
    )
    pq.write_table(pa.table({"s": ["b"], "n": [0.5], "more": [True]}), tmp_path / "2.parquet")
    found = source(tmp_path)
    assert found.schema() == found.read().schema
    assert {field.name: str(field.type) for field in found.schema()} == {
        **{"s": "string", "n": "double", "more": "bool", "day": "date32[day]"}
    }
    pq.write_table(pa.table({"n": [2**60 + 1]}), tmp_path / "3.parquet")
    with pytest.raises(InvalidInput, match="column 'n' is double with the other files, and does not fit"):
        source(tmp_path).read()


def test_a_missing_file_has_a_nearest_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "penguins.csv", "n\n1\n")
    with pytest.raises(InvalidInput, match="there is no file") as caught:
        source(tmp_path / "pengiuns.csv")
    assert caught.value.hint == f"did you mean {str(tmp_path / 'penguins.csv')!r}?"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        source("penguin.csv")
    assert caught.value.hint == "did you mean 'penguins.csv'?"
    with pytest.raises(InvalidInput) as caught:
        source("xyz")
    assert caught.value.hint == "in that folder there are penguins.csv"
    with pytest.raises(InvalidInput, match="there is no file"):
        source(tmp_path / "none/x.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="there are no files at"):
        source(tmp_path / "empty")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ('{"a": 1}\n{"a": \n', 2, "the line is not JSON"),
        ('{"a": 1}\n\n7\n', 3, "the line is no JSON object"),
    ],
)
def test_bad_lines_of_json_are_named(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = _write(tmp_path / "t.jsonl", text)
    with pytest.raises(InvalidInput, match=what) as caught:
        source(path).read()
    assert caught.value.where == f"{path}, line {line}"


def test_other_bad_files(tmp_path: Path) -> None:
    for name, text, what in (
        ("t.parquet", "n\n1\n", "the file cannot be read"),
        ("t.arrow", "n\n1\n", "the file cannot be read"),
        ("t.csv.gz", "n\n1\n", "the file cannot be read"),
        ("t.jsonl", " \n", "the file is empty"),
        ("u.jsonl", '{"a": 1}\n{"a": "x"}\n', "the file cannot be read"),
    ):
        path = _write(tmp_path / name, text)
        with pytest.raises(InvalidInput, match=what) as caught:
            source(path).read()
        assert caught.value.where == str(path)


def test_options_are_checked(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.csv", "n\n1\n")
    with pytest.raises(InvalidInput, match="there is no format 'parquett'") as caught:
        source(path, format="parquett")
    assert caught.value.hint == "did you mean 'parquet'?"
    with pytest.raises(InvalidInput, match="a query needs a database"):
        source(path, query="select 1")
    with pytest.raises(InvalidInput, match="storage: "):
        source("s3://bucket/x.csv", storage={"endpiont": "x"})


def test_files_that_did_not_change_are_not_read_again(
    tmp_path: Path, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = time.time_ns() + 10_000_000_000
    read = []

    def parsed(filesystem: fs.FileSystem, path: str, *rest: Any) -> pa.Table:
        read.append(Path(path).name)
        return parse(filesystem, path, *rest)

    parse = source_files._parsed
    monkeypatch.setattr(source_files, "_parsed", parsed)
    monkeypatch.setattr(time, "time_ns", lambda: later)
    for day in (1, 2):
        _write(tmp_path / f"day=2013-01-0{day}/rows.csv", f"n\n{day}\n")
    first = source(tmp_path).snapshot(store, "rows", licence="CC0")
    assert (first.rows, first.source_system, first.licence) == (2, str(tmp_path), "CC0")
    assert first.hash == content_hash(source(tmp_path).read())
    read.clear()
    assert source(tmp_path).snapshot(store, "rows") == first
    assert read == []
    _write(tmp_path / "day=2013-01-03/rows.csv", "n\n3\n")
    second = source(tmp_path).snapshot(store, "rows")
    assert read == ["rows.csv"]
    assert (second.rows, second.hash) == (3, content_hash(source(tmp_path).read()))


@pytest.mark.parametrize("seconds", [0, 10])
def test_a_file_rewritten_in_place_with_its_time_set_back_is_seen(
    tmp_path: Path, store: SqlStore, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    path = _write(tmp_path / "rows.csv", "n\n1\n")
    before = path.stat()
    offset = seconds * 1_000_000_000
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + offset)
    files = source(path).files
    assert files is not None
    assert (files.signature(str(path)) is None) == (seconds == 0), "it has just been changed"
    first = source(path).snapshot(store, "rows")
    path.write_text("n\n2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source(path).snapshot(store, "rows").hash != first.hash


def test_other_options_read_a_file_again(tmp_path: Path, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time_ns() + 10_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later)
    path = _write(tmp_path / "rows.csv", "n\n1\n")
    first = source(path).snapshot(store, "rows")
    assert source(path, types={"n": "number"}).snapshot(store, "rows").hash != first.hash
