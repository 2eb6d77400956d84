"""A regression is rolled back: the version before serves again, people are told, and monitors begin anew for it."""

import msgspec

from assay.operate.monitors.records import reset_baseline
from assay.operate.triggers.firing import close_behind
from assay.operate.watching.story import StageResult
from assay.operate.watching.work import Work
from assay.prove.promotion import rollback
from assay.record.alerts.incident import change_incident
from assay.record.models.registry import CHAMPION, alias, version_by_id
from assay.record.store import Row

__all__ = ["restore", "roll_back"]


def roll_back(work: Work) -> StageResult:
    """Put the version before back, with an incident that says why; a process that died after it finds it done."""
    store, story = work.store, work.story
    fired = store.get("trigger_fire", {"fire_id": story.fire_id})
    evidence = msgspec.json.decode(fired["evidence"])
    version, before = version_by_id(store, evidence["mv_id"]), version_by_id(store, evidence["before"])
    columns = {"endpoint": version.model}
    with store.transaction():
        done = store.query("deployment", {"rollback_of": evidence["deployment"], "cause": "incident"}, limit=1)
        champion = alias(store, version.model, CHAMPION)
        if not done and (champion is None or champion.mv_id != version.mv_id):
            name = "nothing" if champion is None else f"version {champion.version}"
            words = f"{name} is the champion meanwhile: there is nothing to take back"
            return StageResult(words=words, status="stopped")
        if done:
            decision = int(done[0]["decision"])
        else:
            decision = rollback(store, version.model, to=before.version, reason=fired["reason"]).decision
            _say_cause(work, decision, evidence, fired["reason"])
    words = f"version {version.version} was rolled back to version {before.version}: {fired['reason']}"
    detail: dict[str, object] = {"version": version.version, "before": before.version}
    return StageResult(words=words, next="restore", decision=decision, columns=columns, detail=detail)


def restore(work: Work) -> StageResult:
    """Monitors begin anew for the version that serves again, and the alert behind it all is closed."""
    store, story = work.store, work.story
    fired = store.get("trigger_fire", {"fire_id": story.fire_id})
    before = version_by_id(store, msgspec.json.decode(fired["evidence"])["before"])
    words = f"version {before.version} is the champion of {before.model} again"
    with store.transaction():
        begun = reset_baseline(store, story.endpoint or before.model, before.mv_id)
        close_behind(store, story.fire_id, words, "rolled back")
    if begun:
        words += f"; {len(begun)} monitors begin anew"
    return StageResult(words=f"{words}: {fired['reason']}", status="rolled_back")


def _say_cause(work: Work, decision: int, evidence: Row, reason: str) -> None:
    """The incident of the rollback says what a person would ask first: who found it, and what was wrong."""
    for row in work.store.query("incident", {"decision": decision}):
        change_incident(work.store, row["incident_id"], found_by=f"monitor {evidence['monitor']}", cause=reason)
