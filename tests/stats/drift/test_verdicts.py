import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import InvalidInput
from assay.stats import OVERALL, Segment
from assay.stats.drift import Baseline, TableProfile, Verdict, judge, same_season
from assay.stats.drift.distances import measures_of

ROWS = 1000


def window(
    generator: np.random.Generator, rows: int = ROWS, shift: float = 0.0, missing: float = 0.0, new: float = 0.0
) -> pa.Table:
    plan = np.array(["basic", "plus", "team"])[generator.choice(3, rows, p=[0.6, 0.3, 0.1])].astype(object)
    plan[generator.random(rows) < new] = "brand-new"
    age = generator.normal(40 + 10 * shift, 10, rows)
    return pa.table(
        {
            "age": pa.array(np.where(generator.random(rows) < missing, np.nan, age)),
            "plan": pa.array(plan, pa.string()),
            "active": generator.random(rows) < 0.4,
            "city": np.array(["Bonn", "Ulm"])[generator.integers(0, 2, rows)],
        }
    )


def baseline(windows: int = 10, seed: int = 1, **options: object) -> Baseline:
    generator = np.random.default_rng(seed)
    columns = ["age", "plan", "active"]
    profiles = [TableProfile.of(window(generator), columns=columns, segments=["city"]) for _ in range(windows)]
    return Baseline.learn(profiles, **options)  # type: ignore[arg-type]


BASELINE = baseline()


def judged(learned: Baseline = BASELINE, seed: int = 2, **changes: float) -> list[Verdict]:
    current = window(np.random.default_rng(seed), **changes)  # type: ignore[arg-type]
    return judge(learned, TableProfile.of(current, like=learned.reference))


def row(verdicts: list[Verdict], column: str, measure: str, segment: Segment = OVERALL) -> Verdict:
    return next(one for one in verdicts if (one.column, one.measure, one.segment) == (column, measure, segment))


def test_a_window_like_the_others_is_ok_everywhere() -> None:
    verdicts = judged()
    assert {one.state for one in verdicts} == {"ok"}
    assert len(verdicts) == 3 * (3 + 3 + 2)  # overall and two cities
    assert {one.method for one in verdicts} == {"10 windows"}
    assert "age: as usual" in {one.words for one in verdicts}


def test_a_shift_is_found_in_its_column_and_said_from_what_to_what() -> None:
    verdicts = judged(shift=0.5)
    assert {one.column for one in verdicts if one.state == "drift"} == {"age"}
    mean = row(verdicts, "age", "mean")
    assert mean.words.startswith("age: the mean moved, from 39.8 to 45")
    assert "usual is up to" in mean.words
    assert "(10 windows)" in mean.words
    assert mean.distance is not None
    assert mean.bound is not None
    assert mean.distance > mean.bound
    assert mean.p is not None
    assert mean.adjusted_p is not None
    assert mean.p <= mean.adjusted_p
    assert row(verdicts, "age", "ks", Segment((("city", "Ulm"),))).words.startswith("age in city=Ulm: ")


def test_missing_values_and_new_categories_are_found_where_there_were_none() -> None:
    verdicts = judged(missing=0.05, new=0.04)
    found = {(one.column, one.measure) for one in verdicts if one.state == "drift" and one.segment == OVERALL}
    assert found == {("age", "missing"), ("plan", "new"), ("plan", "js")}
    assert "from 0.0 % to 5." in row(verdicts, "age", "missing").words
    assert "'brand-new'" in row(verdicts, "plan", "new").words


def test_a_surprise_that_does_not_matter_is_ok_and_says_so() -> None:
    generator = np.random.default_rng(3)
    large = [TableProfile.of(window(generator, 50_000), columns=["age"]) for _ in range(10)]
    current = TableProfile.of(window(generator, 50_000, shift=0.04), columns=["age"])
    ks = row(judge(Baseline.learn(large), current), "age", "ks")
    assert ks.state == "ok"
    assert ks.p is not None
    assert ks.p < 0.01
    assert ks.words.endswith("below 0.05 it does not matter")
    assert row(judge(Baseline.learn(large), current, floors={"ks": 0.005}), "age", "ks").state == "drift"


def test_drift_is_what_comes_in_two_of_three_windows() -> None:
    calm, moved = judged(), judged(shift=0.5)
    current = TableProfile.of(window(np.random.default_rng(4), shift=0.5), like=BASELINE.reference)
    quiet = TableProfile.of(window(np.random.default_rng(5)), like=BASELINE.reference)

    def state(now: TableProfile, earlier: list[list[Verdict]]) -> str:
        return row(judge(BASELINE, now, earlier=earlier), "age", "ks").state

    assert state(current, []) == "watch"
    assert state(current, [moved, calm, calm]) == "watch"
    assert state(current, [moved, calm]) == "drift"
    assert state(current, [calm, moved]) == "drift"
    assert state(quiet, [moved, moved]) == "drift"
    assert state(quiet, [moved, moved, calm]) == "ok"
    assert state(quiet, [moved]) == "ok"
    words = row(judge(BASELINE, current, earlier=[]), "age", "ks").words
    assert words.endswith("; once so far")


def test_how_the_bound_was_learned_is_said() -> None:
    generator = np.random.default_rng(6)
    windows = [TableProfile.of(window(generator), columns=["age"]) for _ in range(3)]
    hours = [TableProfile.of(window(generator, 100), columns=["age"]) for _ in range(30)]
    current = TableProfile.of(window(generator, shift=0.5), columns=["age"])
    for learned, method, state in (
        (Baseline.learn(windows), "analytic", "drift"),
        (Baseline.learn(windows, blocks=hours), "bootstrap", "drift"),
        (Baseline.learn(windows[:1], blocks=hours), "bootstrap", "drift"),
        (Baseline.learn(windows, blocks=hours[:12]), "analytic", "drift"),
        (Baseline.learn(windows[:1]), "uncalibrated", "uncalibrated"),
    ):
        ks = row(judge(learned, current), "age", "ks")
        assert (ks.method, ks.state) == (method, state)
        if state == "uncalibrated":
            assert ks.p is None
            assert ks.bound is None
            assert ks.interval is not None
            assert 0.1 < ks.interval.low < ks.effect < ks.interval.high < 0.3  # type: ignore[operator]
            assert "uncalibrated" in ks.words


def test_windows_that_wander_are_no_drift_where_chance_alone_would_say_so() -> None:
    generator = np.random.default_rng(7)
    profiles = [
        TableProfile.of(window(generator, 5000, shift=generator.normal(0, 0.15)), columns=["age"]) for _ in range(12)
    ]
    now = TableProfile.of(window(generator, 5000, shift=0.2), columns=["age"])
    assert row(judge(Baseline.learn(profiles), now), "age", "ks").state == "ok"
    assert row(judge(Baseline.learn(profiles[:5]), now), "age", "ks").state == "drift"


def test_nothing_to_compare_is_no_pass_and_breaks_nothing() -> None:
    empty = TableProfile.of(window(np.random.default_rng(8), 0), like=BASELINE.reference)
    verdicts = judge(BASELINE, empty)
    assert {one.state for one in verdicts} == {"uncalibrated"}
    assert "age: not compared, this window has no values" in {one.words for one in verdicts}
    gone = judged(missing=1.0)
    assert row(gone, "age", "ks").state == "uncalibrated"
    assert row(gone, "age", "missing").state == "drift"
    one_row = judged(rows=1)
    assert all(one.state != "drift" for one in one_row if one.measure in ("ks", "js", "mean"))


def test_a_window_with_fewer_rows_than_the_reference_windows_may_differ_more() -> None:
    flagged = 0
    for seed in range(40):
        verdicts = judged(seed=100 + seed, rows=100)
        flagged += row(verdicts, "age", "ks").state == "drift"
    assert flagged <= 2


def test_constants_are_judged() -> None:
    constant = pa.table({"x": [1.0] * 500, "w": ["a"] * 500, "b": [True] * 500})
    learned = Baseline.learn([TableProfile.of(constant)] * 8)
    assert {one.state for one in judge(learned, TableProfile.of(constant))} == {"ok"}
    other = pa.table({"x": [2.0] * 500, "w": ["b"] * 500, "b": [False] * 500})
    verdicts = judge(learned, TableProfile.of(other))
    for column, measure in (("x", "ks"), ("w", "js"), ("w", "new"), ("b", "linf")):
        assert row(verdicts, column, measure).state == "drift", (column, measure)


def test_a_baseline_goes_to_bytes_and_back() -> None:
    again = Baseline.from_bytes(BASELINE.to_bytes())
    assert again.bounds == BASELINE.bounds
    assert again.reference == BASELINE.reference
    current = TableProfile.of(window(np.random.default_rng(9)), like=BASELINE.reference)
    assert judge(again, current) == judge(BASELINE, current)
    with pytest.raises(InvalidInput, match="not a baseline"):
        Baseline.from_bytes(b"nothing")


def test_measures_can_be_chosen_and_wrong_ones_are_named() -> None:
    every = baseline(6, measures={"age": measures_of("number"), "plan": measures_of("category"), "active": []})
    assert every.columns == ["age", "plan"]
    found = judged(every, shift=1.0)
    assert {one.measure for one in found if one.state == "drift" and one.segment == OVERALL} >= {
        "ks",
        "js",
        "psi",
        "mean",
    }
    with pytest.raises(InvalidInput, match="'ks' does not measure column 'plan'"):
        baseline(6, measures={"plan": ["ks"]})
    with pytest.raises(InvalidInput, match="no column 'agee'"):
        baseline(6, measures={"agee": ["ks"]})
    with pytest.raises(InvalidInput, match="no measure 'kss'"):
        judge(BASELINE, BASELINE.reference, floors={"kss": 1.0})
    with pytest.raises(InvalidInput, match="by no segment"):
        judge(BASELINE, TableProfile.of(window(np.random.default_rng(1))))


def test_windows_of_one_season_are_found() -> None:
    start = dt.datetime(2026, 3, 30, 9)  # a Monday
    hours = [start - dt.timedelta(hours=hour) for hour in range(24 * 7 * 8, 0, -1)]
    mondays = same_season(hours, start)
    assert mondays.says == "Mondays at 09:00"
    assert [hours[place] for place in mondays.places] == [start - dt.timedelta(weeks=week) for week in range(8, 0, -1)]
    assert same_season(hours[-24 * 14 :], start).says == "working days at 09:00"
    assert same_season(hours[-24 * 2 :], start).says == "all windows"
    days = [start - dt.timedelta(days=day) for day in range(60, 0, -1)]
    assert same_season(days, start).says == "Mondays"
    assert same_season(days[-20:], start).says == "working days"
    assert same_season(days[-20:], start - dt.timedelta(days=1)).says == "weekends"
    assert same_season([], start).places == ()
    with pytest.raises(InvalidInput, match="with a zone"):
        same_season([dt.datetime(2026, 1, 1, tzinfo=dt.UTC)], start)
    assert same_season(days[:3], start).places == (0, 1, 2)
