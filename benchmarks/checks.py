"""3,000,000 real flights checked with 20 expectations.

    python benchmarks/checks.py

The table is `flights-3m` of npm's vega-datasets (fetched once by name, 18 MB). Its delays go down to −1,116 minutes
and, without a flight's number, some of its rows are alike: two expectations are broken, and the rows are counted.
"""

import time

import pyarrow as pa
import pyarrow.compute as pc
from benchmarks.measured import say
from scripts.real_data import load

from assay.build.data.checks import check_results, columns_are, in_range, is_one_of, unique, values_present
from assay.build.data.expectations import Expectation, Label, LabelRate, Pattern, Rows, Varies
from assay.build.data.inference import infer_expectations

TARGET_S = 1.0
TIMES = 5


def main() -> None:
    flights = load("flights3m")
    flights = flights.append_column("late", pc.greater_equal(flights["delay"], 15))
    expectations = twenty(flights)
    assert len(expectations) == 20
    seconds, results = fastest(flights, expectations)
    broken = {result.name: result.failing_rows for result in results if result.result != "pass"}
    say("seconds for 20 expectations", TARGET_S, seconds, rows=flights.num_rows, broken=broken)
    for expectation in expectations:
        say(f"  {expectation.name}", None, fastest(flights, [expectation])[0])
    started = time.perf_counter()
    inferred = infer_expectations(flights, label="late", time="date")
    say("seconds to infer from all rows", None, time.perf_counter() - started, expectations=len(inferred))


def fastest(table: pa.Table, expectations: list[Expectation]) -> tuple[float, list]:  # type: ignore[type-arg] # results
    best = float("inf")
    for _ in range(TIMES):
        started = time.perf_counter()
        results = check_results(table, expectations)
        best = min(best, time.perf_counter() - started)
    return best, results


def twenty(flights: pa.Table) -> list[Expectation]:
    airports = pc.unique(flights["origin"]).to_pylist()
    return [
        columns_are(flights.schema),
        Rows(1_000_000, 10_000_000),
        *(values_present(name) for name in ("date", "delay", "distance", "origin", "destination")),
        in_range("date", "2001-01-01", "2001-07-02"),
        in_range("delay", -120, 1_440, severity="warn"),
        in_range("distance", 1, 6_000),
        is_one_of("origin", airports),
        is_one_of("destination", airports, share=0.99),
        Pattern("origin", "[A-Z0-9]{3}"),
        Pattern("destination", "[A-Z0-9]{3}"),
        Varies("destination"),
        Varies("distance"),
        Varies("delay"),
        unique(["date", "origin", "destination", "delay", "distance"], severity="warn"),
        Label("late"),
        LabelRate("late", "date"),
    ]


if __name__ == "__main__":
    main()
