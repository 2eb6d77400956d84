"""A release: its steps and where it stands, what each guardrail knows, every decision with its inputs."""

import json

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from assay.errors import NotFound
from assay.operate.online_tests.definition import find_test
from assay.operate.releases.records import LIVE, Event, Rollout, events_of, rollout_of
from assay.operate.releases.replaying import replay_release
from assay.operate.releases.reporting import report_of
from assay.record.store import Store
from assay.server.pages.rendering import render

__all__ = ["show"]


def show(store: Store, request: Request) -> Response:
    """A release by its id; with `check` every decision is made again from its inputs."""
    rollout = _release(store, request.path_params["rollout_id"])
    events = events_of(store, rollout.rollout_id)
    checked = replay_release(store, rollout.rollout_id) if "check" in request.query_params else None
    look = rollout.detail.look
    return render(
        store,
        request,
        "release.html",
        title=f"Release of {rollout.model} {rollout.detail.version}",
        place="/endpoints",
        release=rollout,
        report=report_of(rollout),
        evidence=look.decision.evidence if look else (),
        seen=look.inputs.as_of if look else None,
        counts=look.inputs.phases[-1].counts if look else None,
        events=[(event, _inputs(event)) for event in reversed(events)],
        checked={one.seq: one for one in checked.decisions} if checked else {},
        all_same=checked.reproduced if checked else None,
        test=find_test(store, rollout.detail.test_id) if rollout.detail.test_id else None,
        live=rollout.status in LIVE,
    )


def _release(store: Store, asked: str) -> Rollout:
    rows = store.query("rollout", {"rollout_id": asked})
    if not rows:
        raise NotFound(f"no release has the id {asked}", where=store.location, hint="the endpoint's page lists them")
    return rollout_of(rows[0])


def _inputs(event: Event) -> str | None:
    """What a decision was made from, to be read."""
    return None if event.inputs is None else json.dumps(msgspec.to_builtins(event.inputs), indent=2)
