"""What keeps a trigger from firing although its condition holds (pipelines.md, 6.3)."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from assay.operate.triggers.conditions import Look, champion_age
from assay.operate.triggers.definition import Budget
from assay.operate.triggers.stories import PastStory, vain_in_a_row
from assay.operate.triggers.truth import Cause
from assay.record.clock import iso, moment
from assay.record.lengths import checked_length
from assay.record.store import Store

__all__ = ["Block", "blocks", "depth_of"]

_MOST_DOUBLED = 6  # a candidate that is refused again and again is tried at least every 64 cooldowns
_DEEPEST = 5
_HOUR_S = 3600


class Block(msgspec.Struct, frozen=True):
    """A rule that says no. `until` is when it will not any more, as far as that is known."""

    rule: str
    words: str
    until: str | None = None


def blocks(look: Look, cause: Cause) -> list[Block]:
    """Every rule that keeps the trigger from firing now for this cause."""
    stories = look.facts.stories(look.trigger.model)
    found = [
        _under_way(stories),
        _resting(look, stories),
        _spent(look.trigger.definition.budget, stories, look.now),
        _too_few_rows(look, stories),
        _broken_data(look),
        _too_deep(look, cause),
    ]
    return [one for one in found if one is not None]


def depth_of(store: Store, cause: Cause) -> int:
    """How many stories in a row lead to this cause: one more than that which made the champion upstream."""
    if cause.kind != "upstream":
        return 0
    rows = store.query("retraining", {"mv_id": cause.evidence["mv_id"]}, limit=1)
    return 1 + int(msgspec.json.decode(rows[0]["detail"]).get("depth", 0)) if rows else 0


def _under_way(stories: Sequence[PastStory]) -> Block | None:
    running = next((story for story in stories if story.status == "open"), None)
    return None if running is None else Block("under way", f"retraining {running.story_id[:8]} is under way")


def _resting(look: Look, stories: list[PastStory]) -> Block | None:
    """Rest after the last story, twice as long for each that was in vain since the last that was not."""
    last = next((story for story in stories if story.ended is not None), None)
    if last is None:
        return None
    vain = vain_in_a_row(stories)
    length = checked_length(look.trigger.definition.cooldown, "cooldown") * 2 ** min(max(0, vain - 1), _MOST_DOUBLED)
    until = moment(last.ended or last.started) + length
    if look.now >= until:
        return None
    why = f", after {vain} in vain" if vain > 1 else ""
    return Block("cooldown", f"it rests until {iso(until)[:16].replace('T', ' ')} UTC{why}", iso(until))


def _spent(budget: Budget, stories: Sequence[PastStory], now: datetime) -> Block | None:
    since = now - checked_length(budget.per, "budget.per")
    recent = [story for story in stories if story.trains and moment(story.started) > since]
    hours = sum(story.seconds for story in recent) / _HOUR_S
    money = hours * (budget.cost_per_hour or 0.0)
    used = [("trainings", len(recent), budget.runs), ("hours", hours, budget.hours), ("money", money, budget.money)]
    for what, spent, most in used:
        if most is not None and spent >= most:
            until = min(moment(story.started) for story in recent) + checked_length(budget.per, "budget.per")
            said = f"{spent:,.2f}".rstrip("0").rstrip(".")
            return Block("budget", f"{said} of {most:g} {what} in {budget.per} are spent", iso(until))
    return None


def _too_few_rows(look: Look, stories: Sequence[PastStory]) -> Block | None:
    wanted = look.trigger.definition.new_rows
    if not wanted:
        return None
    aged = champion_age(look)
    trained = [story.started for story in stories if story.seconds > 0]
    if aged is not None:
        trained.append(iso(look.now - aged[1]))
    since = max(trained, default="")
    found = _labelled_since(look.store, look.trigger.model, since)
    if found >= wanted:
        return None
    return Block("new rows", f"{found:,} labelled rows are new since the last training, {wanted:,} are asked for")


def _labelled_since(store: Store, model: str, since: str) -> int:
    """Labelled rows of windows that ended after a moment, as a monitor of performance has counted them."""
    monitors = store.query("monitor", {"model": model, "kind": "performance"})
    counted = [
        sum(row["rows"] or 0 for row in store.query("monitor_check", {"monitor_id": one, "ended >": since}))
        for one in (monitor["monitor_id"] for monitor in monitors)
    ]
    return max(counted, default=0)


def _broken_data(look: Look) -> Block | None:
    if not look.trigger.definition.data_checks:
        return None
    for name, last in look.facts.quality(look.trigger.model):
        if last["status"] != "alarm":
            continue
        detail = msgspec.json.decode(last["detail"]) if last["detail"] else {}
        if detail.get("defects") == []:
            continue  # values that training never had: to train again is what helps
        return Block("data", f"the data are broken: {name} alarms for {last['window']}")
    return None


def _too_deep(look: Look, cause: Cause) -> Block | None:
    depth = depth_of(look.store, cause)
    return Block("loop", f"{depth} retrainings led to this one in a row") if depth > _DEEPEST else None
