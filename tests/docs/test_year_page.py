"""What docs/continuous-training.md says of a year is what the run said that is kept beside it."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from assay.demo.year.picture import draw_year
from assay.demo.year.plan import Plan, Year
from assay.demo.year.telling import apart_table, months_table, story_table

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def year() -> Year:
    return msgspec.json.decode((DOCS / "year/result.json").read_bytes(), type=Year)


def test_the_table_of_the_page_is_that_of_the_run(year: Year) -> None:
    page = (DOCS / "continuous-training.md").read_text()
    for table in (months_table(year), apart_table(year), story_table(year)):
        assert table in page
    assert f"until\n  November and cost {year.unwatched * year.loss_cost:,.0f} there" in page
    assert (year.days[0].day, year.share) == (Plan().live, 1.0)
    assert len(year.days) == (Plan().last - Plan().live).days


def test_the_picture_of_the_page_is_that_of_the_run(year: Year) -> None:
    assert (DOCS / "year/year-of-flights.svg").read_text() == draw_year(year).svg


def test_what_the_page_claims_of_accidents_is_what_happened(year: Year) -> None:
    plan = Plan()
    assert plan.broken is not None
    assert plan.regression is not None
    told = {(one.kind, one.status): one.day for one in year.happened if one.kind in ("alert", "ended", "held")}
    assert told["alert", "monitor:timetable:flights-late"] == plan.broken[0]
    assert 0 < (told["ended", "rolled_back"] - plan.regression).days < 14
    fired = [one.day for one in year.happened if one.kind == "fired"]
    assert not [day for day in fired if plan.broken[0] <= day < plan.broken[1]]
    assert len(year.trained["loop"]) >= 4


def test_the_reasons_that_the_page_counts_are_those_of_the_run(year: Year) -> None:
    why = [one.words for one in year.happened if one.kind == "fired" and one.status != "regression"]
    counts = [sum(word in one for one in why) for word in ("decay has cost", "days are allowed", "prediction_drift of")]
    assert counts == [6, 4, 2]
    assert sum("is proven above" in one for one in why) == 1 == len(why) - sum(counts)
    assert [one.day for one in year.happened if one.status == "refused"] == [date(2013, 5, 9)]
    whole = [one for one in year.days if date(2013, 9, 4) <= one.day < date(2013, 10, 1)]
    flights = sum(one.flights for one in whole)
    rest = [f"{sum(one.lost[name] for one in whole) / flights:.4f}" for name in ("monthly", "loop")]
    page = (DOCS / "continuous-training.md").read_text()
    assert f"its model had {rest[0]}, the loop's {rest[1]}" in page
