"""What became of firings: the stories of a model's retraining, as far as triggers ask about them."""

from typing import Literal

import msgspec

from assay.operate.triggers.records import REGRESSION
from assay.record.clock import happened, iso
from assay.record.store import Row, Store

__all__ = ["VAIN", "PastStory", "StoryStatus", "end_story", "past_stories", "vain_in_a_row"]

StoryStatus = Literal["open", "promoted", "refused", "not_worth", "stopped", "failed", "rolled_back"]
VAIN: frozenset[StoryStatus] = frozenset({"refused", "not_worth", "failed", "rolled_back"})
_MOST = 200


class PastStory(msgspec.Struct, frozen=True):
    """A retraining: since when, until when, how it ended, and what training took in seconds.

    `depth` counts how many stories in a row led to it, each by the champion that the one before had made. One that
    only takes a version back does not `train`.
    """

    story_id: str
    started: str
    ended: str | None
    status: StoryStatus
    seconds: float
    depth: int
    trains: bool = True


def past_stories(store: Store, model: str) -> list[PastStory]:
    """The last 200 of a model, newest first."""
    rows = store.query("retraining", {"model": model}, order_by=["-started", "-story_id"], limit=_MOST)
    return [_story(row) for row in rows]


def vain_in_a_row(stories: list[PastStory]) -> int:
    """How many of the newest ended without a new champion, since the last that had one."""
    count = 0
    for story in stories:
        if story.status == "promoted":
            break
        count += story.status in VAIN
    return count


def end_story(store: Store, story_id: str, status: StoryStatus, reason: str, *, mv_id: str | None = None) -> None:
    """Say how a story ended; Conflict where it has ended already."""
    changes: Row = {"status": status, "stage": "end", "ended": iso(store.clock.latest()), "reason": reason}
    if mv_id is not None:
        changes["mv_id"] = mv_id
    store.amend("retraining", {"story_id": story_id}, changes, expect={"status": "open"})


def _story(row: Row) -> PastStory:
    detail = msgspec.json.decode(row["detail"])
    return PastStory(
        story_id=row["story_id"],
        started=row["started"] or happened(row),
        ended=row["ended"],
        status=row["status"],
        seconds=float(detail.get("seconds", 0.0)),
        depth=int(detail.get("depth", 0)),
        trains=detail.get("trigger") != REGRESSION,
    )
