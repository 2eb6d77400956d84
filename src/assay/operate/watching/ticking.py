"""One tick of the loop: whoever looks, however often, each thing is done once.

Cron, systemd or a Kubernetes CronJob may call it, or a daemon; several at once do no harm.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import msgspec

from assay.errors import AssayError, Conflict, StoreUnavailable
from assay.operate.monitors.checking import Checked, check_due
from assay.operate.monitors.records import declare_monitors
from assay.operate.project.alert_rules import declare_alert_rules
from assay.operate.project.approval import declare_approval
from assay.operate.project.settings import ProjectFile
from assay.operate.triggers.firing import Firing, fire_due
from assay.operate.triggers.records import declare_triggers
from assay.operate.watching.regressing import Doubted, fire_regressions
from assay.operate.watching.stages import STAGES
from assay.operate.watching.story import StageResult, Story, advance, held, open_stories
from assay.operate.watching.work import Work
from assay.prove.approvals.exceptions import flag_overdue
from assay.record.alerts.escalation import look_after
from assay.record.clock import iso
from assay.record.notify.delivery import deliver_due
from assay.record.store import Store
from assay.record.talk.standing import look_after_notices

__all__ = ["Tick", "declare", "tick"]

_log = logging.getLogger(__name__)
_RENEW_S = 15.0


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """What a tick did: windows that monitors looked at, what fired, and the stories that moved on, as they stand now.

    `doubted` are new champions that were held against the version before. `waiting` are stories that nobody here can
    carry on, with the reason; `escalated` alerts that waited too long for a person, `unread` events of which nobody who
    had to know has read; `overdue` exceptions from an approval whose review is late; `delivered` counts the news that
    were sent.
    """

    when: str
    unread: list[str] = []
    checked: list[Checked] = []
    doubted: list[Doubted] = []
    fired: list[Firing] = []
    stories: list[Story] = []
    waiting: list[str] = []
    escalated: list[str] = []
    overdue: list[str] = []
    delivered: int = 0


def declare(store: Store, project: ProjectFile) -> None:
    """Put in place what a project says of its monitors, its triggers, and who hears of its alerts."""
    if project.alert_rules is not None:
        declare_alert_rules(store, project.model_name, project.alert_rules, where=f"{project.file.name}: alert_rules")
    if project.monitors:
        model, where = project.model_name, f"{project.file.name}: monitors"
        declare_monitors(store, model, model, project.monitors, where=where)
    declare_triggers(
        store, project.model_name, str(project.file), project.triggers, where=f"{project.file.name}: triggers"
    )
    declare_approval(store, project)


def tick(store: Store, projects: Sequence[ProjectFile], now: datetime | None = None) -> Tick:
    """Look at everything once: fire what is due, carry every open story as far as it goes, send what is to be told."""
    moment = now or store.clock.latest()
    checked = check_due(store, now=moment)
    doubted = fire_regressions(store, projects, moment)
    fired = fire_due(store, moment)
    by_model = {project.model_name: project for project in projects}
    stories, waiting = [], []
    for story in open_stories(store):
        project = by_model.get(story.model)
        if project is None:
            waiting.append(f"story {story.story_id[:8]} of {story.model}: no project here trains it")
            continue
        try:
            moved = carry_on(store, story, project, moment)
        except StoreUnavailable:
            raise
        except AssayError as error:  # others go on; the next look tries this one again
            waiting.append(f"story {story.story_id[:8]} of {story.model}: {error.what}")
            continue
        if moved is None:
            waiting.append(f"story {story.story_id[:8]} of {story.model}: another process is at it")
        else:
            stories.append(moved)
    overdue = flag_overdue(store, moment)
    looked_after = look_after(store, moment)
    unread = look_after_notices(store, moment).escalated
    sent = deliver_due(store)
    return Tick(
        when=iso(moment),
        unread=unread,
        checked=checked,
        doubted=doubted,
        fired=[*(one.firing for one in doubted if one.firing is not None), *fired],
        stories=stories,
        waiting=waiting,
        escalated=looked_after.escalated,
        overdue=overdue,
        delivered=sent.delivered,
    )


def carry_on(store: Store, story: Story, project: ProjectFile, now: datetime) -> Story | None:
    """Carry a story on until it waits or ends; None where another process is at it."""
    lease = held(store, story)
    with lease as ours:
        if not ours:
            return None
        while story.status == "open":
            with _renewed(lease):
                found = _done(Work(store, story, project, now))
            try:
                story = advance(store, story, found)
            except Conflict:  # ended by somebody, or taken over while this process slept
                return None
            if found.outcome == "waiting":
                break
            now = max(now, store.clock.latest())
    return story


def _done(work: Work) -> StageResult:
    try:
        return STAGES[work.story.stage](work)
    except AssayError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of a user's code is how this story ends, not how the loop does
        _log.exception("story %s failed at %s", work.story.story_id, work.story.stage)
        return StageResult(words=f"{type(error).__name__}: {error}", status="failed")


@contextmanager
def _renewed(lease: held) -> Iterator[None]:
    """Keep the lease while the block runs, however long it takes."""
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(_RENEW_S):
            try:
                if not lease.renew():
                    return
            except AssayError as error:  # the store is away: the lease may be lost, the work goes on
                _log.warning("the lease of a story was not renewed: %s", error.what)

    thread = threading.Thread(target=renew, name="assay-story", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
