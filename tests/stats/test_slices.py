"""Slices are found on one half of the rows and tested on the other."""

import itertools
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


Conditions = tuple[tuple[str, str], ...]


def passengers(seed: int, n: int = 4000) -> tuple[dict[str, NDArray[np.str_]], NDArray[np.float64]]:
    """People on a ship, and the squared error of a model that knows their sex only: worst for women in third class."""
    generator = np.random.default_rng(seed)
    table = {
        "sex": generator.choice(["female", "male"], n, p=[0.35, 0.65]),
        "class": generator.choice(["1", "2", "3"], n, p=[0.25, 0.2, 0.55]),
        "age": generator.choice(["child", "adult", "old"], n, p=[0.1, 0.75, 0.15]),
        "port": generator.choice(["C", "Q", "S"], n, p=[0.2, 0.1, 0.7]),
    }
    female, third = table["sex"] == "female", table["class"] == "3"
    survives = np.where(female, np.where(third, 0.45, 0.95), np.where(table["age"] == "child", 0.5, 0.15))
    return table, (np.where(female, 0.8, 0.17) - (generator.random(n) < survives)) ** 2


def every_slice(table: dict[str, NDArray[np.str_]], level: int = 3) -> dict[Conditions, NDArray[np.bool_]]:
    """All slices of up to `level` columns, by plain loops."""
    found: dict[Conditions, NDArray[np.bool_]] = {}
    for size in range(1, level + 1):
        for columns in itertools.combinations(table, size):
            for values in itertools.product(*(sorted(set(table[column].tolist())) for column in columns)):
                conditions = tuple(zip(columns, values, strict=True))
                found[conditions] = np.all([table[column] == value for column, value in conditions], axis=0)
    return found


def surest_first(
    slices: dict[Conditions, NDArray[np.bool_]], loss: NDArray[np.float64], bucket: NDArray[np.int64], least: int
) -> list[tuple[Conditions, float]]:
    """Slices and effects by our criterion: by t, and of slices within slices only those that are worse."""
    kept: dict[Conditions, tuple[float, float]] = {}
    for conditions, mask in slices.items():
        if mask.sum() < least:
            continue
        effect = loss[mask].mean() - loss[~mask].mean()
        moves = [
            (loss[mask & own] - loss[mask].mean()).sum() / mask.sum()
            - (loss[~mask & own] - loss[~mask].mean()).sum() / (~mask).sum()
            for own in (bucket == one for one in np.unique(bucket))
        ]
        t = effect / math.sqrt(sum(move**2 for move in moves) * len(moves) / (len(moves) - 1))
        wider = [kept[one] for one in itertools.combinations(conditions, len(conditions) - 1) if one in kept]
        if len(conditions) == 1 or (wider and effect > max(other for other, _ in wider)):
            kept[conditions] = (effect, t)
    for size in (1, 2):  # or the search would go on with the first fifty only
        assert sum(len(conditions) == size for conditions in kept) <= 50
    return [(one, kept[one][0]) for one in sorted(kept, key=lambda one: -kept[one][1]) if kept[one][1] > 2.0]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_search_finds_what_trying_every_slice_finds(seed: int) -> None:
    # validation.md V21
    table, loss = passengers(seed)
    bucket = bucket_of([f"u{one}" for one in range(len(loss))], 50)
    coded = code_columns({name: column.astype(object) for name, column in table.items()}, len(loss))
    half = bucket % 2 == 0
    slices = every_slice({name: column[half] for name, column in table.items()})
    expected: list[tuple[Conditions, float]] = []
    for conditions, effect in surest_first(slices, loss[half], bucket[half], 30):
        mask = slices[conditions]
        if all((mask & slices[one]).sum() < 0.9 * max(mask.sum(), slices[one].sum()) for one, _ in expected):
            expected.append((conditions, effect))
    found = find_slices(coded, loss, bucket, minimum_rows=30, find=8)
    assert [one.segment.conditions for one in found] == [conditions for conditions, _ in expected[:8]]
    assert [one.effect_discovery for one in found] == pytest.approx([effect for _, effect in expected[:8]], abs=1e-6)

    # SliceLine's score weighs the ratio of mean losses against the share of rows by a constant, and knows no error
    def score(conditions: Conditions) -> float:
        own = loss[half][slices[conditions]]
        return float(0.95 * (own.mean() / loss[half].mean() - 1.0) - 0.05 * (half.sum() / len(own) - 1.0))

    best = max((one for one, mask in slices.items() if mask.sum() >= 30), key=score)
    assert best == (("sex", "female"), ("class", "3"))
    assert set(best) <= set(found[0].segment.conditions)
    assert found[0].confirmed


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
