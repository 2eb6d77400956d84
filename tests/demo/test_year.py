"""The year of flights: its accidents, its answers without a server, its money and its picture. It runs in docs."""

from datetime import date, timedelta
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.operate.monitors.monitor_world import BEGIN, trained_version
from tests.operate.serving_helpers import ENDPOINT, add_route

from assay.demo.year.answering import Here
from assay.demo.year.days import BROKEN_COLUMN, Landing, all_flights, in_hours, of_days
from assay.demo.year.picture import draw_year
from assay.demo.year.plan import Day, Happening, Year
from assay.demo.year.telling import months_table, story_table
from assay.operate.querying import query_predictions
from assay.record.sqlstore import SqlStore

FIRST, SECOND = date(2013, 3, 1), date(2013, 3, 4)


@pytest.fixture
def year() -> Year:
    days = [
        Day(FIRST + timedelta(days=number), 100, {"never": 20.0, "monthly": 19.0, "loop": 18.0}) for number in range(40)
    ]
    made = Year(share=1.0, training_cost=25.0, loss_cost=2.0, days=days)
    made.trained["monthly"] = [date(2013, 4, 1)]
    made.trained["loop"] = [date(2013, 3, 10), date(2013, 3, 20)]
    made.happened = [
        Happening(SECOND, "accident", "the feed breaks", "feed"),
        Happening(SECOND, "alert", "ana: the feed is broken", "monitor:timetable:flights"),
        Happening(SECOND, "alert", "it drifts", "monitor:drift:flights"),
        Happening(date(2013, 3, 10), "fired", "age: it is old", "age"),
        Happening(date(2013, 3, 10), "ended", "version 2 is the champion", "promoted"),
        Happening(date(2013, 3, 11), "held", "age: it is old; the data are broken", "age"),
    ]
    return made


def test_a_broken_feed_says_hours_on_its_days_only() -> None:
    truth = all_flights(0.01, 0)
    broken = in_hours(truth, FIRST, SECOND)
    assert broken.num_rows == truth.num_rows
    assert of_days(broken, date(2013, 1, 1), FIRST).equals(of_days(truth, date(2013, 1, 1), FIRST))
    assert of_days(broken, SECOND, date(2014, 1, 2)).equals(of_days(truth, SECOND, date(2014, 1, 2)))
    hours, minutes = (of_days(table, FIRST, SECOND)[BROKEN_COLUMN] for table in (broken, truth))
    assert pc.multiply(hours, 60.0).to_pylist() == pytest.approx(minutes.to_pylist())


def test_a_day_lands_in_a_file_and_is_corrected_there(tmp_path: Path) -> None:
    truth = all_flights(0.02, 0)
    landing = Landing(tmp_path / "landed")
    landing.land(in_hours(truth, FIRST, SECOND), FIRST)
    (file,) = landing.folder.iterdir()
    assert file.name == "2013-03-01.parquet"
    assert pc.max(pq.read_table(file)[BROKEN_COLUMN]).as_py() < 24
    landing.land(truth, FIRST)
    assert pc.max(pq.read_table(file)[BROKEN_COLUMN]).as_py() > 24


def test_answers_without_a_server_are_logged_and_follow_the_route(store: SqlStore) -> None:
    store.clock.advance(BEGIN)
    first, second = trained_version(store), trained_version(store, middle=2000.0)
    add_route(store, first)
    rows = [{"distance": 900.0, "carrier": "AA"}, {"distance": 1100.0, "carrier": "UA"}]
    with Here(store, ENDPOINT) as here:
        answered = here.predict(rows, event_ts=BEGIN)
        assert [output for _, output in answered] == here.outputs
        add_route(store, second)
        here.follow()
        here.predict(rows, event_ts=BEGIN)
    logged = query_predictions(store, ENDPOINT, columns="version, id, event_ts").found
    assert sorted(row[0] for row in logged) == [first.version] * 2 + [second.version] * 2
    assert {id for id, _ in answered} <= {row[1] for row in logged}
    assert all(row[2] is not None for row in logged)


def test_money_is_what_is_saved_less_what_trainings_cost(year: Year) -> None:
    assert year.money("never") == 0.0
    assert year.money("monthly") == 40 * 1.0 * 2 - 25
    assert year.money("loop") == 40 * 2.0 * 2 - 50
    assert year.money("loop", date(2013, 3, 10)) == 10 * 2.0 * 2 - 25
    assert year.quality("loop") == year.quality("loop", 3) == 0.18


def test_the_tables_hold_months_costs_and_the_story(year: Year) -> None:
    told = months_table(year)
    assert "| March | 0.2000 | 0.1900 | 0.1800 |" in told
    assert "| trained again | 0 | 1 | 2 |" in told
    assert "| worth, after that | 0 | 55 | 110 |" in told
    story = story_table(year)
    assert "| 4 March | **the feed breaks** |  |" in story
    assert "| 4 March | ana: the feed is broken |  |" in story
    assert "| 10 March | age: it is old | promoted: version 2 is the champion |" in story
    assert "| 11 March | kept back, age: it is old; the data are broken |  |" in story
    assert "it drifts" not in story


def test_the_picture_has_each_policy_each_training_and_each_accident(year: Year) -> None:
    drawn = draw_year(year).svg
    assert drawn.count("<polyline") == 6
    assert drawn.count("<circle") == 2
    for words in ("never again", "each month", "assay watch", "broken feed", "prefers-color-scheme: dark"):
        assert words in drawn
