"""Planned times: cron expressions in a time zone, as Debian's cron reads them, clock changes included."""

from datetime import UTC, datetime, timedelta, tzinfo
from types import ModuleType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from assay.errors import InvalidInput, MissingExtra

__all__ = ["check_schedule", "last_planned", "next_planned"]

_SECOND = timedelta(seconds=1)


def check_schedule(expression: str, zone: str | None, where: str) -> None:
    """InvalidInput where it is no cron expression of five fields, or there is no such zone; MissingExtra."""
    cron = _cron()
    _zone(zone, where)
    fault = None
    if len(expression.split()) != 5:
        fault = f"it has {len(expression.split())} fields"
    else:
        try:
            cron.CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
        except cron.CronSimError as error:
            fault = str(error)
    if fault is not None:
        raise InvalidInput(
            f"schedule {expression!r}: {fault}",
            where=where,
            expected='minute hour day month weekday, such as "0 6 * * MON"',
        )


def last_planned(expression: str, zone: str | None, after: datetime, until: datetime) -> datetime | None:
    """The last planned time after one moment and up to another, in UTC; None where there is none."""
    begin = (until + _SECOND).astimezone(_zone(zone, expression))  # going back, it leaves out where it begins
    for planned in _cron().CronSim(expression, begin, reverse=True):
        moment = planned.astimezone(UTC)
        if moment <= until:
            return moment if moment > after else None
    return None


def next_planned(expression: str, zone: str | None, after: datetime) -> datetime | None:
    """The first planned time after a moment, in UTC; None where there is none in 50 years."""
    found = next(_cron().CronSim(expression, after.astimezone(_zone(zone, expression))), None)
    return None if found is None else found.astimezone(UTC)


def _cron() -> ModuleType:
    try:
        import cronsim
    except ModuleNotFoundError:
        raise MissingExtra("schedule", "cronsim") from None
    return cronsim


def _zone(zone: str | None, where: str) -> tzinfo:
    if zone is None:
        return UTC
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"there is no time zone {zone!r}", where=where, expected="such as Europe/Vienna or America/New_York"
        ) from None
