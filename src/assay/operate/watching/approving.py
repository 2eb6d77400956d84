"""A person who says yes: where the project asks for it, a candidate that passed waits before it is released."""

from assay.errors import Conflict, InvalidInput
from assay.operate.watching.story import StageResult, Story, find_story
from assay.operate.watching.work import Work
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.ledger import decide
from assay.record.store import Store

__all__ = ["approve", "wait_for_approval"]


def wait_for_approval(work: Work) -> StageResult:
    """Wait until a person approves this candidate; what was approved is the version, whatever changes meanwhile."""
    story = find_story(work.store, work.story.story_id)
    approved = story.detail.get("approved")
    version = story.detail.get("version")
    if not isinstance(approved, dict):
        how = f"`assay watch approve {story.story_id[:8]} REASON`"
        return StageResult(words=f"version {version} waits for a person: {how}")
    words = f"version {version} was approved by {approved['who']}: {approved['reason']}"
    return StageResult(words=words, next="release", evidence=approved, decision=approved["decision"])


def approve(store: Store, story: Story, reason: str) -> None:
    """Let a story that waits for a person go on; a decision of the ledger.

    InvalidInput without a reason, Conflict for a story that does not wait for one.
    """
    if not reason.strip():
        raise InvalidInput("an approval gives no reason", expected="why, in words")
    key = {"story_id": story.story_id}
    with store.transaction():
        now = find_story(store, story.story_id)
        if now.status != "open" or now.stage != "approve":
            where = now.status if now.status != "open" else f"it is at {now.stage}"
            raise Conflict(f"story {story.story_id[:8]} does not wait for a person: {where}")
        subject = f"{now.model}/{now.detail.get('version')}"
        detail: dict[str, object] = {"story": now.story_id, "mv_id": now.mv_id, "reason": reason}
        decision = decide(store, "approval", subject, detail)
        said = {"who": store.actor.name, "reason": reason, "when": iso(store.clock.latest()), "decision": decision}
        store.amend("retraining", key, {"detail": canonical_json({**now.detail, "approved": said})})
