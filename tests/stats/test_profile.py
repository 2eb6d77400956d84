import itertools
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.stats import OVERALL, Columns, Profile, Segment, bucket_of, metrics_of

ROW = st.tuples(
    st.sampled_from([0.0, 1.0, float("nan")]),
    st.floats(0, 1),
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    st.sampled_from(["EWR", "JFK", "LGA"]),
    st.sampled_from(["B6", "ü"]),
    st.text("abc", max_size=2),
)
ROWS = st.lists(ROW, max_size=40)


def arguments(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    label, x, y, origin, carrier, unit = ([row[i] for row in rows] for i in range(6))
    return {
        "labels": np.array(label, dtype=float),
        "scores": {"x": np.array(x, dtype=float), "y": np.array(y, dtype=float)},
        "segments": {"origin": origin, "carrier": carrier},
        "units": unit,
    }


def profile_of(rows: list[tuple[Any, ...]]) -> Profile:
    return Profile.build(**arguments(rows), thresholds={"x": 0.5, "y": 0.4}, buckets=7, seed=3)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[tuple[Any, ...]], random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert profile_of(rows).to_bytes() == profile_of(shuffled).to_bytes()


@given(ROWS, st.integers(0, 40), st.integers(0, 40))
def test_merged_shards_are_the_whole_bit_for_bit(rows: list[tuple[Any, ...]], first: int, second: int) -> None:
    first, second = sorted((first, second))
    a, b, c = (profile_of(part) for part in (rows[:first], rows[first:second], rows[second:]))
    whole = profile_of(rows).without_influence().to_bytes()
    for shards in itertools.permutations((a, b, c)):
        assert (shards[0] + (shards[1] + shards[2])).to_bytes() == whole
        assert ((shards[0] + shards[1]) + shards[2]).to_bytes() == whole


@given(ROWS, st.integers(0, 40), st.integers(0, 40))
def test_streamed_batches_are_the_whole_with_its_influence(
    rows: list[tuple[Any, ...]], first: int, second: int
) -> None:
    first, second = sorted((first, second))
    parts = [Columns(**arguments(part)) for part in (rows[:first], rows[first:second], rows[second:])]
    streamed = Profile.stream(lambda: parts, {"x": 0.5, "y": 0.4}, 7, 3)
    assert streamed.to_bytes() == profile_of(rows).to_bytes()


@given(ROWS)
def test_bytes_lead_back_to_the_same_profile(rows: list[tuple[Any, ...]]) -> None:
    for profile in (profile_of(rows), profile_of(rows).without_influence()):
        read = Profile.from_bytes(profile.to_bytes())
        assert read == profile
        assert read.to_bytes() == profile.to_bytes()
        assert read.segments == profile.segments
        for metric in metrics_of(profile.task).values():
            np.testing.assert_array_equal(metric.value(profile.totals(), "x"), metric.value(read.totals(), "x"))


@settings(max_examples=40)
@given(ROWS)
def test_a_segments_sums_are_those_of_its_rows(rows: list[tuple[Any, ...]]) -> None:
    profile = profile_of(rows)
    totals = profile.totals()
    for place, segment in enumerate(profile.segments):
        wanted = dict(segment.conditions)
        inside = [r for r in rows if all({"origin": r[3], "carrier": r[4]}[c] == v for c, v in wanted.items())]
        alone = profile_of(inside).totals()
        np.testing.assert_array_equal(totals.table[place], alone.table[0])
        for model in ("x", "y"):
            mine, other = totals.areas[model], alone.areas[model]
            for name in ("twice", "positives", "negatives"):
                assert getattr(mine, name)[place] == getattr(other, name)[0]


@settings(max_examples=40)
@given(ROWS)
def test_leaving_a_bucket_out_is_the_profile_of_the_other_rows(rows: list[tuple[Any, ...]]) -> None:
    profile = profile_of(rows)
    rest = profile.without_each_bucket()
    own = bucket_of([row[5] for row in rows], 7, 3)
    for place in np.flatnonzero(profile.segment == 0):
        others = profile_of([row for row, bucket in zip(rows, own, strict=True) if bucket != profile.bucket[place]])
        expected = others.totals().table[0] if others.segments else np.zeros(rest.table.shape[1], dtype=np.int64)
        np.testing.assert_array_equal(rest.table[place], expected)


def test_counts_are_those_of_a_small_table_worked_by_hand() -> None:
    profile = Profile.build(
        [1, 1, 0, 0, float("nan")],
        {"b": [0.9, 0.2, 0.7, 0.1, 0.3], "a": [0.8, 0.6, 0.2, 0.3, 0.3]},
        {},
        ["1", "2", "3", "4", "5"],
        {"a": 0.5, "b": 0.5},
    )
    sums = profile.totals()
    assert (profile.n_rows, profile.n_labelled) == (5, 4)
    assert (sums.count("rows")[0], sums.count("unlabelled")[0], sums.labelled[0]) == (5, 1, 4)
    assert [sums.count(name, model)[0] for model in "ab" for name in ("tp", "fp")] == [2, 0, 1, 1]
    assert (sums.count("positive")[0], sums.count("tp", "a", "b")[0], sums.count("fp", "b", "a")[0]) == (2, 1, 0)
    losses = {"a": -np.log([0.8, 0.6, 0.8, 0.7]), "b": -np.log([0.9, 0.2, 0.3, 0.9])}
    errors = {"a": np.array([0.04, 0.16, 0.04, 0.09]), "b": np.array([0.01, 0.64, 0.49, 0.01])}
    assert sums.sum("score", "a")[0] == pytest.approx(1.9, abs=1e-6)
    assert sums.sum("spread", "a")[0] == pytest.approx(0.16 + 0.24 + 0.16 + 0.21, abs=1e-6)
    for name, values in (("log_loss", losses), ("squared_error", errors)):
        assert sums.sum(name, "a")[0] == pytest.approx(values["a"].sum(), abs=1e-6)
        assert sums.sum(f"{name}_squares", "a")[0] == pytest.approx((values["a"] ** 2).sum(), abs=1e-6)
        differences = ((values["a"] - values["b"]) ** 2).sum()
        assert sums.sum(f"{name}_difference_squares", "b", "a")[0] == pytest.approx(differences, abs=1e-6)


def test_pairs_of_three_models_keep_apart() -> None:
    rng = np.random.default_rng(3)
    scores = {name: rng.random(200) for name in ("c", "a", "b")}
    label = rng.integers(0, 2, 200)
    sums = Profile.build(label, scores, {}, None, dict.fromkeys("abc", 0.5)).totals()
    for first, second in itertools.permutations("abc", 2):
        both = (scores[first] >= 0.5) & (scores[second] >= 0.5)
        assert sums.count("tp", first, second)[0] == (both & (label == 1)).sum()
        assert sums.count("fp", first, second)[0] == (both & (label == 0)).sum()


def test_segments_are_listed_overall_first_then_by_size() -> None:
    rows = [(1.0, 0.5, 0.5, "JFK", "B6", "1"), (1.0, 0.5, 0.5, "EWR", "ü", "2")]
    profile = profile_of(rows)
    assert [segment.name for segment in profile.segments] == [
        "overall",
        "origin=EWR",
        "origin=JFK",
        "carrier=B6",
        "carrier=ü",
        "origin=EWR & carrier=ü",
        "origin=JFK & carrier=B6",
    ]
    assert profile.up_to(1) == [0, 1, 2, 3, 4]
    assert profile.up_to(0) == [0]
    assert profile.up_to(9) == list(range(7))  # there are but two columns
    assert profile.position(Segment((("carrier", "ü"), ("origin", "EWR")))) == 5


@pytest.mark.parametrize("cross", [0, 1, 2, 3])
def test_crosses_go_as_far_as_asked(cross: int) -> None:
    rng = np.random.default_rng(1)
    columns = {name: rng.choice(["p", "q"], 200) for name in "abc"}
    profile = Profile.build(np.zeros(200), {}, columns, None, {}, cross=cross)
    assert len(profile.segments) == [1, 1 + 6, 1 + 6 + 12, 1 + 6 + 12 + 8][cross]
    for place, segment in enumerate(profile.segments):
        inside = np.ones(200, dtype=bool)
        for name, value in segment.conditions:
            inside &= columns[name] == value
        assert profile.totals().count("rows")[place] == inside.sum()


def test_many_columns_with_many_values_are_still_told_apart() -> None:
    rng = np.random.default_rng(2)
    columns = {f"c{i}": rng.integers(0, 300, 400).astype(str) for i in range(9)}  # 300**9 > 2**63
    profile = Profile.build(np.zeros(400), {}, columns, None, {}, cross=9, influence=False)
    full = [segment for segment in profile.segments if len(segment.conditions) == 9]
    assert len(full) == len(set(zip(*columns.values(), strict=True)))
    assert [segment.conditions for segment in full] == sorted(segment.conditions for segment in full)
    place = profile.position(Segment((("c0", columns["c0"][0]), ("c8", columns["c8"][0]))))
    assert place is not None
    expected = ((columns["c0"] == columns["c0"][0]) & (columns["c8"] == columns["c8"][0])).sum()
    assert profile.totals().count("rows")[place] == expected


def test_arrow_columns_lists_and_arrays_give_the_same_profile() -> None:
    rng = np.random.default_rng(4)
    text = {name: rng.choice(["z", "ü", "m"], 300).tolist() for name in ("a", "b", "unit")}
    label, score = rng.integers(0, 2, 300), rng.random(300)

    def made(form: Any) -> Profile:
        columns = {name: form(text[name]) for name in "ab"}
        return Profile.build(label, {"m": score}, columns, form(text["unit"]), {"m": 0.5})

    forms = (list, np.array, lambda v: np.array(v, dtype=object), pa.array, lambda v: pa.array(v).dictionary_encode())
    chunked = made(lambda v: pa.chunked_array([v[:100], v[100:]]))
    assert all(made(form) == chunked for form in forms)


def test_no_rows_are_a_profile_and_change_no_other() -> None:
    empty, one = profile_of([]), profile_of([(1.0, 0.5, 0.5, "JFK", "B6", "1")])
    assert (empty.segments, empty.n_rows, empty.position(OVERALL)) == ((), 0, None)
    assert empty + one == one + empty == one.without_influence()
    assert one != empty
    assert one != "one"


def test_values_no_row_has_have_no_place() -> None:
    profile = profile_of([(1.0, 0.5, 0.5, "JFK", "B6", "1")])
    assert profile.position(Segment((("origin", "LAX"),))) is None


def test_rows_of_one_unit_share_a_bucket() -> None:
    profile = profile_of([(1.0, 0.5, 0.5, "JFK", "B6", "same")] * 9)
    assert len(np.unique(profile.bucket)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0, 2, 1]}, r"labels: 1 of 3 values .* 2\.0 in row 1"),
        ({"labels": [0, 1]}, r"labels has shape \(2,\)"),
        ({"labels": ["yes", 1, 0]}, "labels are not numbers"),
        ({"scores": {"m": [0.5, 0.5, 1.5]}}, r"scores of m: 1 of 3 values .* 1\.5 in row 2"),
        ({"scores": {"m": [0.5, np.nan, np.inf]}}, r"scores of m: 2 of 3 values .* nan in row 1"),
        ({"scores": {"m": [0.5]}}, "scores of m has shape"),
        ({"segments": {"s": ["a", "b"]}}, "s has 2 values, but there are 3 rows"),
        ({"segments": {"s": ["a", None, "b"]}}, "s: 1 of 3 values are not text; the first is None in row 1"),
        ({"units": ["a", "b", 3]}, "units: 1 of 3 values are not text; the first is 3 in row 2"),
        ({"thresholds": {}}, "model 'm' has a score but no threshold"),
        ({"thresholds": {"m": 0.5, "n": 0.5}}, "model 'n' has a threshold but no score"),
        ({"thresholds": {"m": np.nan}}, "threshold of 'm' is nan"),
        ({"buckets": 0}, "0 buckets"),
    ],
)
def test_bad_rows_are_refused_by_name_count_and_row(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "labels": [0, 1, 1],
        "scores": {"m": [0.1, 0.2, 0.3]},
        "segments": {"s": ["a", "b", "a"]},
        "units": ["1", "2", "3"],
        "thresholds": {"m": 0.5},
    }
    Profile.build(**good)
    with pytest.raises(InvalidInput, match=message):
        Profile.build(**(good | change))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"scores": {"n": [0.5]}, "thresholds": {"n": 0.5}}, "models"),
        ({"thresholds": {"m": 0.6}}, "thresholds"),
        ({"segments": {"t": ["a"]}}, "columns"),
        ({"buckets": 20}, "buckets"),
        ({"seed": 1}, "seed"),
    ],
)
def test_profiles_of_different_things_are_not_added(change: dict[str, Any], name: str) -> None:
    base: dict[str, Any] = {
        "labels": [1],
        "scores": {"m": [0.5]},
        "segments": {"s": ["a"]},
        "units": ["1"],
        "thresholds": {"m": 0.5},
    }
    with pytest.raises(InvalidInput, match=f"different {name}"):
        Profile.build(**base) + Profile.build(**(base | change))


def test_unknown_names_are_refused_with_the_nearest() -> None:
    profile = profile_of([])
    with pytest.raises(InvalidInput, match="origin"):
        profile.position(Segment((("orgin", "JFK"),)))
    with pytest.raises(InvalidInput, match="twice"):
        profile.position(Segment((("origin", "JFK"), ("origin", "LGA"))))
    with pytest.raises(InvalidInput, match="no model"):
        profile.totals().count("tp", "z")
    with pytest.raises(InvalidInput, match="score"):
        profile.totals().sum("scores", "x")
    with pytest.raises(InvalidInput, match="crosses"):
        profile.up_to(-1)
    flat = Profile.build([1], {}, {"a": ["p"], "b": ["q"]}, None, {}, cross=1)
    for wrong in (lambda: flat.up_to(2), lambda: flat.position(Segment((("a", "p"), ("b", "q"))))):
        with pytest.raises(InvalidInput, match="cross=2"):
            wrong()
    with pytest.raises(InvalidInput, match="crosses"):
        Profile.build([1], {}, {}, None, {}, cross=-1)
    with pytest.raises(InvalidInput, match="no rows"):
        Profile.stream(list, {})


def test_sums_that_could_leave_64_bits_are_refused() -> None:
    profile = Profile.build([1.0], {"m": [0.5]}, {}, None, {"m": 0.5})
    large = replace(profile, table=np.full_like(profile.table, 2**62))
    with pytest.raises(InvalidInput, match="64 bits"):
        large + profile


def test_damaged_bytes_are_refused() -> None:
    good = profile_of([(1.0, 0.5, 0.5, "JFK", "B6", str(i)) for i in range(9)]).to_bytes()
    fields = msgspec.msgpack.decode(good)
    damaged = [
        b"",
        b"not a profile",
        good[:-3],
        msgspec.msgpack.encode(fields | {"format": 1}),
        msgspec.msgpack.encode(fields | {"keys": b"\x01\x00\x02"}),
        msgspec.msgpack.encode(fields | {"keys": b"\xff"}),
        msgspec.msgpack.encode(fields | {"keys": b"\xff" * 12 + b"\x01"}),
        msgspec.msgpack.encode(fields | {"segments": []}),
        msgspec.msgpack.encode(fields | {"segments": [*fields["segments"], [["origin", "ZZZ"]]]}),
        msgspec.msgpack.encode(fields | {"models": ["y", "x"]}),
        msgspec.msgpack.encode(fields | {"table": fields["table"][1:]}),
        msgspec.msgpack.encode(fields | {"buckets": 0}),
        msgspec.msgpack.encode(fields | {"histograms": fields["histograms"][:1]}),
        msgspec.msgpack.encode(fields | {"histograms": [[b"\xff" * 8 + b"\x7f", b"\1", b"\1"]] * 2}),
        msgspec.msgpack.encode(fields | {"influence": fields["influence"][:1]}),
        msgspec.msgpack.encode(fields | {"squares": []}),
    ]
    for data in damaged:
        with pytest.raises(InvalidInput):
            Profile.from_bytes(data)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_never_breaks_out(position: int, value: int) -> None:
    data = bytearray(profile_of([(1.0, 0.5, 0.1, "JFK", "B6", str(i)) for i in range(5)]).to_bytes())
    data[position % len(data)] = value
    try:
        profile = Profile.from_bytes(bytes(data))
    except InvalidInput:
        return
    profile.totals()
    profile.without_each_bucket()
