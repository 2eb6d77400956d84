"""Is it worth it? Before a training is paid for, what it would gain is estimated on fresh rows."""

import msgspec

from assay.errors import AssayError, StoreUnavailable
from assay.operate.project.candidate import taught_name
from assay.operate.project.gain import Gain, estimate_gain
from assay.operate.watching.checking import taught_by
from assay.operate.watching.story import StageResult
from assay.operate.watching.work import Work, said
from assay.record.models.registry import CHAMPION, alias

__all__ = ["estimate"]


def estimate(work: Work) -> StageResult:
    """End the story where fresh rows are proven to be worth too little; go on where they help, or nobody can tell."""
    store, project = work.store, work.project
    if not project.retraining.estimate_gain:
        return StageResult(words="what it would gain is not asked for", next="train")
    champion = alias(store, project.model_name, CHAMPION)
    if champion is None:
        return StageResult(words="there is no champion yet: the first one is a gain", next="train")
    taught = taught_by(store, champion.run_id, "output", taught_name(project))
    if taught is None:
        return StageResult(words="the rows that taught the champion are not on record", next="train")
    try:
        found = estimate_gain(store, project, str(work.story.detail["data"]), taught.hash, champion.mv_id)
    except StoreUnavailable:
        raise
    except AssayError as error:  # the training says it as well, if it hinders that too
        return StageResult(words=f"what it would gain cannot be told: {said(error)}", next="train")
    evidence = msgspec.to_builtins(found)
    if found.verdict == "helps too little" and not _by_hand(work):
        return StageResult(words=found.words, status="not_worth", evidence=evidence, detail={"gain": _short(found)})
    return StageResult(words=found.words, next="train", evidence=evidence, detail={"gain": _short(found)})


def _by_hand(work: Work) -> bool:
    """Whether a person said so: then it is told, and not refused."""
    fired = work.store.get("trigger_fire", {"fire_id": work.story.fire_id})
    evidence = msgspec.json.decode(fired["evidence"]) if fired["evidence"] else {}
    return bool(evidence.get("kind") == "manual")


def _short(found: Gain) -> dict[str, object]:
    return {"value": found.value, "low": found.low, "high": found.high, "verdict": found.verdict}
