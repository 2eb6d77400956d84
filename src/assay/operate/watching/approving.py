"""People who say yes: where the model's policy or the project asks for it, a candidate that passed waits for them."""

from assay.errors import Conflict, InvalidInput, Refused
from assay.operate.releases.approved import plan_of
from assay.operate.watching.story import StageResult, Story, find_story
from assay.operate.watching.work import Work, said
from assay.prove.approvals.plan import DIRECT, Going
from assay.prove.approvals.policy import policy_of
from assay.prove.approvals.requesting import ask_for_approval
from assay.prove.approvals.standing import state_of
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.ledger import decide
from assay.record.models.registry import CHAMPION, alias, version_by_id
from assay.record.models.routes import newest_route
from assay.record.store import Store

__all__ = ["approve", "going_live", "wait_for_approval"]


def going_live(work: Work) -> Going:
    """How the loop puts a candidate live: at once where nothing serves or the project says so, else by its steps."""
    store, release = work.store, work.project.release
    model = work.project.model_name
    if release.strategy == "direct" or alias(store, model, CHAMPION) is None or newest_route(store, model) is None:
        return Going(DIRECT)
    return Going(plan_of(release.strategy, work.project.rules()), fully=False)


def wait_for_approval(work: Work) -> StageResult:
    """Wait until those have agreed whom the policy of the model asks for, or a person where only the project asks.

    The policy's approval is asked for here, anew where what was asked for has changed or expired.
    """
    if policy_of(work.store, work.story.model).asks:
        return _agreed(work)
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
    if policy_of(store, story.model).asks:
        version = story.detail.get("version")
        raise Refused(
            f"{story.model}/{version} waits for an approval of all that it is, not of its story",
            expected="who may give one: `assay approve ls`",
            hint=f"assay approve give {story.model} {version}",
        )
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


def _agreed(work: Work) -> StageResult:
    """How the approval stands; it is asked for where nobody has, or where what was asked for counts no more."""
    store, mv_id, going = work.store, work.story.mv_id, going_live(work)
    assert mv_id is not None, "a story asks after it was trained"
    state = state_of(store, mv_id, going)
    if state.state in ("missing", "void", "expired"):
        try:
            state = ask_for_approval(store, version_by_id(store, mv_id), plan=going.plan, comment=_comment(work))
        except (Conflict, Refused) as error:  # another champion since, or the very same was rejected
            return StageResult(words=said(error), status="refused")
    evidence: dict[str, object] = {"subject_hash": state.subject_hash, "state": state.state, "by": state.by}
    if state.state == "rejected":
        return StageResult(words=state.words, status="refused", evidence=evidence)
    if state.outcome != "pass":
        return StageResult(words=state.words, evidence=evidence)
    return StageResult(words=state.words, next="release", evidence=evidence)


def _comment(work: Work) -> str:
    return f"retraining {work.story.story_id[:8]}, started by {work.story.detail.get('trigger', 'a trigger')}"
