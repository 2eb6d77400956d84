"""The year as tables for people, in Markdown."""

import calendar

from assay.demo.year.plan import POLICIES, Year

__all__ = ["apart_table", "months_table", "story_table"]

_FEED = ("data:", "monitor:timetable")
_LONGEST = 130


def months_table(year: Year) -> str:
    """Brier score of each month and policy; then all of it with trainings, what they cost, and what it is worth."""
    rows = [f"| | {' | '.join(POLICIES)} |", "|---|" + "---|" * len(POLICIES)]
    for month in sorted({one.day.month for one in year.days}):
        values = " | ".join(f"{year.quality(name, month):.4f}" for name in POLICIES)
        rows.append(f"| {calendar.month_name[month]} | {values} |")
    rows.append("| **all** | " + " | ".join(f"{year.quality(name):.4f}" for name in POLICIES) + " |")
    rows.append("| trained again | " + " | ".join(str(len(year.trained[name])) for name in POLICIES) + " |")
    paid = [len(year.trained[name]) * year.training_cost for name in POLICIES]
    rows.append("| paid for it | " + " | ".join(f"{one:,.0f}" for one in paid) + " |")
    rows.append("| worth, after that | " + " | ".join(f"{year.money(name):,.0f}" for name in POLICIES) + " |")
    return "\n".join(rows)


def apart_table(year: Year) -> str:
    """What makes the loop worth more or less than training by the calendar, in money."""
    bad = sum(one.lost["monthly"] - one.lost["loop"] for one in year.days if one.day in year.bad_days)
    more = len(year.trained["loop"]) - len(year.trained["monthly"])
    whole = year.money("loop") - year.money("monthly")
    parts = {
        f"{len(year.bad_days)} days of the colleague's version": bad * year.loss_cost,
        f"{more} trainings more": -more * year.training_cost,
    }
    parts["all other days"] = whole - sum(parts.values())
    rows = ["| loop less monthly | |", "|---|---|", *(f"| {what} | {value:,.0f} |" for what, value in parts.items())]
    return "\n".join([*rows, f"| **together** | {whole:,.0f} |"])


def story_table(year: Year) -> str:
    """What happened, by date: accidents, why a training began or was kept back and how it ended, alerts of the feed."""
    rows = ["| day | what | how it ended |", "|---|---|---|"]
    for one in year.happened:
        if one.kind == "ended" or (one.kind == "alert" and not one.status.startswith(_FEED)):
            continue
        ended = [
            other for other in year.happened if one.kind == "fired" and (other.kind, other.day) == ("ended", one.day)
        ]
        how = "; ".join(f"{other.status.replace('_', ' ')}: {_shorten(other.words, _LONGEST)}" for other in ended)
        what = {"accident": "**", "held": "kept back, "}.get(one.kind, "")
        end = "**" if one.kind == "accident" else ""
        rows.append(f"| {one.day.day} {one.day:%B} | {what}{_shorten(one.words, _LONGEST)}{end} | {how} |")
    return "\n".join(rows)


def _shorten(words: str, longest: int) -> str:
    """The beginning of what was said, up to the end of a word."""
    if len(words) <= longest:
        return words
    return words[:longest].rpartition(" ")[0].rstrip(",;:(") + " …"
