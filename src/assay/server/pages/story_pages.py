"""Retrainings: each a story from what fired it to the version that was released, refused or taken back."""

import json
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput, NotFound
from assay.operate.triggers.records import REGRESSION
from assay.operate.watching.commands import approve_story, list_stories, stop_story
from assay.operate.watching.story import Story, StoryEvent, events_of, story_of
from assay.prove.approvals.policy import policy_of
from assay.prove.approvals.records import ApprovalRequest, newest_request
from assay.record.clock import moment
from assay.record.models.registry import version_by_id
from assay.record.store import Row, Store
from assay.server.pages.forms import Form, acting_as, check_seen, seen_of
from assay.server.pages.rendering import render
from assay.server.pages.wording import quoted

__all__ = ["edit", "show", "show_all"]

_LISTED = 100
STAGES = {  # in the order in which a story goes through them
    "begin": "fired",
    "check": "check of the data",
    "gain": "estimate of the gain",
    "train": "training and verdict",
    "approve": "approval",
    "release": "release",
    "settle": "new champion",
    "staleness": "staleness curve",
}
ROLLBACK = {
    "begin": "harm is proven",
    "rollback": "rollback",
    "restore": "the version before serves",
}  # of a regression

_NOT_ALWAYS = ("check", "gain", "approve", "staleness")


class Step(NamedTuple):
    """A stage of a story: done, now, ended here, or not reached."""

    name: str
    state: str


def show_all(store: Store, request: Request) -> Response:
    """Retrainings, newest first; `model` asks for those of one."""
    model = request.query_params.get("model")
    stories = list_stories(store, model=model, limit=_LISTED)
    return render(
        store,
        request,
        "stories.html",
        title=f"Retrainings of {model}" if model else "Retrainings",
        place="/monitoring",
        model=model,
        stories=stories,
        fired=_fired(store, stories),
        versions=_versions(store, stories),
        lasted={one.story_id: _seconds(one) for one in stories},
    )


def show(store: Store, request: Request) -> Response:
    """One story by its id."""
    story = _story(store, request.path_params["story_id"])
    events = events_of(store, story.story_id)
    fired = store.get("trigger_fire", {"fire_id": story.fire_id})
    rollout = store.query("rollout", {"rollout_id": story.rollout_id}) if story.rollout_id else []
    return render(
        store,
        request,
        "story.html",
        title=f"{'Rollback' if _is_rollback(story) else 'Retraining'} of {story.model}",
        place="/monitoring",
        story=story,
        fired=fired,
        evidence=_shown(json.loads(fired["evidence"])) if fired["evidence"] else None,
        version=version_by_id(store, story.mv_id) if story.mv_id else None,
        evaluation=_evaluation(store, story),
        release=rollout[0] if rollout else None,
        steps=_steps(story, events),
        stages={**ROLLBACK, **STAGES},
        events=[(one, _shown(one.detail)) for one in events if one.stage != "begin"],
        lasted=_seconds(story),
        live=story.status == "open",
        asked=_asked(store, story),
        seen=seen_of(_state(story)),
    )


def edit(store: Store, request: Request, form: Form) -> str:
    """Let a retraining that waits for a person go on, or end it, as the field `do` says; returns its address."""
    store = acting_as(store, request, form)
    what, reason = form.one("do"), form.one("reason").strip()
    with store.transaction():
        story = _story(store, request.path_params["story_id"])
        check_seen(form, _state(story))
        if what == "approve":
            approve_story(store, story.story_id, reason=reason)
        elif what == "stop":
            stop_story(store, story.story_id, reason=reason)
        else:
            raise InvalidInput(f"nothing is done by {what!r}", expected="approve | stop")
    return f"/stories/{quoted(story.story_id)}"


def _state(story: Story) -> list[Any]:
    """What people decide on."""
    return [story.status, story.stage == "approve", story.detail.get("approved"), story.mv_id]


def _story(store: Store, asked: str) -> Story:
    rows = store.query("retraining", {"story_id": asked})
    if not rows:
        raise NotFound(f"no retraining has the id {asked}", where=store.location, hint="the list of retrainings")
    return story_of(rows[0])


def _fired(store: Store, stories: list[Story]) -> dict[str, Row]:
    ids = [one.fire_id for one in stories]
    return {row["fire_id"]: row for row in store.query("trigger_fire", {"fire_id in": ids})} if ids else {}


def _versions(store: Store, stories: list[Story]) -> dict[str, int]:
    ids = [one.mv_id for one in stories if one.mv_id]
    found = store.query("model_version", {"mv_id in": ids}) if ids else []
    return {row["mv_id"]: row["version"] for row in found}


def _evaluation(store: Store, story: Story) -> Row | None:
    asked = story.detail.get("evaluation")
    found = store.query("evaluation", {"evaluation_id": asked}) if asked else []
    return found[0] if found else None


def _asked(store: Store, story: Story) -> ApprovalRequest | None:
    """The request that the story waits for, where the model's policy asks for an approval."""
    if story.mv_id is None or story.stage != "approve" or not policy_of(store, story.model).asks:
        return None
    return newest_request(store, story.mv_id)


def _seconds(story: Story) -> float | None:
    return (moment(story.ended) - moment(story.started)).total_seconds() if story.ended else None


def _steps(story: Story, events: list[StoryEvent]) -> list[Step]:
    """The stages with how far the story came; those that not every story has only where this one had them."""
    done = {one.stage for one in events if one.outcome == "done"}
    last = events[-1].stage if events else "begin"
    here = last if story.status != "open" else story.stage
    ended = {"open": "now", "promoted": "done"}.get(story.status, "ended")
    found = []
    for stage, name in (ROLLBACK if _is_rollback(story) else STAGES).items():
        if stage == here:
            found.append(Step(name, ended))
        elif stage in done:
            found.append(Step(name, "done"))
        elif stage not in _NOT_ALWAYS:
            found.append(Step(name, "open"))
    return found


def _is_rollback(story: Story) -> bool:
    return story.detail.get("trigger") == REGRESSION


def _shown(detail: dict[str, object]) -> str | None:
    """Evidence, to be read."""
    return json.dumps(detail, indent=2, ensure_ascii=False) if detail else None
