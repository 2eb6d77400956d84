"""`assay watch` and `assay retrain`: the loop from the command line."""

import os
import socket
import time
from datetime import timedelta
from typing import Annotated

import msgspec

from assay.errors import AssayError, Conflict, InvalidInput, NotFound
from assay.operate.project.aging import Staleness, measure_staleness, record_staleness
from assay.operate.project.aging_picture import draw_staleness
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.triggers.firing import fire_by_hand
from assay.operate.triggers.stories import end_story
from assay.operate.watching.approving import approve
from assay.operate.watching.story import Story, StoryEvent, events_of, find_story, story_of
from assay.operate.watching.ticking import Tick, carry_on, declare, tick
from assay.operation import operation
from assay.progress import tell
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.lengths import checked_length
from assay.record.models.registry import CHAMPION, alias
from assay.record.row_leases import take_lease
from assay.record.store import Store

__all__ = [
    "ToldStory",
    "approve_story",
    "list_stories",
    "retrain",
    "show_story",
    "staleness",
    "stop_story",
    "watch",
]

_LEASE = timedelta(seconds=60)
_NAME = "watch"


class ToldStory(msgspec.Struct, frozen=True, kw_only=True):
    """A story from its firing to its end, as it can be read afterwards."""

    story: Story
    fired: str
    events: list[StoryEvent]


def check_watch(*, project: list[str], every: str, **_: object) -> None:
    """Refuse a wrong project file or length before anything is looked at."""
    _projects(project)
    checked_length(every, "--every", zero=False)


@operation("watch", check=check_watch, creates_store=True, local=True)
def watch(
    store: Store,
    *,
    project: Annotated[list[str], "A project whose model it trains; may be given again; the nearest by default"] = [],  # noqa: B006
    once: Annotated[bool, "Look once and end, as cron or a CronJob asks for"] = False,
    every: Annotated[str, "How long it rests between two looks"] = "60s",
) -> Tick:
    """Look at monitors, fire what is due, and carry every retraining on: the loop that runs by itself.

    Each thing is done once, however often one looks, in how many processes, and whatever dies in between. Of several
    that run without end one works, the others stand by. The nearest assay.toml is the project where none is named.
    """
    found = _projects(project)
    rest = checked_length(every, "--every", zero=False)
    if once:
        return _look(store, found)
    holder = new_id()
    while True:
        try:
            if _leads(store, holder, _LEASE + 2 * rest):  # it is still the one when it looks again
                _look(store, found)
        except AssayError as error:
            tell("watch", 0.0, f"looks again: {error.what}")
        time.sleep(rest.total_seconds())


@operation("retrain", local=True)
def retrain(
    store: Store,
    model: str,
    *,
    reason: Annotated[str, "Why, for the record"] = "asked for by hand",
    project: Annotated[str | None, "The project that trains it; the nearest by default"] = None,
    detach: Annotated[bool, "Only fire; whoever watches carries it on"] = False,
) -> ToldStory:
    """Train a model now, judge the candidate and release it as the project says: a story that is on record."""
    settings = load_project(project)
    if settings.model_name != model:
        raise InvalidInput(
            f"the project trains {settings.model_name!r}, not {model!r}",
            where=str(settings.file),
            expected=settings.model_name,
        )
    declare(store, settings)
    fired = fire_by_hand(store, model, str(settings.file), reason)
    story = find_story(store, fired.fire_id)
    if not detach:
        carry_on(store, story, settings, store.clock.latest())
    return _told(store, fired.fire_id)


@operation("watch stories")
def list_stories(
    store: Store,
    *,
    model: Annotated[str | None, "Only this model"] = None,
    limit: Annotated[int, "At most so many, newest first"] = 50,
) -> list[Story]:
    """List retrainings: what started each, where it stands or how it ended."""
    where = {} if model is None else {"model": model}
    rows = store.query("retraining", where, order_by=["-started", "-story_id"], limit=limit)
    return [story_of(row) for row in rows]


@operation("watch show")
def show_story(store: Store, story: Annotated[str, "Its id, or the first characters of it"]) -> ToldStory:
    """Tell a retraining from what fired it to how it ended."""
    return _told(store, find_story(store, story).story_id)


@operation("watch stop")
def stop_story(
    store: Store,
    story: Annotated[str, "Its id, or the first characters of it"],
    *,
    reason: Annotated[str, "Why, for the record"] = "stopped by hand",
) -> ToldStory:
    """End a retraining that is under way; a release that it has begun goes on."""
    found = find_story(store, story)
    if not reason.strip():
        raise InvalidInput("a retraining is stopped without a reason", expected="why, in words")
    if found.status != "open":
        raise Conflict(f"story {found.story_id[:8]} has ended: {found.status}", expected="one that is under way")
    end_story(store, found.story_id, "stopped", reason)
    return _told(store, found.story_id)


@operation("watch approve")
def approve_story(
    store: Store,
    story: Annotated[str, "Its id, or the first characters of it"],
    reason: Annotated[str, "Why, for the record"],
) -> ToldStory:
    """Let a retraining that waits for a person go on to its release; whoever watches carries it on."""
    found = find_story(store, story)
    approve(store, found, reason)
    return _told(store, found.story_id)


@operation("watch staleness", local=True)
def staleness(
    store: Store,
    project: Annotated[str | None, "The project; the nearest by default"] = None,
    *,
    picture: Annotated[str | None, "Also draw the curve into this file, as SVG"] = None,
) -> Staleness:
    """Measure how the project's model grows old: trained once, tested later and later beside a fresh one each time.

    The curve is put on record for the champion: triggers of decay and cost read it there.
    """
    settings = load_project(project)
    champion = alias(store, settings.model_name, CHAMPION)
    if champion is None:
        raise NotFound(f"{settings.model_name} has no champion", where=store.location, hint="`assay retrain` makes one")
    found = measure_staleness(store, settings)
    record_staleness(store, champion, found)
    if picture is not None:
        draw_staleness(found, f"What age costs {settings.model_name}").save(picture)
    return found


def _told(store: Store, story_id: str) -> ToldStory:
    story = find_story(store, story_id)
    fired = store.get("trigger_fire", {"fire_id": story.fire_id})
    return ToldStory(story=story, fired=fired["reason"], events=events_of(store, story_id))


def _projects(given: list[str]) -> list[ProjectFile]:
    try:
        found = [load_project(one) for one in given] if given else [load_project(None)]
    except NotFound:
        if given:
            raise
        return []
    models = [project.model_name for project in found]
    twice = next((one for one in models if models.count(one) > 1), None)
    if twice is not None:
        raise InvalidInput(f"two projects train {twice!r}", expected="one project a model")
    return found


def _leads(store: Store, holder: str, length: timedelta) -> bool:
    """Whether this process is the one that works: it has the lease, or takes it over from one that has gone."""
    now = store.clock.now()
    mine = {"seen": iso(now), "host": socket.gethostname(), "pid": os.getpid()}
    key = {"name": _NAME}
    first = {**key, **mine, "holder": holder, "until": iso(now + length), "started": iso(now)}
    if store.append_many("watcher", [first], skip_existing=True):
        return True
    row = store.get("watcher", key)
    return take_lease(store, "watcher", key, row, holder, length, now=now, columns=("holder", "until"), besides=mine)


def _look(store: Store, projects: list[ProjectFile]) -> Tick:
    for one in projects:
        declare(store, one)
    done = tick(store, projects)
    _tell(done)
    return done


def _tell(done: Tick) -> None:
    for one in done.fired:
        tell("watch", 0.0, f"{one.trigger} of {one.model} fired: {one.reason}")
    for story in done.stories:
        tell("watch", 1.0, f"story {story.story_id[:8]} of {story.model}: {story.status} at {story.stage}")
