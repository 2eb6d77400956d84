import datetime as dt
import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.stats import OVERALL, Segment
from assay.stats.drift import Categories, Numbers, TableProfile

ROW = st.tuples(
    st.one_of(st.none(), st.floats(width=64), st.integers(-3, 3).map(float)),
    st.one_of(st.none(), st.text("abcdeé", max_size=2)),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))),
    st.sampled_from(["x", "y", None]),
)


def table(rows: list[tuple[object, ...]]) -> pa.Table:
    types = {
        "number": pa.float64(),
        "word": pa.string(),
        "flag": pa.bool_(),
        "at": pa.timestamp("us"),
        "part": pa.string(),
    }
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(types)
    return pa.table({name: pa.array(own, kind) for (name, kind), own in zip(types.items(), columns, strict=True)})


def profiled(rows: list[tuple[object, ...]], cap: int = 4) -> TableProfile:
    return TableProfile.of(table(rows), segments=["part", "flag"], cross=2, cap=cap)


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, max_size=40), st.randoms(), st.data())
def test_profiles_of_parts_add_up_to_that_of_all_rows_whatever_the_split_or_order(
    rows: list[tuple[object, ...]], random: object, data: st.DataObject
) -> None:
    whole = profiled(rows)
    mixed = data.draw(st.permutations(rows))
    first, second = sorted(data.draw(st.tuples(st.integers(0, len(rows)), st.integers(0, len(rows)))))
    parts = [profiled(list(part)) for part in (mixed[:first], mixed[first:second], mixed[second:])]
    assert parts[0] + parts[1] + parts[2] == whole
    assert parts[2] + (parts[1] + parts[0]) == whole
    assert TableProfile.from_bytes(whole.to_bytes()) == whole


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=60))
def test_the_sums_of_numbers_are_exact(values: list[float]) -> None:
    found = TableProfile.of(pa.table({"x": pa.array(values, pa.float32())})).column("x")
    assert isinstance(found, Numbers)
    finite = [Fraction(value) for value in values if math.isfinite(value)]
    assert Fraction(found.total, 2**149) == sum(finite)
    assert Fraction(found.squares, 2**298) == sum(value * value for value in finite)
    assert found.missing == sum(map(math.isnan, values))
    assert found.infinite == sum(map(math.isinf, values))
    assert found.zeros >= values.count(0.0)
    if finite:
        assert found.mean == float(sum(finite) / len(finite))


def test_bins_hold_the_sign_and_are_a_fifth_of_a_percent_wide() -> None:
    values = np.array([-1000.0, -1.0, -1e-30, 0.0, 1e-30, 1.0, 1.0005, 1000.0, np.nan, np.inf, -np.inf])
    found = TableProfile.of(pa.table({"x": values})).column("x")
    assert isinstance(found, Numbers)
    assert found.counts.tolist() == [1, 1, 1, 1, 1, 1, 2, 1, 1]  # 1 and 1.0005 share a bin
    assert found.quantile(0.99) == math.inf
    assert found.quantile(0.5) == 0.0
    for share in (0.2, 0.3):
        assert found.quantile(share) in (-1000.0, -1.0)


def test_every_segment_has_the_profile_of_its_own_rows() -> None:
    generator = np.random.default_rng(1)
    rows = 3000
    data = pa.table(
        {
            "x": np.where(generator.random(rows) < 0.1, np.nan, generator.normal(size=rows)),
            "word": np.array(["a", "b", "c"])[generator.integers(0, 3, rows)],
            "one": np.array(["p", "q"])[generator.integers(0, 2, rows)],
            "two": np.array(["r", "s", "t"])[generator.integers(0, 3, rows)],
        }
    )
    found = TableProfile.of(data, columns=["x", "word"], segments=["one", "two"], cross=2)
    assert len(found.segments) == 1 + 2 + 3 + 6
    for segment in found.segments:
        kept = np.ones(rows, bool)
        for column, value in segment.conditions:
            kept &= data[column].to_numpy(zero_copy_only=False) == value
        own = TableProfile.of(data.filter(pa.array(kept)), columns=["x", "word"])
        for name in ("x", "word"):
            alone = TableProfile({name: {OVERALL: found.column(name, segment)}})
            assert alone == TableProfile({name: own.columns[name]}), segment.name


def test_the_form_in_which_arrow_holds_a_column_makes_no_difference() -> None:
    words = ["b", None, "a", "b", "c"] * 3
    plain = pa.array(words)
    encoded = plain.dictionary_encode()
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, None] * 3), pa.array(["b", None, "a", "b"]))
    chunked = pa.chunked_array([encoded.slice(0, 4), pa.array(["z"]).dictionary_encode().slice(1), encoded.slice(4)])
    expected = TableProfile.of(pa.table({"w": plain}))
    for form in (plain.cast(pa.large_string()), plain.cast(pa.string_view()), encoded, chunked, plain.slice(0)):
        assert TableProfile.of(pa.table({"w": form})) == expected
    other = TableProfile.of(pa.table({"w": twice})).column("w")
    assert isinstance(other, Categories)
    assert (other.values, other.counts.tolist(), other.missing) == (("a", "b"), [3, 6], 6)
    numbers = pa.array([1, 2, None, -3])
    whole = TableProfile.of(pa.table({"x": numbers}))
    for kind in (pa.int8(), pa.int32(), pa.float32(), pa.float64(), pa.decimal128(22, 1)):
        assert TableProfile.of(pa.table({"x": numbers.cast(kind)})) == whole


def test_batches_give_what_their_table_gives() -> None:
    generator = np.random.default_rng(2)
    data = pa.table({"x": generator.normal(size=5000), "w": np.array(["a", "b"])[generator.integers(0, 2, 5000)]})
    assert TableProfile.stream(data.to_batches(max_chunksize=700), segments=["w"]) == TableProfile.of(
        data, segments=["w"]
    )
    with pytest.raises(InvalidInput, match="no batch"):
        TableProfile.stream([])


def test_times_are_counted_by_day_in_utc() -> None:
    times = [dt.datetime(2024, 1, 1, 23), dt.datetime(1969, 12, 31, 1), None]
    for kind in (pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("us", tz="America/New_York")):
        column = pa.array(times, pa.timestamp("s", tz="UTC") if kind.tz else pa.timestamp("s")).cast(kind)
        found = TableProfile.of(pa.table({"t": column})).column("t")
        assert isinstance(found, Numbers)
        assert (found.kind, found.bins.tolist(), found.missing) == ("time", [-1, 19723], 1)
        assert found.mean == (19723 - 1) / 2
    dates = TableProfile.of(pa.table({"t": pa.array([dt.date(2024, 1, 1), dt.date(1969, 12, 31), None])}))
    assert dates == TableProfile.of(pa.table({"t": pa.array(times, pa.timestamp("us"))}))


def test_more_categories_than_the_cap_keep_those_with_the_smallest_hashes_and_lose_no_row() -> None:
    names = [f"user-{number}" for number in range(500)]
    rows = names * 2 + ["user-7"] * 1000
    whole = TableProfile.of(pa.table({"w": rows}), cap=50).column("w")
    assert isinstance(whole, Categories)
    assert (len(whole.values), whole.is_exact) == (50, False)
    assert int(whole.counts.sum() + whole.other.sum()) == whole.rows == 2000
    exact = TableProfile.of(pa.table({"w": rows})).column("w")
    assert isinstance(exact, Categories)
    assert exact.is_exact
    assert exact.top(1) == [("user-7", 1002)]
    counts = dict(zip(exact.values, exact.counts.tolist(), strict=True))
    assert [counts[name] for name in whole.values] == whole.counts.tolist()
    parts = [TableProfile.of(pa.table({"w": rows[start::3]}), cap=50) for start in range(3)]
    assert TableProfile.total_of(parts).column("w").rows == 2000
    assert TableProfile.total_of(parts) == TableProfile.of(pa.table({"w": rows}), cap=50)


def test_like_takes_columns_kinds_and_segments_from_another_profile() -> None:
    data = pa.table({"zip": [10001, 10002], "x": [1.0, 2.0], "s": ["a", "b"]})
    first = TableProfile.of(data, columns=["zip", "x"], segments=["s"], kinds={"zip": "category"}, cap=7)
    again = TableProfile.of(data.append_column("more", pa.array([1, 2])), like=first)
    assert again == first
    assert again.kinds == {"zip": "category", "x": "number"}
    empty = TableProfile.of(pa.table({"zip": pa.nulls(2), "x": pa.nulls(2), "s": pa.nulls(2)}), like=first)
    assert empty.column("zip").missing == empty.column("x").missing == 2
    assert empty.segments == [OVERALL, Segment((("s", "(missing)"),))]
    assert (empty + first).rows == 4


def test_columns_without_rows_and_of_nothing_but_nulls_have_profiles() -> None:
    none = profiled([])
    assert none.rows == 0
    assert none.segments == [OVERALL]
    assert math.isnan(none.column("number").mean)  # type: ignore[union-attr]
    row = (None, None, None, None, None)
    assert profiled([row]).column("word").missing == 1
    assert none + profiled([row]) == profiled([row])


def test_what_cannot_be_profiled_is_named() -> None:
    data = pa.table({"age": [1.0], "word": ["a"], "list": [[1]]})
    with pytest.raises(InvalidInput, match="no column 'agee'") as caught:
        TableProfile.of(data, columns=["agee"])
    assert "age" in str(caught.value)
    with pytest.raises(InvalidInput, match="'list' is of type"):
        TableProfile.of(data)
    for kind, column in (("number", "word"), ("time", "age"), ("boolean", "age")):
        with pytest.raises(InvalidInput, match=f"column '{column}' is of type"):
            TableProfile.of(data, columns=[column], kinds={column: kind})  # type: ignore[dict-item]
    age = TableProfile.of(data, columns=["age"])
    with pytest.raises(InvalidInput, match="not of the same columns"):
        _ = age + TableProfile.of(data, columns=["word"])
    with pytest.raises(InvalidInput, match="no column 'aeg'"):
        age.column("aeg")
    with pytest.raises(InvalidInput, match="no profile to add"):
        TableProfile.total_of([])


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\x81\xa6format\x02"])
def test_bytes_that_are_no_profile_are_refused(damage: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"not a profile|in format 2"):
        TableProfile.from_bytes(damage)


def test_damaged_bytes_are_refused_or_a_profile() -> None:
    data = profiled([(1.0, "a", True, None, "x"), (2.0, "b", False, None, "y")]).to_bytes()
    refused = 0
    for place in range(0, len(data), 3):
        broken = data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
        try:
            TableProfile.from_bytes(broken).to_bytes()
        except InvalidInput:
            refused += 1
    assert refused > len(data) / 10
