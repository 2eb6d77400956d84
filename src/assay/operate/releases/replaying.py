"""Decisions of a release made once more from what was kept of their inputs."""

from typing import Annotated

import msgspec

from assay.operate.releases.deciding import decide_next
from assay.operate.releases.records import Event, events_of, find_rollout
from assay.operation import operation
from assay.record.canonical import canonical_json
from assay.record.store import Store

__all__ = ["ReleaseReplay", "ReplayedDecision", "replay_release"]


class ReplayedDecision(msgspec.Struct, frozen=True):
    """A decision made again. `same` says that it agrees to the last bit; None where a person decided."""

    seq: int
    kind: str
    ts: str
    reason: str
    same: bool | None
    differs: str | None


class ReleaseReplay(msgspec.Struct, frozen=True):
    """All decisions of a release; `reproduced` where each that was computed comes out the same."""

    rollout_id: str
    endpoint: str
    reproduced: bool
    decisions: list[ReplayedDecision]


@operation("release replay")
def replay_release(
    store: Store, rollout: Annotated[str, "An endpoint, or the first characters of a release's id"]
) -> ReleaseReplay:
    """Make each decision of a release again from its inputs, and say whether it is the same to the last bit."""
    found = find_rollout(store, rollout)
    decisions = [_replayed(event) for event in events_of(store, found.rollout_id)]
    same = all(one.same is not False for one in decisions)
    return ReleaseReplay(found.rollout_id, found.endpoint, same, decisions)


def _replayed(event: Event) -> ReplayedDecision:
    if event.inputs is None or event.decision is None:
        return ReplayedDecision(event.seq, event.kind, event.ts, event.reason, None, None)
    again, before = (canonical_json(msgspec.to_builtins(one)) for one in (decide_next(event.inputs), event.decision))
    differs = None if again == before else f"{_first_difference(before, again)} (decided by Assay {event.inputs.code})"
    return ReplayedDecision(event.seq, event.kind, event.ts, event.reason, again == before, differs)


def _first_difference(before: str, again: str) -> str:
    place = next((i for i, pair in enumerate(zip(before, again, strict=False)) if pair[0] != pair[1]), 0)
    begin = max(0, place - 40)
    return f"recorded ...{before[begin : place + 40]}..., now ...{again[begin : place + 40]}..."
