import sys
from datetime import UTC, datetime, timedelta

import pytest

from assay.errors import InvalidInput, MissingExtra
from assay.operate.triggers.schedules import check_schedule, last_planned, next_planned

NEW_YORK = "America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def planned_between(expression: str, zone: str | None, after: datetime, until: datetime) -> list[datetime]:
    """All planned times, each the last one before the next."""
    found: list[datetime] = []
    while (last := last_planned(expression, zone, after, until)) is not None:
        found.insert(0, last)
        until = last - timedelta(microseconds=1)
    return found


def test_planned_times_stand_after_one_moment_and_up_to_another() -> None:
    found = planned_between("0 6 * * *", None, at("2013-05-01T06:00"), at("2013-05-04T06:00"))
    assert found == [at("2013-05-02T06:00"), at("2013-05-03T06:00"), at("2013-05-04T06:00")]
    assert planned_between("0 6 * * *", None, at("2013-05-01T06:00"), at("2013-05-02T05:59:59.999")) == []


@pytest.mark.parametrize(
    ("expression", "day", "planned"),
    [
        ("30 2 * * *", "2013-03-10", ["2013-03-10T07:00"]),  # half past two does not exist: cron runs it at three
        ("30 1 * * *", "2013-11-03", ["2013-11-03T05:30"]),  # half past one comes twice: it runs once
        ("0 6 * * *", "2013-03-10", ["2013-03-10T10:00"]),
        ("0 6 * * *", "2013-03-09", ["2013-03-09T11:00"]),
    ],
)
def test_clock_changes_neither_lose_nor_double_a_day(expression: str, day: str, planned: list[str]) -> None:
    begin = at(f"{day}T04:00")
    found = planned_between(expression, NEW_YORK, begin, begin + timedelta(hours=24))
    assert found == [at(one) for one in planned]


@pytest.mark.parametrize("expression", ["30 2 * * *", "*/7 * * * *", "0 0 1 * *", "0 12 * * MON#1"])
def test_looking_often_finds_what_looking_once_finds(expression: str) -> None:
    """Over both clock changes of a year, in steps of an odd length."""
    begin, end = at("2013-03-01T00:13"), at("2013-11-20T00:00")
    seen, moment = [], begin
    while moment < end:
        later = min(end, moment + timedelta(hours=31, seconds=17))
        seen += planned_between(expression, NEW_YORK, moment, later)
        moment = later
    forward, moment = [], begin
    while (found := next_planned(expression, NEW_YORK, moment)) is not None and found <= end:
        forward.append(found)
        moment = found
    assert seen == forward
    assert seen == sorted(set(seen))


@pytest.mark.parametrize(
    ("expression", "zone", "said"),
    [
        ("0 6 * *", None, "it has 4 fields"),
        ("0 6 * * * *", None, "it has 6 fields"),
        ("61 6 * * *", None, "Bad minute"),
        ("0 6 30 2 *", None, "Bad day-of-month"),
        ("0 6 * * *", "Middle/Earth", "no time zone 'Middle/Earth'"),
    ],
)
def test_what_is_no_schedule_is_refused_with_its_place(expression: str, zone: str | None, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        check_schedule(expression, zone, "assay.toml: triggers.monthly")
    assert refused.value.where == "assay.toml: triggers.monthly"


def test_without_cronsim_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)
    with pytest.raises(MissingExtra, match="schedule"):
        check_schedule("0 6 * * *", None, "assay.toml")
