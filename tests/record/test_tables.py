import datetime
import decimal
import io
import math
from pathlib import Path
from typing import Any

import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.record.table_hash import BLOCK_ROWS
from assay.record.tables import as_table, column_texts, content_hash, from_parquet, schema_hash, to_parquet

DAY = datetime.date(2013, 4, 1)
TIME = datetime.datetime(2013, 4, 1, 9, 30, 0, 5)
ZONED = TIME.replace(tzinfo=datetime.UTC)

# Every type that the hash knows, with values, one of them null.
COLUMNS: dict[str, pa.Array] = {
    "null": pa.nulls(4),
    "bool": pa.array([True, None, False, True]),
    **{
        str(kind): pa.array([1, None, 0, 7], kind)
        for kind in (
            pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
            pa.float16(), pa.float32(), pa.float64(),
        )
    },
    "date32": pa.array([DAY, None, DAY, DAY], pa.date32()),
    "date64": pa.array([DAY, None, DAY, DAY], pa.date64()),
    "time32": pa.array([datetime.time(1), None, datetime.time(2), datetime.time(3)], pa.time32("s")),
    "time64": pa.array([datetime.time(1), None, datetime.time(2), datetime.time(3)], pa.time64("us")),
    "seconds": pa.array([DAY, None, DAY, TIME], pa.date32()).cast(pa.timestamp("s")),
    "timestamp": pa.array([TIME, None, TIME, TIME], pa.timestamp("us")),
    "zoned": pa.array([ZONED, None, ZONED, ZONED], pa.timestamp("ns", "UTC")),
    "duration": pa.array([1, None, 2, 3], pa.duration("ms")),
    "string": pa.array(["a", None, "", "é🦊"]),
    "large_string": pa.array(["a", None, "", "é🦊"], pa.large_string()),
    "string_view": pa.array(["a", None, "", "longer than twelve bytes"], pa.string_view()),
    "binary": pa.array([b"a", None, b"", b"\0\xff"]),
    "large_binary": pa.array([b"a", None, b"", b"\0\xff"], pa.large_binary()),
    "binary_view": pa.array([b"a", None, b"", b"\0\xff"], pa.binary_view()),
    "decimal": pa.array([decimal.Decimal("1.10"), None, decimal.Decimal("-2.05"), decimal.Decimal(0)]),
    "dictionary": pa.array(["a", None, "", "a"]).dictionary_encode(),
    "list": pa.array([[1, None], None, [], [2, 3]]),
    "large_list": pa.array([["a"], None, [], ["b", None]], pa.large_list(pa.string())),
    "struct": pa.array([{"x": 1, "y": "a"}, None, {"x": None, "y": ""}, {"x": 2, "y": None}]),
    "deep": pa.array([[{"x": [1.5]}], None, [], [None, {"x": None}]]),
    "list_of_dictionary": pa.ListArray.from_arrays([0, 2, 2, 3, 3], pa.array(["a", None, "b"]).dictionary_encode()),
}  # fmt: skip


def _table(**columns: Any) -> pa.Table:
    return pa.table(columns)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_is_hashed_whatever_its_chunks_and_offsets(name: str) -> None:
    column = COLUMNS[name]
    expected = content_hash(_table(c=column))
    padded = pa.concat_arrays([column, column, column])
    assert content_hash(_table(c=padded.slice(4, 4))) == expected
    assert (
        content_hash(_table(c=pa.chunked_array([column.slice(0, 1), column.slice(1, 2), column.slice(3)]))) == expected
    )
    assert content_hash(_table(c=pa.chunked_array([column.slice(0, 0), column]))) == expected


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "null"])
def test_every_type_tells_null_order_and_length(name: str) -> None:
    column = COLUMNS[name]
    hashes = [
        content_hash(_table(c=pa.concat_arrays([column[place : place + 1] for place in order])))
        for order in ([0, 1, 2, 3], [1, 0, 2, 3], [0, 0, 2, 3], [0, 1, 2], [0, 1, 2, 3, 1])
    ]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_without_rows_has_a_hash(name: str) -> None:
    column = COLUMNS[name]
    empty = content_hash(_table(c=column.slice(0, 0)))
    assert empty == content_hash(_table(c=pa.chunked_array([], column.type)))
    assert empty == content_hash(pa.schema([("c", column.type)]).empty_table())
    assert empty != content_hash(_table(c=column))


@pytest.mark.parametrize("name", COLUMNS)
def test_parquet_keeps_the_hash(name: str) -> None:
    table = _table(c=COLUMNS[name], id=pa.array(range(4)))
    again = from_parquet(to_parquet(table))
    assert content_hash(again) == content_hash(table)
    assert schema_hash(again) == schema_hash(table)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([pa.MonthDayNano([1, 2, 3])]),
        pa.array([b"abc"], pa.binary(3)),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
    ],
)
def test_other_types_are_refused(column: pa.Array) -> None:
    with pytest.raises(InvalidInput, match="cannot be hashed"):
        content_hash(_table(c=column))


def test_a_table_without_columns_has_a_hash() -> None:
    assert content_hash(pa.table({})) == content_hash(pa.table({}))


@pytest.mark.parametrize("name", COLUMNS)
def test_blocks_of_rows_do_not_matter(name: str) -> None:
    """More rows than a block, from pieces that end elsewhere."""
    column = pa.concat_arrays([COLUMNS[name]] * (BLOCK_ROWS // 4 + 3))
    cut = pa.chunked_array([column[:5], column[5 : BLOCK_ROWS + 1], column[BLOCK_ROWS + 1 :]])
    assert content_hash(_table(c=cut)) == content_hash(_table(c=column))
    if name != "null":
        assert content_hash(_table(c=column[1:])) != content_hash(_table(c=column[:-1]))
    assert content_hash(_table(c=column[4:])) != content_hash(_table(c=column))


def test_a_nan_is_a_nan_and_no_null_and_zeros_have_a_sign() -> None:
    def floats(kind: pa.DataType, *bits: int) -> pa.Array:
        return pa.array(bits, {16: pa.uint16(), 32: pa.uint32(), 64: pa.uint64()}[kind.bit_width]).view(kind)

    for kind, one, other in (
        (pa.float64(), 0x7FF8000000000000, 0xFFF8000000000001),
        (pa.float32(), 0x7FC00000, 0xFFC00001),
        (pa.float16(), 0x7E00, 0xFE01),
    ):
        assert content_hash(_table(c=floats(kind, one, 0))) == content_hash(_table(c=floats(kind, other, 0)))
        assert content_hash(_table(c=floats(kind, one))) != content_hash(_table(c=pa.nulls(1, kind)))
    assert content_hash(_table(c=[0.0])) != content_hash(_table(c=[-0.0]))
    listed = pa.array([[math.nan], [-math.nan]])
    assert content_hash(_table(c=listed[:1])) == content_hash(_table(c=listed[1:]))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()])
def test_text_that_stands_under_a_null_does_not_count(kind: pa.DataType) -> None:
    bare = pa.array(["a", "secret", "b"]).cast(kind)
    _, offsets, data = bare.buffers()
    under = pa.Array.from_buffers(kind, 3, [pa.py_buffer(b"\x05"), offsets, data], null_count=1)
    assert content_hash(_table(c=under)) == content_hash(_table(c=pa.array(["a", None, "b"]).cast(kind)))


def test_text_of_any_length_is_told_apart() -> None:
    texts = [["a" * count, "b"] for count in (0, 1, 255, 256, 65_535, 65_536)]
    hashes = {content_hash(_table(c=pair)) for pair in [*texts, *(pair[::-1] for pair in texts)]}
    assert len(hashes) == 2 * len(texts)


VALUES = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.string(): st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    pa.bool_(): st.booleans(),
    pa.timestamp("s"): st.datetimes().map(lambda moment: moment.replace(microsecond=0)),
    pa.date32(): st.dates(),
    pa.list_(pa.string()): st.lists(
        st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=3
    ),
}


@st.composite
def _columns(draw: st.DrawFn) -> pa.Array:
    kind = draw(st.sampled_from(list(VALUES)))
    return pa.array(draw(st.lists(st.none() | VALUES[kind], min_size=1, max_size=20)), kind)


@given(_columns(), st.data())
@settings(deadline=None)
def test_how_arrow_holds_the_values_does_not_matter(column: pa.Array, data: st.DataObject) -> None:
    expected = content_hash(_table(c=column))
    cut = data.draw(st.integers(0, len(column)))
    assert content_hash(_table(c=pa.chunked_array([column[:cut], column[cut:]], column.type))) == expected
    around = pa.concat_arrays([column[:cut], column, column[cut:]])
    assert content_hash(_table(c=around.slice(cut, len(column)))) == expected
    if pa.types.is_list(column.type):
        assert content_hash(_table(c=column.cast(pa.large_list(pa.large_string())))) == expected
        return
    assert content_hash(_table(c=column.dictionary_encode())) == expected
    if pa.types.is_string(column.type):
        for kind in (pa.large_string(), pa.string_view()):
            assert content_hash(_table(c=column.cast(kind))) == expected


@given(_columns(), st.data())
@settings(deadline=None)
def test_one_changed_value_changes_the_hash(column: pa.Array, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(column) - 1))
    values = column.to_pylist()
    values[place] = data.draw((st.none() | VALUES[column.type]).filter(lambda value: value != values[place]))
    assert content_hash(_table(c=pa.array(values, column.type))) != content_hash(_table(c=column))


def test_what_stands_under_a_null_does_not_count() -> None:
    def under(value: float) -> pa.Array:
        return pa.Array.from_buffers(
            pa.float64(), 2, [pa.py_buffer(b"\x01"), pa.array([1.0, value]).buffers()[1]], null_count=1
        )

    assert content_hash(_table(c=under(5.0))) == content_hash(_table(c=under(7.0)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_table(c=[1, 2]), _table(c=[2, 1])),
        (_table(c=["a", ""]), _table(c=["a", None])),
        (_table(c=["ab", "c"]), _table(c=["a", "bc"])),
        (_table(c=[["a"], ["b", "c"]]), _table(c=[["a", "b"], ["c"]])),
        (_table(c=[[], None]), _table(c=[None, []])),
        (_table(c=[1]), _table(d=[1])),
        (_table(c=[1]), _table(c=[1.0])),
        (_table(c=pa.array([1], pa.int32())), _table(c=pa.array([1], pa.int64()))),
        (_table(c=pa.array([1], pa.duration("s"))), _table(c=pa.array([1], pa.duration("ms")))),
        (_table(c=["a"]), _table(c=[b"a"])),
        (_table(c=[1], d=[2]), _table(d=[2], c=[1])),
        (_table(c=[1], d=[2]), _table(c=[1, 2])),
        (_table(c=[{"x": 1}]), _table(c=[{"y": 1}])),
        (_table(c=[{"x": None}]), _table(c=pa.array([None], pa.struct([("x", pa.null())])))),
        (_table(c=[0, None]), _table(c=[None, 0])),
    ],
)
def test_what_differs_has_another_hash(one: pa.Table, other: pa.Table) -> None:
    assert content_hash(one) != content_hash(other)


def test_metadata_do_not_count() -> None:
    table = _table(c=[1])
    assert content_hash(table.replace_schema_metadata({"made": "by me"})) == content_hash(table)


def test_the_schema_hash_sees_names_and_types_only() -> None:
    one = _table(c=["a"], d=[[1]])
    assert schema_hash(one) == schema_hash(_table(c=["b", None], d=[None, [2]]))
    nested = pa.array([[1]], pa.large_list(pa.int64()))
    assert schema_hash(one) == schema_hash(_table(c=pa.array(["a"]).dictionary_encode(), d=nested))
    assert schema_hash(one) != schema_hash(_table(c=["a"], e=[[1]]))
    assert schema_hash(one) != schema_hash(_table(c=["a"], d=[[1.0]]))


def test_tables_come_from_arrow_pandas_and_files(tmp_path: Path) -> None:
    table = _table(number=[1, 2], text=["a", None])
    pq.write_table(table, tmp_path / "t.parquet")
    assert as_table(table) is table
    expected = content_hash(table)
    assert content_hash(as_table(tmp_path / "t.parquet")) == expected
    assert content_hash(as_table(str(tmp_path / "t.parquet"))) == expected
    frame = pandas.DataFrame({"number": [1, 2], "text": ["a", None]})
    assert content_hash(as_table(frame)) == expected
    assert content_hash(as_table(pa.RecordBatchReader.from_batches(table.schema, table.to_batches()))) == expected


def test_what_is_not_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="a dict is not a table"):
        as_table({"a": [1]})
    with pytest.raises(InvalidInput, match="there is no file"):
        as_table(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("number,text\n1,a\n")
    with pytest.raises(InvalidInput, match=r"text\.parquet cannot be read"):
        as_table(tmp_path / "text.parquet")


def test_parquet_is_compressed_and_readable_by_others() -> None:
    content = to_parquet(_table(c=["same"] * 10_000))
    assert pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0).compression == "ZSTD"


def test_columns_as_text() -> None:
    table = _table(a=pa.array(["x", None]).dictionary_encode(), b=[1, None], c=[True, False])
    assert column_texts(table, "a").tolist() == ["x", "missing"]
    assert column_texts(table, "b").tolist() == ["1", "missing"]
    assert column_texts(table, "c").tolist() == ["true", "false"]
    with pytest.raises(InvalidInput, match="no column 'd'"):
        column_texts(table, "d")


def test_lists_of_one_length_are_lists() -> None:
    fixed = pa.table({"x": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int64(), 2))})
    plain = pa.table({"x": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int64()))})
    assert content_hash(fixed) == content_hash(plain)
    assert content_hash(fixed.slice(1)) == content_hash(plain.slice(1))
    assert content_hash(fixed) != content_hash(pa.table({"x": pa.array([[1], [2, 3, 4], None])}))
    assert from_parquet(to_parquet(fixed)).equals(fixed)
