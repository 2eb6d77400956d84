"""The stages of a story: each does its work once, and finds what it had begun before the process died."""

from collections.abc import Callable, Mapping

import msgspec

from assay.errors import AssayError, Conflict, Refused, StoreUnavailable
from assay.operate.project.running import STORY_TAG, make_candidate, params_of
from assay.operate.releases.records import LIVE, Rollout, find_rollout, open_rollout
from assay.operate.releases.starting import start_release
from assay.operate.releases.ticking import tick
from assay.operate.routing.workers import live_workers
from assay.operate.triggers.firing import link_run
from assay.operate.triggers.records import REGRESSION, RUN_TYPES
from assay.operate.triggers.stories import StoryStatus
from assay.operate.watching.approving import going_live, wait_for_approval
from assay.operate.watching.checking import check
from assay.operate.watching.gaining import estimate
from assay.operate.watching.regressing import was_taken_back
from assay.operate.watching.settling import measure, settle
from assay.operate.watching.story import Stage, StageResult
from assay.operate.watching.taking_back import restore, roll_back
from assay.operate.watching.work import Work, said
from assay.prove.approvals.plan import DIRECT
from assay.prove.approvals.policy import policy_of
from assay.prove.approvals.standing import state_of
from assay.prove.promotion import promote
from assay.record.models.registry import CHAMPION, alias, find_version, version_by_id

__all__ = ["STAGES"]

_TAKEN_BACK = "it was rolled back once, and is put in place by a person or not at all"


def _begin(work: Work) -> StageResult:
    fired = work.store.get("trigger_fire", {"fire_id": work.story.fire_id})
    following: Stage = "rollback" if work.story.detail.get("trigger") == REGRESSION else "check"
    words = f"{work.story.detail.get('trigger', 'a trigger')} fired: {fired['reason']}"
    return StageResult(words=words, next=following)


def _train(work: Work) -> StageResult:
    """From the data to a verdict, as `assay run` goes; a run that died is gone on with."""
    store, story, project = work.store, work.story, work.project
    tagged = store.query("run_tag", {"key": STORY_TAG, "value": story.story_id})
    runs = {"run_id in": [one["run_id"] for one in tagged], "parent_run_id": None}
    before = store.query("run", runs, order_by=["-started"], limit=1)
    fired = store.get("trigger_fire", {"fire_id": story.fire_id})
    try:
        made = make_candidate(
            store,
            project,
            params_of(project, []),
            story=story.story_id,
            data=str(story.detail["data"]),
            trigger_type=_run_type(fired["evidence"]),
            resume=before[0]["run_id"] if before else None,
        )
    except StoreUnavailable:
        raise  # the loop looks again when the store is back
    except Refused as error:
        return StageResult(words=said(error), status="stopped", evidence={"refused": said(error)})
    except Conflict as error:  # what was learned is the champion already
        return StageResult(words=said(error), status="not_worth", evidence={"refused": said(error)})
    except AssayError as error:
        return StageResult(words=said(error), status="failed", evidence={"error": said(error)})
    link_run(store, story.fire_id, made.run_id)
    words = f"version {made.version} was trained on {made.rows.get('train', 0):,} rows; the gate says {made.verdict}"
    found = {
        "version": made.version,
        "verdict": made.verdict,
        "seconds": made.seconds,
        "evaluation": made.judgement.evaluation_id,
    }
    columns = {"run_id": made.run_id, "mv_id": find_version(store, project.model_name, made.version).mv_id}
    if made.verdict != "pass":
        reasons = "; ".join(made.judgement.reasons)
        return StageResult(words=f"{words}: {reasons}", status="refused", evidence=found, detail=found, columns=columns)
    if was_taken_back(store, columns["mv_id"]):
        return StageResult(
            words=f"{words}; {_TAKEN_BACK}", status="refused", evidence=found, detail=found, columns=columns
        )
    asked = project.release.approval or policy_of(store, project.model_name).asks
    following: Stage = "approve" if asked else "release"
    return StageResult(words=words, next=following, evidence=found, detail=found, columns=columns)


def _release(work: Work) -> StageResult:
    """Release by the project's strategy; where nothing serves, or the strategy is direct, promote at once."""
    store, story = work.store, work.story
    assert story.mv_id is not None, "a story is released after it was trained"
    version = version_by_id(store, story.mv_id)
    champion = alias(store, version.model, CHAMPION)
    if champion is not None and champion.mv_id == version.mv_id:
        return StageResult(words=f"version {version.version} is the champion", next="settle")
    if story.rollout_id is not None:
        return _followed(work, find_rollout(store, story.rollout_id))
    if was_taken_back(store, version.mv_id):
        return StageResult(words=f"version {version.version}: {_TAKEN_BACK}", status="refused")
    endpoint = version.model
    going = going_live(work)
    approval = state_of(store, version.mv_id, going)
    if approval.outcome != "pass":  # it was given, and does not count any more
        return StageResult(words=approval.words, next="approve")
    try:
        if going.plan == DIRECT:
            done = promote(store, version.model, version.version)
            words = f"version {version.version} was promoted: {done.reason}"
            return StageResult(words=words, next="settle", decision=done.decision, columns={"endpoint": done.endpoint})
        rollout = open_rollout(store, endpoint)
        if rollout is None or rollout.detail.challenger.mv_id != version.mv_id:
            rollout = start_release(
                store, endpoint, version.version, strategy=work.project.release.strategy, rules=work.project.rules()
            )
    except Conflict as error:
        return StageResult(words=f"waits: {said(error)}")
    except Refused as error:
        return StageResult(words=said(error), status="refused")
    words = f"release of version {version.version} by {rollout.strategy} has begun"
    return StageResult(
        words=words,
        next="release",
        decision=rollout.decision,
        columns={"rollout_id": rollout.rollout_id, "endpoint": endpoint},
    )


def _followed(work: Work, rollout: Rollout) -> StageResult:
    """What has become of a release; where no server carries it on, it is looked at here."""
    if rollout.status in LIVE and not live_workers(work.store, rollout.endpoint):
        tick(work.store, rollout)  # by the wall clock, as phases begin: in a replay the story's moment is long before
        rollout = find_rollout(work.store, rollout.rollout_id)
    name = f"release of version {rollout.detail.version}"
    if rollout.status in LIVE:
        return StageResult(words=f"{name} is {rollout.status} at {rollout.step_name}")
    words = f"{name} was {rollout.status.replace('_', ' ')}: {rollout.reason}"
    if rollout.status == "promoted":
        return StageResult(words=words, next="settle", decision=rollout.decision)
    status: StoryStatus = "rolled_back" if rollout.status == "rolled_back" else "stopped"
    return StageResult(words=words, status=status, decision=rollout.decision)


def _run_type(evidence: str | None) -> str:
    kind = msgspec.json.decode(evidence).get("kind") if evidence else None
    return RUN_TYPES.get(str(kind), "manual")


STAGES: Mapping[Stage, Callable[[Work], StageResult]] = {
    "begin": _begin,
    "check": check,
    "gain": estimate,
    "train": _train,
    "approve": wait_for_approval,
    "release": _release,
    "settle": settle,
    "staleness": measure,
    "rollback": roll_back,
    "restore": restore,
}
