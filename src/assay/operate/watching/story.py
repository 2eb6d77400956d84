"""Stories: one retraining each, from the firing to the version that was released, refused or taken back.

What a stage found is an event with its words and evidence; the row says where the story stands. Both are written in one
transaction: a process that dies leaves a story at the stage that it had not finished, and whoever looks next does that
stage again. Stages bear that: each finds what it had begun.
"""

from datetime import timedelta
from typing import Literal

import msgspec

from assay.errors import Conflict
from assay.operate.triggers.stories import StoryStatus
from assay.record.canonical import canonical_json
from assay.record.clock import happened, iso
from assay.record.identity import new_id
from assay.record.notify.telling import tell
from assay.record.row_leases import take_lease
from assay.record.short_ids import only_row
from assay.record.store import Row, Store

__all__ = ["Stage", "StageResult", "Story", "StoryEvent", "advance", "events_of", "find_story", "held", "open_stories"]

Stage = Literal[
    "begin", "check", "gain", "train", "approve", "release", "settle", "staleness", "rollback", "restore", "end"
]
_LEASE = timedelta(seconds=60)
_TOLD: tuple[Stage, ...] = ("begin", "approve")  # stages after which somebody is told although nothing has ended


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A retraining. `stage` is what is to be done next; `detail` what later stages and triggers ask for.

    `detail` has `pipeline` and `trigger`, `depth`, after the check `data` (the hash of the rows that were read), after
    training `version`, `verdict` and `seconds`.
    """

    story_id: str
    fire_id: str
    model: str
    endpoint: str | None
    status: StoryStatus
    stage: Stage
    started: str
    ended: str | None
    reason: str | None
    run_id: str | None
    mv_id: str | None
    rollout_id: str | None
    detail: dict[str, object]


class StoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage found: done, waiting or ended, in words, with its evidence."""

    seq: int
    stage: Stage
    outcome: Literal["done", "waiting", "ended"]
    words: str
    detail: dict[str, object]
    decision: int | None
    when: str


class StageResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage says: what comes next, or that it waits, or how the story ends.

    `columns` are changes of the story's row (`run_id`, `mv_id`, `rollout_id`, `endpoint`), `detail` of its detail.
    """

    words: str
    next: Stage | None = None
    status: StoryStatus | None = None
    evidence: dict[str, object] = {}
    detail: dict[str, object] = {}
    columns: dict[str, str] = {}
    decision: int | None = None

    @property
    def outcome(self) -> Literal["done", "waiting", "ended"]:
        """Ended with a status, done with a next stage, else waiting."""
        return "ended" if self.status is not None else "done" if self.next is not None else "waiting"


def find_story(store: Store, story_id: str) -> Story:
    """The story of that id, or of the only one that begins so; NotFound otherwise."""
    said = {"one": "story", "several": "stories", "hint": "`assay watch stories`"}
    return story_of(only_row(store, "retraining", "story_id", story_id, **said))


def open_stories(store: Store, model: str | None = None) -> list[Story]:
    """Those that have not ended, oldest first."""
    where = {"status": "open"} | ({"model": model} if model else {})
    return [story_of(row) for row in store.query("retraining", where, order_by=["started", "story_id"])]


def story_of(row: Row) -> Story:
    """The story of a row."""
    kept = {name: row[name] for name in Story.__struct_fields__ if name != "detail"}
    return Story(**kept, detail=msgspec.json.decode(row["detail"]))


def events_of(store: Store, story_id: str) -> list[StoryEvent]:
    """What its stages found, in order."""
    rows = store.query("retraining_event", {"story_id": story_id}, order_by=["seq"])
    return [
        StoryEvent(
            seq=row["seq"],
            stage=row["stage"],
            outcome=row["outcome"],
            words=row["words"],
            detail=msgspec.json.decode(row["detail"]),
            decision=row["decision"],
            when=happened(row),
        )
        for row in rows
    ]


def advance(store: Store, story: Story, found: StageResult) -> Story:
    """Write what a stage found and where the story stands now; Conflict where somebody else has moved it on.

    A stage that waits for the same reason as before is not written again.
    """
    key, now = {"story_id": story.story_id}, iso(store.clock.latest())
    with store.transaction():
        before = store.query("retraining_event", key, order_by=["-seq"], limit=1)
        said = {"stage": story.stage, "outcome": found.outcome, "words": found.words}
        is_new = found.outcome != "waiting" or not before or any(before[0][name] != said[name] for name in said)
        if is_new:
            seq = before[0]["seq"] + 1 if before else 1
            event = {**key, "seq": seq, **said, "detail": canonical_json(found.evidence)}
            store.append("retraining_event", {**event, "decision": found.decision})
        kept = msgspec.json.decode(store.get("retraining", key)["detail"])  # somebody may have approved it meanwhile
        changes: Row = {**found.columns, "detail": canonical_json({**kept, **found.detail})}
        if found.status is not None:
            changes |= {"status": found.status, "stage": "end", "ended": now, "reason": found.words}
        elif found.next is not None:
            changes["stage"] = found.next
        store.amend("retraining", key, changes, expect={"stage": story.stage, "status": "open"})
        now_is = story_of(store.get("retraining", key))
        if is_new and (found.status is not None or story.stage in _TOLD):
            _tell(store, now_is, story.stage, found)
        return now_is


def _tell(store: Store, story: Story, stage: Stage, found: StageResult) -> None:
    """Tell the people that a retraining has begun, waits for one of them, or how it ended."""
    event = {"done": "retraining.begun", "waiting": "retraining.waiting", "ended": "retraining.ended"}[found.outcome]
    if stage == "approve" and found.outcome == "done":
        return
    how = story.status.replace("_", " ") if story.ended else "begun" if stage == "begin" else "waiting"
    data = {"story": story.story_id, "model": story.model, "endpoint": story.endpoint, "status": story.status}
    bad = story.status in ("failed", "stopped", "rolled_back")
    message = f"retraining of {story.model}: {how}: {found.words}"
    tell(store, event, {**data, "message": message, "severity": "warning" if bad else "info"})


class held:  # noqa: N801 - used as a function
    """Whether this process may work at a story: within the block it has the lease, `False` where another has it."""

    def __init__(self, store: Store, story: Story) -> None:
        self._store, self._key, self._holder = store, {"story_id": story.story_id}, new_id()

    def __enter__(self) -> bool:
        return self.renew()

    def renew(self) -> bool:
        """Have it, or keep it for longer; False where another has it."""
        row = self._store.get("retraining", self._key)
        return take_lease(self._store, "retraining", self._key, row, self._holder, _LEASE)

    def __exit__(self, *_: object) -> None:
        try:
            self._store.amend(
                "retraining", self._key, {"lease": None, "lease_until": None}, expect={"lease": self._holder}
            )
        except Conflict:
            return  # somebody has taken over meanwhile
