import itertools
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.stats import METRICS, OVERALL, Profile, Segment, bucket_of

ROW = st.tuples(
    st.sampled_from([0.0, 1.0, float("nan")]),
    st.floats(0, 1),
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    st.sampled_from(["EWR", "JFK", "LGA"]),
    st.sampled_from(["B6", "ü"]),
    st.text("abc", max_size=2),
)
ROWS = st.lists(ROW, max_size=40)


def profile_of(rows: list[tuple[Any, ...]]) -> Profile:
    label, x, y, origin, carrier, unit = ([row[i] for row in rows] for i in range(6))
    return Profile.build(
        np.array(label, dtype=float),
        {"x": np.array(x, dtype=float), "y": np.array(y, dtype=float)},
        {"origin": origin, "carrier": carrier},
        unit,
        {"x": 0.5, "y": 0.4},
        buckets=7,
        seed=3,
    )


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[tuple[Any, ...]], random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert profile_of(rows).to_bytes() == profile_of(shuffled).to_bytes()


@given(ROWS, st.integers(0, 40), st.integers(0, 40))
def test_merged_shards_are_the_whole_bit_for_bit(rows: list[tuple[Any, ...]], first: int, second: int) -> None:
    first, second = sorted((first, second))
    a, b, c = (profile_of(part) for part in (rows[:first], rows[first:second], rows[second:]))
    whole = profile_of(rows).to_bytes()
    for shards in itertools.permutations((a, b, c)):
        assert (shards[0] + (shards[1] + shards[2])).to_bytes() == whole
        assert ((shards[0] + shards[1]) + shards[2]).to_bytes() == whole


@given(ROWS)
def test_bytes_lead_back_to_the_same_profile(rows: list[tuple[Any, ...]]) -> None:
    profile = profile_of(rows)
    read = Profile.from_bytes(profile.to_bytes())
    assert read == profile
    assert read.to_bytes() == profile.to_bytes()
    for segment in profile.segments():
        for metric in METRICS.values():
            np.testing.assert_array_equal(
                metric.value(profile.state(segment), "x"), metric.value(read.state(segment), "x")
            )


@settings(max_examples=40)
@given(ROWS)
def test_a_segments_state_is_the_profile_of_its_rows(rows: list[tuple[Any, ...]]) -> None:
    profile = profile_of(rows)
    for segment in profile.segments():
        wanted = dict(segment.conditions)
        inside = [r for r in rows if all({"origin": r[3], "carrier": r[4]}[c] == v for c, v in wanted.items())]
        state, alone = profile.state(segment), profile_of(inside).state(OVERALL)
        np.testing.assert_array_equal(state.table, alone.table)
        for model in ("x", "y"):
            for found, expected in zip(state.histogram(model), alone.histogram(model), strict=True):
                np.testing.assert_array_equal(found, expected)


@settings(max_examples=40)
@given(ROWS)
def test_leaving_a_bucket_out_is_the_profile_of_the_other_rows(rows: list[tuple[Any, ...]]) -> None:
    rest = profile_of(rows).state(OVERALL).leave_one_out()
    buckets = bucket_of([row[5] for row in rows], 7, 3)
    for bucket in range(7):
        others = profile_of([row for row, own in zip(rows, buckets, strict=True) if own != bucket])
        total = others.state(OVERALL).total()
        np.testing.assert_array_equal(rest.table[bucket], total.table[0])
        for metric in METRICS.values():
            np.testing.assert_array_equal(metric.value(rest, "y")[bucket], metric.value(total, "y")[0])
        counts = rest.histogram("y")
        assert counts.positives[bucket].sum() == total.histogram("y").positives.sum()


def test_counts_are_those_of_a_small_table_worked_by_hand() -> None:
    profile = Profile.build(
        [1, 1, 0, 0, float("nan")],
        {"b": [0.9, 0.2, 0.7, 0.1, 0.3], "a": [0.8, 0.6, 0.2, 0.3, 0.3]},
        {},
        ["1", "2", "3", "4", "5"],
        {"a": 0.5, "b": 0.5},
    )
    state = profile.state(OVERALL).total()
    assert (profile.n_rows, state.n_rows[0], state.n_missing_label[0], state.n[0]) == (5, 5, 1, 4)
    assert [int(count[0]) for count in state.confusion("a")] == [2, 0, 0, 2]
    assert [int(count[0]) for count in state.confusion("b")] == [1, 1, 1, 1]
    assert [int(count[0]) for count in state.paired("a", "b")] == [2, 2, 0, 0]
    assert [int(count[0]) for count in state.paired("b", "a")] == [2, 0, 2, 0]
    assert [int(count[0]) for count in state.paired("a", "b", "positive")] == [1, 1, 0, 0]
    sums = state.sums("a")
    assert sums.score[0] == pytest.approx(1.9, abs=1e-6)
    assert sums.squared_error[0] == pytest.approx(0.04 + 0.16 + 0.04 + 0.09, abs=1e-6)
    assert sums.spread[0] == pytest.approx(0.16 + 0.24 + 0.16 + 0.21, abs=1e-6)
    assert sums.log_loss[0] == pytest.approx(-np.log([0.8, 0.6, 0.8, 0.7]).sum(), abs=1e-6)


def test_pairs_of_three_models_keep_apart() -> None:
    rng = np.random.default_rng(3)
    scores = {name: rng.random(200) for name in ("c", "a", "b")}
    label = rng.integers(0, 2, 200)
    profile = Profile.build(label, scores, {}, [str(i) for i in range(200)], dict.fromkeys("abc", 0.5))
    state = profile.state(OVERALL).total()
    for first, second in itertools.permutations("abc", 2):
        one, two = ((scores[name] >= 0.5) == label for name in (first, second))
        expected = [(one & two).sum(), (one & ~two).sum(), (~one & two).sum(), (~one & ~two).sum()]
        assert [int(count[0]) for count in state.paired(first, second)] == expected


def test_segments_are_listed_overall_first_then_by_size() -> None:
    rows = [(1.0, 0.5, 0.5, "JFK", "B6", "1"), (1.0, 0.5, 0.5, "EWR", "ü", "2")]
    profile = profile_of(rows)
    assert [segment.name for segment in profile.segments()] == [
        "overall",
        "origin=EWR",
        "origin=JFK",
        "carrier=B6",
        "carrier=ü",
        "origin=EWR & carrier=ü",
        "origin=JFK & carrier=B6",
    ]
    assert len(profile.segments(cross=1)) == 5
    assert profile.segments(cross=0) == [OVERALL]


def test_many_columns_with_many_values_are_still_told_apart() -> None:
    rng = np.random.default_rng(2)
    columns = {f"c{i}": rng.integers(0, 300, 400).astype(str) for i in range(9)}  # 300**9 > 2**63
    profile = Profile.build(np.zeros(400), {}, columns, [str(i) for i in range(400)], {})
    assert len(profile.cells) == len(set(zip(*columns.values(), strict=True)))
    assert list(profile.cells) == sorted(profile.cells)
    segment = Segment((("c0", columns["c0"][0]), ("c8", columns["c8"][0])))
    expected = ((columns["c0"] == columns["c0"][0]) & (columns["c8"] == columns["c8"][0])).sum()
    assert profile.state(segment).n_rows.sum() == expected


def test_no_rows_are_a_profile_and_change_no_other() -> None:
    empty, one = profile_of([]), profile_of([(1.0, 0.5, 0.5, "JFK", "B6", "1")])
    assert empty.segments() == [OVERALL]
    assert empty.state(OVERALL).total().n_rows.tolist() == [0]
    assert np.isnan(METRICS["auc"].value(empty.state(OVERALL).total(), "x")).all()
    assert empty + one == one + empty == one
    assert one != empty
    assert one != "one"


def test_values_no_row_has_give_a_state_of_zeros() -> None:
    assert profile_of([]).state(Segment((("origin", "LAX"),))).n_rows.sum() == 0


def test_rows_of_one_unit_share_a_bucket() -> None:
    profile = profile_of([(1.0, 0.5, 0.5, "JFK", "B6", "same")] * 9)
    assert (profile.state(OVERALL).n_rows > 0).sum() == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0, 2, 1]}, r"labels: 1 of 3 values .* 2\.0 in row 1"),
        ({"labels": [0, 1]}, r"labels has shape \(2,\)"),
        ({"labels": ["yes", 1, 0]}, "labels are not numbers"),
        ({"scores": {"m": [0.5, 0.5, 1.5]}}, r"scores of m: 1 of 3 values .* 1\.5 in row 2"),
        ({"scores": {"m": [0.5, np.nan, np.inf]}}, r"scores of m: 2 of 3 values .* nan in row 1"),
        ({"scores": {"m": [0.5]}}, "scores of m has shape"),
        ({"segments": {"s": ["a", "b"]}}, "s has shape"),
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
        profile.state(Segment((("orgin", "JFK"),)))
    with pytest.raises(InvalidInput, match="twice"):
        profile.state(Segment((("origin", "JFK"), ("origin", "LGA"))))
    with pytest.raises(InvalidInput, match="no model"):
        profile.state(OVERALL).confusion("z")
    with pytest.raises(InvalidInput, match="itself"):
        profile.state(OVERALL).paired("x", "x")
    with pytest.raises(InvalidInput, match="already"):
        profile.state(OVERALL).total().leave_one_out()
    with pytest.raises(InvalidInput, match="crosses"):
        profile.segments(cross=-1)


def test_damaged_bytes_are_refused() -> None:
    good = profile_of([(1.0, 0.5, 0.5, "JFK", "B6", str(i)) for i in range(9)]).to_bytes()
    fields = msgspec.msgpack.decode(good)
    damaged = [
        b"",
        b"not a profile",
        good[:-3],
        msgspec.msgpack.encode(fields | {"format": 2}),
        msgspec.msgpack.encode(fields | {"keys": [1, b"\x01\x00\x02"]}),
        msgspec.msgpack.encode(fields | {"keys": [3, b"abc"]}),
        msgspec.msgpack.encode(fields | {"cells": []}),
        msgspec.msgpack.encode(fields | {"models": ["y", "x"]}),
        msgspec.msgpack.encode(fields | {"table": fields["table"][1:]}),
        msgspec.msgpack.encode(fields | {"buckets": 0}),
        msgspec.msgpack.encode(fields | {"histograms": fields["histograms"][:1]}),
        msgspec.msgpack.encode(fields | {"histograms": [[[8, b"\xff" * 8], [1, b"\1"], [1, b"\1"]]] * 2}),
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
    profile.state(OVERALL).leave_one_out().histogram("x" if "x" in profile.models else profile.models[0])


def test_states_are_kept_for_a_few_segments_only() -> None:
    profile = profile_of([(1.0, 0.5, 0.5, origin, "B6", "1") for origin in ("EWR", "JFK", "LGA")])
    assert profile.state(OVERALL) is profile.state(OVERALL)
    for i in range(20):
        profile.state(Segment((("origin", str(i)),)))
    assert len(profile._recent) == 8
