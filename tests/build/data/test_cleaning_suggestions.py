"""A cleaning to begin with: what it suggests, and why."""

import numpy as np
import pyarrow as pa

from assay.build.data.cleaning_rules import Categories, DropMissing, DropRepeated, Fill, Outliers, Repair, Rule
from assay.build.data.cleaning_suggestions import suggest_cleaning
from assay.demo import data as demo

ROWS = 400


def dirty() -> pa.Table:
    random = np.random.default_rng(0)
    numbers = random.normal(3000, 500, ROWS)
    numbers[:3] = 1e9
    age = [None if x < 0.05 else "unknown" if x > 0.98 else f" {int(20 + 50 * x)}" for x in random.random(ROWS)]
    town = random.choice(["Berlin", "berlin ", "Paris", "Rome"], ROWS, p=[0.4, 0.1, 0.25, 0.25])
    town[:4] = ["Oslo", "Ulm", "Ulm", "Bern"]
    return pa.table(
        {
            "age": age,
            "town": town,
            "income": pa.array(numbers, mask=random.random(ROWS) < 0.1),
            "when": [f"2026-01-{1 + row % 28:02d}" for row in range(ROWS)],
            "member": random.choice(["yes", "no"], ROWS),
            "code": [f"0{n}" for n in random.integers(1000, 9999, ROWS)],
            "clean": random.normal(0, 1, ROWS),
            "empty": pa.array([None] * ROWS, pa.string()),
            "late": pa.array(random.integers(0, 2, ROWS), mask=random.random(ROWS) < 0.02),
        }
    )


def by_column(table: pa.Table, label: str | None = None) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in suggest_cleaning(table, label).rules:
        names = rule.columns if isinstance(rule, DropMissing) else [getattr(rule, "column", "rows")]
        found.setdefault(names[0], []).append(rule)
        assert rule.why, "each has a reason"
    return found


def test_each_fault_has_its_rule_and_what_is_fine_has_none() -> None:
    found = by_column(dirty(), "late")
    assert [type(rule) for rule in found["age"]] == [Repair, Fill]
    assert [type(rule) for rule in found["income"]] == [Outliers, Fill]
    assert [(rule.to, rule.column) for rule in (*found["when"], *found["member"])] == [  # type: ignore[attr-defined] # repairs
        ("time", "when"),
        ("boolean", "member"),
    ]
    assert [type(rule) for rule in found["late"]] == [DropMissing]
    assert isinstance(rule := found["town"][0], Categories)
    assert (rule.casefold, rule.fewest) == (True, 10)
    assert rule.why == "7 spellings of 6 values; 3 values have fewer than 10 rows each"
    assert found.keys() == {"age", "income", "when", "member", "late", "town"}, "codes with zeros before are no numbers"


def test_what_is_suggested_can_be_fitted_and_finds_nothing_more() -> None:
    table = dirty()
    cleaner = suggest_cleaning(table, "late").fit(table)
    cleaned = cleaner.apply(table, training=True)
    assert cleaned["age"].null_count == 0
    assert set(cleaned["town"].to_pylist()) == {"Berlin", "Paris", "Rome", "other"}
    assert max(cleaned["income"].to_pylist()) < 10_000
    assert len(suggest_cleaning(cleaned, "late").rules) == 0


def test_rows_that_are_there_again_are_told_but_not_where_many_are_alike() -> None:
    table = dirty().select(["clean", "age"])
    again = pa.concat_tables([table, table.slice(0, 2)])
    assert isinstance(rule := by_column(again)["rows"][0], DropRepeated)
    assert rule.why == "2 rows are there again, all others once"
    assert "rows" not in by_column(dirty().select(["town", "member"])), "few columns of few values repeat by chance"


def test_real_weather_keeps_its_numbers_and_real_flights_are_left_alone() -> None:
    found = by_column(demo.read("weather"))
    assert {type(rule) for rules in found.values() for rule in rules} <= {Fill, Outliers}
    flights = by_column(demo.read("flights"), "arr_delay")
    assert not {"carrier", "origin", "dest"} & {name for name, rules in flights.items() if isinstance(rules[0], Repair)}
    assert len(suggest_cleaning(dirty().slice(0, 0)).rules) == 0
