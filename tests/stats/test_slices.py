"""Slices are found on one half of the rows and tested on the other."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import Segment
from assay.stats.buckets import bucket_of
from assay.stats.segmentation import CodedColumns, code_columns
from assay.stats.slices import FoundSlice, find_slices

ROWS = 6000
NAMES = {"device": "abc", "country": "defgh", "plan": "xy"}


def rows(seed: int, n: int = ROWS, per_unit: int = 1) -> tuple[CodedColumns, NDArray[np.float64], NDArray[np.int64]]:
    """Columns without any effect, losses of mean 1 in which rows of a unit share chance, and buckets of the units."""
    generator = np.random.default_rng(seed)
    columns = {name: generator.choice(list(values), n).astype(object) for name, values in NAMES.items()}
    unit = np.arange(n) // per_unit
    shared = generator.exponential(1.0, n // per_unit + 1)[unit]
    return code_columns(columns, n), shared, bucket_of([f"u{one}" for one in unit], 50)


def inside(coded: CodedColumns, **values: str) -> NDArray[np.bool_]:
    mask = np.ones(coded.rows, dtype=bool)
    for name, value in values.items():
        place = coded.names.index(name)
        mask &= coded.codes[place] == coded.values[place].index(value)
    return mask


@pytest.mark.parametrize(
    "values", [{"device": "b"}, {"device": "b", "country": "f"}, dict(zip(NAMES, "cgx", strict=True))]
)
def test_a_planted_slice_is_found_and_confirmed(values: dict[str, str]) -> None:
    coded, loss, bucket = rows(1, 20_000)
    loss = loss + 1.5 * inside(coded, **values)
    best = find_slices(coded, loss, bucket, minimum_rows=30)[0]
    assert dict(best.segment.conditions) == values
    assert best.confirmed
    assert best.low < best.effect < best.high
    assert best.effect == pytest.approx(1.5, abs=0.3)
    assert best.effect_discovery == pytest.approx(1.5, abs=0.3)


def test_where_a_candidate_is_worse_than_the_baseline_is_found() -> None:
    coded, loss, bucket = rows(2)
    difference = (loss - 1.0) * 0.5 + 0.4 * inside(coded, country="g") - 0.1
    best = find_slices(coded, difference, bucket, kind="difference")[0]
    assert best.segment == Segment((("country", "g"),))
    assert best.confirmed
    assert best.effect == pytest.approx(0.3, abs=0.1)


@pytest.mark.parametrize("per_unit", [1, 6])
@pytest.mark.parametrize("kind", ["loss", "difference"])
def test_nothing_is_confirmed_where_there_is_nothing(kind: Any, per_unit: int) -> None:
    runs = 200
    confirmed = 0
    for seed in range(runs):
        coded, loss, bucket = rows(seed, 1500, per_unit)
        found = find_slices(coded, loss - 1.0 if kind == "difference" else loss, bucket, kind=kind, level=2)
        confirmed += any(one.confirmed for one in found)
    assert confirmed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_the_order_of_rows_changes_nothing() -> None:
    coded, loss, bucket = rows(3)
    loss = loss + 0.3 * inside(coded, device="a")
    order = np.random.default_rng(9).permutation(ROWS)
    shuffled = CodedColumns(coded.names, coded.values, tuple(codes[order] for codes in coded.codes), ROWS)
    assert find_slices(shuffled, loss[order], bucket[order]) == find_slices(coded, loss, bucket)


def test_the_figures_are_those_of_the_rows() -> None:
    coded, loss, bucket = rows(4)
    loss = loss + inside(coded, plan="y")
    best = find_slices(coded, loss, bucket)[0]
    mask, confirming = inside(coded, **dict(best.segment.conditions)), bucket % 2 == 1
    assert best.n == int((mask & confirming).sum())
    assert best.n_discovery == int((mask & ~confirming).sum())
    expected = loss[mask & confirming].mean() - loss[~mask & confirming].mean()
    assert best.effect == pytest.approx(expected, abs=1e-6)


def test_slices_of_the_same_rows_are_named_once() -> None:
    coded, loss, bucket = rows(5)
    twice = CodedColumns(
        (*coded.names, "again"), (*coded.values, coded.values[0]), (*coded.codes, coded.codes[0]), ROWS
    )
    found = find_slices(twice, loss + 2.0 * inside(coded, device="a"), bucket, level=1)
    assert [one.segment.conditions for one in found if one.confirmed] == [(("device", "a"),)]


def test_few_units_confirm_nothing() -> None:
    coded, loss, _ = rows(6)
    few = np.arange(ROWS, dtype=np.int64) % 12
    assert find_slices(coded, loss + 2.0 * inside(coded, device="a"), few) == []
    assert find_slices(code_columns({}, 0), np.zeros(0), np.zeros(0, dtype=np.int64)) == []


def found(**change: Any) -> list[FoundSlice]:
    coded, loss, bucket = rows(7, 100)
    return find_slices(**{"coded": coded, "loss": loss, "bucket": bucket, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"find": 0}, "0 slices to find"),
        ({"level": 4}, "slices of 4 columns"),
        ({"loss": np.ones(3)}, "3 losses and 100 buckets for 100 rows"),
        ({"loss": np.full(100, np.inf)}, "100 losses are not finite; the first is in row 0"),
        (
            {
                "coded": code_columns({"id": [f"{one}" for one in range(1001)]}, 1001),
                "loss": np.ones(1001),
                "bucket": np.zeros(1001, dtype=np.int64),
            },
            "id has 1,001 values",
        ),
    ],
)
def test_what_cannot_be_searched_is_told(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        found(**change)
