"""Expectations from a reference: a fresh sample passes, what is broken does not."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from assay.build.data.checks import check_results
from assay.build.data.expectation_files import parse_expectations, to_toml
from assay.build.data.expectations import Columns, Expectations, Fresh, Label, LabelRate, OneOf, Present, Range, Unique
from assay.build.data.inference import default_expectations, infer_expectations
from assay.demo import data as demo
from assay.errors import InvalidInput


def sample(seed: int, rows: int = 600) -> pa.Table:
    """Columns as people have them: heavy tails, rare values, missing ones, flags, shares, a label that has a time."""
    random = np.random.default_rng(seed)
    days = np.datetime64("2025-01-01") + random.integers(0, 360, rows)
    missing = random.random(rows) < 0.04
    return pa.table(
        {
            "id": pa.array(np.arange(rows) + seed * rows),
            "amount": pa.array(random.lognormal(3, 1, rows), mask=missing),
            "delay": random.standard_t(3, rows) * 20,
            "share": random.beta(1, 5, rows),
            "count": random.poisson(2, rows),
            "kind": pa.array(random.choice(list("abcdefgh"), rows, p=np.array([40, 30, 15, 8, 4, 2, 0.7, 0.3]) / 100)),
            "name": pa.array([f"name {n}" for n in random.integers(0, 10**9, rows)]),
            "flag": random.random(rows) < 0.01,
            "day": pa.array(days),
            "late": (random.random(rows) < 0.25).astype(int),
        }
    )


OPTIONS: dict[str, Any] = {"label": "late", "time": "day", "key": "id"}


def test_what_is_inferred_has_all_kinds_and_survives_its_file() -> None:
    found = infer_expectations(sample(0), **OPTIONS)
    by_column = {(type(one), one.columns): one for one in found}
    assert by_column[Columns, ()].types["kind"] == "text"  # type: ignore[attr-defined] # of Columns
    for kind, columns in [
        *((Present, (name,)) for name in sample(0).column_names),
        *((Range, (name,)) for name in ("amount", "delay", "share", "count")),
        *((OneOf, (name,)) for name in ("kind", "flag")),
        *((Unique, ("id",)), (Label, ("late",)), (LabelRate, ("late", "day"))),
    ]:
        assert (kind, columns) in by_column
    assert (OneOf, ("name",)) not in by_column, "names are no set that somebody keeps"
    share = by_column[Range, ("share",)]
    assert (share.low, share.high <= 1) == (0, True)  # type: ignore[attr-defined] # of Range
    assert parse_expectations(to_toml(found), "a test").hash == found.hash
    assert found.about == "inferred from 600 rows and 10 columns"


def alarms(make: Callable[[int], tuple[pa.Table, pa.Table]], times: int, **options: Any) -> tuple[int, int]:
    """How many pairs of a reference and a fresh sample stop, and how many warn."""
    stops = warns = 0
    for seed in range(times):
        reference, fresh = make(seed)
        results = {one.result for one in check_results(fresh, infer_expectations(reference, **options))}
        stops, warns = stops + ("fail" in results), warns + ("warn" in results)
    return stops, warns


def test_a_fresh_sample_of_the_same_nearly_always_passes() -> None:
    stops, warns = alarms(lambda seed: (sample(2 * seed), sample(2 * seed + 1)), 60, **OPTIONS)
    assert stops == 0
    assert warns <= 3


def test_halves_of_real_flights_and_weather_pass() -> None:
    flights = demo.read("flights")
    flights = flights.append_column("late", pc.greater_equal(flights["arr_delay"], 15)).slice(0, 60_000)

    def halves(table: pa.Table) -> Callable[[int], tuple[pa.Table, pa.Table]]:
        def make(seed: int) -> tuple[pa.Table, pa.Table]:
            first = np.random.default_rng(seed).random(table.num_rows) < 0.5
            return table.filter(pa.array(first)), table.filter(pa.array(~first))

        return make

    assert alarms(halves(flights), 5, label="late", time="departure") <= (0, 1)
    assert alarms(halves(demo.read("weather")), 5) <= (0, 1)


def test_what_is_broken_is_found() -> None:
    reference, fresh = sample(0), sample(1)
    expectations = infer_expectations(reference, **OPTIONS)
    amount = pc.multiply(fresh["amount"], 100)
    broken = {
        "amount in": fresh.set_column(1, "amount", amount),
        "amount is present": fresh.set_column(1, "amount", pa.array([None] * 150 + [1.0] * 450)),
        "kind is known": fresh.set_column(5, "kind", pc.utf8_upper(fresh["kind"])),
        "columns and types": fresh.set_column(4, "count", fresh["count"].cast(pa.string())),
        "id is unique": pa.concat_tables([fresh, fresh.slice(0, 1)]),
        "label late": fresh.set_column(9, "late", pa.array([0] * 600)),
        "60 rows or more": fresh.slice(0, 50),
        "rate of late by day": fresh.set_column(
            9, "late", pc.if_else(pc.greater(fresh["day"], pa.scalar(date(2025, 11, 1))), 1, fresh["late"])
        ),
    }
    for name, table in broken.items():
        found = [one.name for one in check_results(table, expectations) if one.result != "pass"]
        assert any(name in one for one in found), (name, found)


def test_what_cannot_be_a_reference_is_refused() -> None:
    table = sample(0)
    with pytest.raises(InvalidInput, match="the reference has 19 rows"):
        infer_expectations(table.slice(0, 19))
    with pytest.raises(InvalidInput, match="no column 'lte'") as raised:
        infer_expectations(table, label="lte")
    assert raised.value.hint == "did you mean 'late'?"
    with pytest.raises(InvalidInput, match=r"kind is no key of the reference: \d+ rows repeat it"):
        infer_expectations(table, key="kind")
    with pytest.raises(InvalidInput, match="fresh_hours is given without time"):
        infer_expectations(table, fresh_hours=3)
    assert Fresh("day", 3) in list(infer_expectations(table, time="day", fresh_hours=3))


def test_odd_columns_do_no_harm() -> None:
    rows = 30
    table = pa.table(
        {
            "empty": pa.array([None] * rows),
            "nan": [float("nan")] * rows,
            "infinite": [float("inf")] * (rows - 1) + [1.0],
            "list": [[1]] * rows,
            "decimal": pa.array(range(rows), pa.decimal128(10, 2)),
            "constant": ["a"] * rows,
            "classes": list("abc") * 10,
            "day": [date(2025, 1, 1)] * rows,
        }
    )
    for found in (infer_expectations(table, label="classes", time="day"), default_expectations(table)):
        results = check_results(table, found)
        assert [one.name for one in results if one.result == "fail"] == []
    rates = [one for one in infer_expectations(table, label="classes", time="day") if isinstance(one, LabelRate)]
    assert [one.positive for one in rates] == ["a", "b", "c"], "of several classes each has a rate"
    told = [one.name for one in check_results(table, default_expectations(table)) if one.result == "warn"]
    assert told == ["empty varies", "nan varies", "constant varies", "day varies"]


def test_a_number_to_be_predicted_has_no_rate() -> None:
    table = sample(0)
    assert not [one for one in infer_expectations(table, label="amount", time="day") if isinstance(one, LabelRate)]
    assert isinstance(default_expectations(table), Expectations)
