"""Splits of every kind: deterministic, disjoint, stable when rows are added, and refused where they would mislead."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import assay
from assay.build.data.split_rolling import rolling_splits
from assay.build.data.split_slices import slice_of
from assay.build.data.splits import Split, split
from assay.errors import InvalidInput
from assay.record.datasets import dataset
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run
from assay.stats.buckets import bucket_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def table(rows: int = 2000, seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "id": [f"row {i}" for i in range(rows)],
            "patient": [f"p{i}" for i in rng.integers(0, rows // 8, rows)],
            "hour": pa.array([START + timedelta(hours=i // 4) for i in range(rows)], pa.timestamp("us", "UTC")),
            "year": pa.array(2015 + np.arange(rows) * 5 // rows),
            "region": rng.choice(["north", "south", "west"], rows, p=[0.7, 0.25, 0.05]),
            "late": (rng.random(rows) < 0.1).astype(int),
        }
    )


ALL = {
    "random": {},
    "stratified": {"label": "late", "by": "region"},
    "group": {"group": "patient"},
    "time": {"time": "hour"},
    "entity": {"group": "patient", "time": "hour"},
}


def shares(made: Split) -> dict[str, float]:
    total = sum(map(len, made.indices.values())) + made.left_out
    return {name: len(rows) / total for name, rows in made.indices.items()}


@pytest.mark.parametrize("how", ALL)
def test_no_row_is_in_two_parts_and_parts_hold_the_rows_of_their_indices(how: str) -> None:
    whole = table()
    made = split(whole, how, validation=0.2, **ALL[how])  # type: ignore[arg-type]
    assert made.names == ["train", "validation", "test"]
    together = np.concatenate(list(made.indices.values()))
    assert len(np.unique(together)) == len(together) == whole.num_rows - made.left_out
    for name, part in zip(made.names, made, strict=True):
        assert part.equals(whole.take(pa.array(made.indices[name])))
        assert (np.diff(made.indices[name]) > 0).all()
    assert (made.left_out > 0) == (how == "entity")


@pytest.mark.parametrize("how", ALL)
def test_the_same_call_gives_the_same_parts_and_another_seed_others(how: str) -> None:
    whole = table()
    first, again = (split(whole, how, **ALL[how]) for _ in range(2))  # type: ignore[arg-type]
    assert first.test.equals(again.test)
    other = split(whole, how, seed=1, **ALL[how])  # type: ignore[arg-type]
    assert first.test.equals(other.test) == (how == "time")


@pytest.mark.parametrize(("how", "options"), [("random", {"key": "id"}), ("group", {"group": "patient"})])
def test_rows_that_are_added_move_no_other_whatever_the_order(how: str, options: dict[str, str]) -> None:
    whole = table()
    before = split(whole.slice(0, 1200), how, **options)  # type: ignore[arg-type]
    mixed = whole.take(pa.array(np.random.default_rng(3).permutation(whole.num_rows)))
    after = split(mixed, how, **options)  # type: ignore[arg-type]
    assert set(before.test["id"].to_pylist()) <= set(after.test["id"].to_pylist())
    assert set(before.train["id"].to_pylist()) <= set(after.train["id"].to_pylist())


def test_appended_rows_move_no_other_without_a_key_too() -> None:
    whole = table()
    before, after = split(whole.slice(0, 1200)), split(whole)
    assert after.indices["test"][: len(before.indices["test"])].tolist() == before.indices["test"].tolist()


def test_a_test_set_stays_when_a_validation_part_is_cut_out_of_the_rest() -> None:
    whole = table()
    assert split(whole, "random", validation=0.1).test.equals(split(whole, "random").test)
    assert split(whole, "group", group="patient", validation=0.1).test.equals(
        split(whole, "group", group="patient").test
    )


def test_shares_by_hash_are_met_nearly_and_those_of_strata_exactly() -> None:
    whole = table(20_000)
    assert shares(split(whole, "random", key="id"))["test"] == pytest.approx(0.2, abs=0.01)
    assert shares(split(whole, "random"))["test"] == pytest.approx(0.2, abs=0.01)
    made = split(whole, "stratified", label="late", by="region", key="id")
    for label in (0, 1):
        for region in ("north", "south", "west"):
            counts = [
                sum(r == region and y == label for r, y in zip(*_columns(part, "region", "late"), strict=True))
                for part in made
            ]
            assert abs(counts[1] - 0.2 * sum(counts)) <= 1


def _columns(part: pa.Table, *names: str) -> list[list[object]]:
    return [part[name].to_pylist() for name in names]


def test_strata_of_a_few_rows_do_not_all_round_the_same_way() -> None:
    whole = pa.table({"shop": np.repeat(np.arange(1000), 2), "y": np.tile([0, 1], 1000)})
    assert shares(split(whole, "stratified", label="y", by="shop"))["test"] == pytest.approx(0.2, abs=0.04)


def test_rows_of_one_key_stay_together_in_a_stratum() -> None:
    whole = pa.table({"key": np.repeat(np.arange(500), 3), "y": np.repeat(np.arange(500) % 2, 3)})
    made = split(whole, "stratified", label="y", key="key")
    assert not set(made.train["key"].to_pylist()) & set(made.test["key"].to_pylist())


def test_a_group_is_on_one_side_and_several_columns_make_one() -> None:
    whole = table()
    made = split(whole, "group", group=["region", "patient"])
    sides = [set(zip(*_columns(part, "region", "patient"), strict=True)) for part in made]
    assert not sides[0] & sides[1]


def test_a_split_by_time_keeps_a_moment_together_and_leaves_the_gap_out() -> None:
    whole = table()
    made = split(whole, "time", time="hour", validation=0.2, gap=timedelta(days=1))
    train, validation, test = (part["hour"].to_pylist() for part in made)
    assert max(train) + timedelta(days=1) < min(validation)
    assert max(validation) + timedelta(days=1) < min(test)
    assert made.left_out == 2 * 24 * 4
    assert shares(made)["test"] == pytest.approx(0.2, abs=0.01)


def test_times_may_be_years_dates_or_missing() -> None:
    whole = table()
    made = split(whole, "time", time="year", test=0.4)
    assert set(made.train["year"].to_pylist()) == {2015, 2016, 2017}
    cut = split(whole, "time", time="hour", cuts=[date(2026, 1, 11)])
    assert max(cut.train["hour"].to_pylist()) < datetime(2026, 1, 11, tzinfo=UTC) <= min(cut.test["hour"].to_pylist())
    holes = whole.set_column(2, "hour", pa.array([None, *whole["hour"].to_pylist()[1:]], whole["hour"].type))
    assert 0 not in split(holes, "time", time="hour").indices["train"]
    assert split(holes, "time", time="hour").left_out == 1


def test_entities_are_new_and_later() -> None:
    made = split(table(), "entity", group="patient", time="hour", test=0.3)
    assert not set(made.train["patient"].to_pylist()) & set(made.test["patient"].to_pylist())
    assert max(made.train["hour"].to_pylist()) < min(made.test["hour"].to_pylist())
    assert shares(made)["test"] == pytest.approx(0.09, abs=0.03)


def test_parts_have_the_names_they_are_given_earlier_ones_first() -> None:
    made = split(table(), "time", time="hour", parts={"fit": 0.5, "tune": 0.2, "judge": 0.3})
    fit, tune, judge = made
    assert max(fit["hour"].to_pylist()) < min(tune["hour"].to_pylist()) < min(judge["hour"].to_pylist())
    assert "judge: 600 rows (30.0%)" in str(made)
    with pytest.raises(InvalidInput, match="no part 'jugde'") as raised:
        made["jugde"]
    assert raised.value.hint == "did you mean 'judge'?"


def test_the_units_of_a_test_set_fill_all_buckets_of_an_evaluation() -> None:
    units = pa.table({"unit": [f"u{i}" for i in range(5000)]})
    test = split(units, "group", group="unit", test=0.1).test
    assert len(np.unique(bucket_of(test["unit"]))) == 50


@pytest.mark.parametrize(
    ("how", "options", "message"),
    [
        ("rolling", {}, "there is no split 'rolling'"),
        ("stratifed", {}, "there is no split 'stratifed'"),
        ("group", {}, "group= is not given"),
        ("stratified", {}, "label= is not given"),
        ("random", {"group": "patient"}, "does not read group="),
        ("random", {"gap": timedelta(days=1)}, "does not read gap="),
        ("group", {"group": "patient", "key": "id"}, "does not read key="),
        ("random", {"test": 1.0}, "the shares are"),
        ("random", {"parts": {"a": 0.5, "b": 0.4}}, "add up to 0.9"),
        ("random", {"label": "lat"}, "no column 'lat'"),
        ("group", {"group": "constant"}, "constant has 1 group"),
        ("time", {"time": "constant"}, "type string"),
        ("time", {"time": "hour", "gap": 3}, "the gap is 3"),
        ("time", {"time": "hour", "gap": timedelta(days=9000)}, "the part 'train' has no rows"),
        ("time", {"time": "hour", "cuts": [START, START]}, "cuts are"),
        ("random", {"label": "constant"}, "every label in 'constant' is 'same'"),
        ("random", {"label": "nothing"}, "no row has a label in 'nothing'"),
        ("stratified", {"label": "rare"}, "the label '1' of 'rare' is in too few rows"),
        ("time", {"time": "hour", "label": "early"}, "the label 'early' is 0 in every row of the part 'test'"),
        ("group", {"group": "holes"}, "1,999 of 2,000 rows have no 'holes'"),
    ],
)
def test_what_would_mislead_is_refused(how: str, options: dict[str, object], message: str) -> None:
    whole = table()
    rows = whole.num_rows
    extra = {
        "constant": ["same"] * rows,
        "nothing": pa.nulls(rows, pa.int64()),
        "rare": [1] + [0] * (rows - 1),
        "early": [1] * 10 + [0] * (rows - 10),
        "holes": ["x"] + [None] * (rows - 1),
    }
    for name, values in extra.items():
        whole = whole.append_column(name, pa.array(values))
    with pytest.raises(InvalidInput) as raised:
        split(whole, how, **options)  # type: ignore[arg-type]
    assert message in str(raised.value)


def test_a_small_part_without_a_group_says_what_to_do() -> None:
    few = pa.table({"group": ["a", "b", "c"] * 10})
    with pytest.raises(InvalidInput, match="'test' has no rows: no group fell into it") as raised:
        split(few, "group", group="group", test=0.0001)
    assert raised.value.hint == "a larger share, or another seed"


def test_a_recorded_split_keeps_parts_and_description_once(store: SqlStore) -> None:
    made = split(table(), "group", group="patient")
    with start_run(store, "study") as run:
        kept = made.record(store, "visits")
        made.record(store, "visits")
    assert dataset(store, kept["test"].hash).equals(made.test)
    (row,) = store.query("artifact", {"type": "split"})
    assert f'"train":{made.train.num_rows}' in store.blobs.get(row["blob"]).decode()
    outputs = {link["name"] for link in store.query("run_io", {"run_id": run.run_id, "role": "output"})}
    assert outputs == {"visits", "visits-train", "visits-test"}


def test_a_split_may_come_out_of_a_step(store: SqlStore) -> None:
    @assay.step
    def parts(rows: int) -> Split:
        return split(table(rows), "group", group="patient")

    for _ in range(2):
        with start_run(store, "study"):
            assert parts(500).test.num_rows == split(table(500), "group", group="patient").test.num_rows


def test_rolling_origins_train_on_what_was_known() -> None:
    whole = table()
    folds = list(rolling_splits(whole, "hour", horizon=timedelta(days=2), folds=4, gap=timedelta(hours=12)))
    ends = [START + timedelta(hours=1)]
    for fold in folds:
        train, test = fold.train["hour"].to_pylist(), fold.test["hour"].to_pylist()
        assert max(train) + timedelta(hours=12) < min(test)
        assert max(test) - min(test) < timedelta(days=2)
        assert min(test) > ends[-1]
        ends.append(max(test))
    assert ends[-1] == max(whole["hour"].to_pylist())
    assert [fold.train.num_rows for fold in folds] == sorted(fold.train.num_rows for fold in folds)
    assert folds[1].description["fold"] == 2


def test_a_window_forgets_what_is_old_and_years_roll_too() -> None:
    folds = list(rolling_splits(table(), "hour", horizon=timedelta(days=2), folds=3, window=timedelta(days=5)))
    for fold in folds:
        train = fold.train["hour"].to_pylist()
        assert max(train) - min(train) < timedelta(days=5)
    years = [set(fold.test["year"].to_pylist()) for fold in rolling_splits(table(), "year", horizon=1, folds=2)]
    assert years == [{2018}, {2019}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": timedelta(days=2), "folds": 50}, "fold 1 of 50 has no rows in train"),
        ({"horizon": 2}, "the horizon is 2"),
        ({"horizon": timedelta(0)}, "5 folds of"),
        ({"horizon": timedelta(days=1), "gap": timedelta(days=-1)}, "the gap is"),
    ],
)
def test_a_fold_without_rows_is_refused_before_the_first_is_given(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        rolling_splits(table(), "hour", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("stratify", [(), ("late", "region")])
def test_a_smaller_slice_lies_in_a_larger_one(stratify: tuple[str, ...]) -> None:
    whole = table()
    sizes = [slice_of(whole, share, stratify=stratify, key="id") for share in (0.1, 0.3, 1.0)]
    assert [part.num_rows for part in sizes] == [200, 600, 2000]
    small, large, everything = (set(part["id"].to_pylist()) for part in sizes)
    assert small < large < everything
    assert sizes[2].equals(whole)
    assert slice_of(whole, rows=200, stratify=stratify, key="id").equals(sizes[0])


def test_a_stratified_slice_keeps_the_shares_of_labels() -> None:
    whole = table()
    positives = sum(whole["late"].to_pylist())
    assert abs(sum(slice_of(whole, 0.1, stratify="late")["late"].to_pylist()) - positives / 10) <= 1


def test_a_slice_of_training_data_is_no_special_part_of_them() -> None:
    made = split(table(), "random", key="id", test=0.5)
    part = slice_of(table(), 0.5, key="id")
    both = len(set(part["id"].to_pylist()) & set(made.test["id"].to_pylist()))
    assert both / 1000 == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("options", [{}, {"share": 0.5, "rows": 3}, {"share": 0.0}, {"rows": 0}, {"rows": 3000}])
def test_how_much_a_slice_holds_is_said_once_and_possible(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        slice_of(table(), **options)  # type: ignore[arg-type]


def test_a_table_may_come_as_a_file_or_a_frame(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table(), tmp_path / "rows.parquet")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": range(100)})
    assert split(tmp_path / "rows.parquet").test.equals(split(table()).test)
    assert split(frame).train.num_rows + split(frame).test.num_rows == 100
