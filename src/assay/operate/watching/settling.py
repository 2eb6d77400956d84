"""After a promotion: monitors begin anew, the alert behind it is closed, and how the model grows old is measured."""

import msgspec

from assay.errors import AssayError, StoreUnavailable
from assay.operate.monitors.records import reset_baseline
from assay.operate.project.aging import measure_staleness, record_staleness
from assay.operate.triggers.firing import close_behind
from assay.operate.watching.story import StageResult
from assay.operate.watching.work import Work, said
from assay.record.models.registry import version_by_id

__all__ = ["measure", "settle"]


def settle(work: Work) -> StageResult:
    """The new champion is what monitors compare with from now on."""
    store, story = work.store, work.story
    assert story.mv_id is not None, "a story settles after it was released"
    version = version_by_id(store, story.mv_id)
    words = f"version {version.version} is the champion of {version.model}"
    with store.transaction():
        begun = reset_baseline(store, story.endpoint or version.model, version.mv_id)
        close_behind(store, story.fire_id, words)
    if begun:
        words += f"; {len(begun)} monitors begin anew"
    if work.project.staleness is not None:
        return StageResult(words=words, next="staleness")
    return StageResult(words=words, status="promoted")


def measure(work: Work) -> StageResult:
    """Measure the staleness curve; where that cannot be done the promotion stands all the same."""
    store, story = work.store, work.story
    assert story.mv_id is not None, "a story settles after it was released"
    version = version_by_id(store, story.mv_id)
    champion = f"version {version.version} is the champion"
    try:
        found = measure_staleness(store, work.project, str(story.detail["data"]))
    except StoreUnavailable:
        raise
    except AssayError as error:
        return StageResult(words=f"{champion}; how it grows old cannot be told: {said(error)}", status="promoted")
    record_staleness(store, version, found)
    return StageResult(words=f"{champion}; {found.words}", status="promoted", evidence=msgspec.to_builtins(found))
