"""`assay release`: begin a release, follow it, stop it where it is, let it go on, end it."""

import time
from typing import Annotated

import msgspec

from assay.build.views.declared.spans import microseconds
from assay.errors import AssayError, InvalidInput
from assay.operate.online_tests.metric_files import load_metrics
from assay.operate.releases.moving import abort, hold, resume
from assay.operate.releases.records import LIVE, Rollout, find_rollout, rollout_of
from assay.operate.releases.reporting import ReleaseReport, report_of
from assay.operate.releases.rules import Rules, read_rules, with_options
from assay.operate.releases.starting import start_release
from assay.operate.releases.ticking import TICK_S, Ticker
from assay.operate.routing.workers import live_workers
from assay.operation import operation
from assay.progress import tell
from assay.record.models.routes import current_route, wait_acknowledged
from assay.record.store import Store

__all__ = [
    "ReleaseSummary",
    "abort_release",
    "list_releases",
    "pause_release",
    "release",
    "release_status",
    "resume_release",
]

_WHICH = "An endpoint, or the first characters of a release's id"
_DEFAULT = "shadow,canary:1,5,25,50"
_PATIENCE_S = 10.0


class ReleaseSummary(msgspec.Struct, frozen=True):
    """A release in a line: what of which version, how far, how it ended and why."""

    rollout_id: str
    endpoint: str
    version: int
    champion_version: int
    strategy: str
    status: str
    step: str
    started: str
    ended: str | None
    reason: str


@operation("release", local=True)
def release(
    store: Store,
    endpoint: str,
    version: int,
    *,
    strategy: Annotated[str, "Its steps: shadow, canary with shares in percent, ab; or direct"] = _DEFAULT,
    rules: Annotated[str | None, "A TOML file of guardrails, margins and exposure"] = None,
    min_units: Annotated[int | None, "Units of the challenger that each step needs"] = None,
    min_rows: Annotated[int | None, "Rows of the challenger that each step needs"] = None,
    min_time: Annotated[str | None, "How long each step takes at least, as 30m"] = None,
    weekly: Annotated[bool, "Each step takes a whole week at least"] = False,
    slo_ms: Annotated[float | None, "Requests slower than that are slow; else than 99 of 100 of the champion's"] = None,
    alpha: Annotated[float | None, "How probable a false rollback may be, over all guardrails"] = None,
    metrics: Annotated[str | None, "File of metrics for the test on labels, as `assay test new` takes it"] = None,
    margin: Annotated[list[str], "How much worse is safe, as errors=0.01; may be given again"] = [],  # noqa: B006
    tolerance: Annotated[list[str], "How many times the champion's share is no harm, as slow=1.5"] = [],  # noqa: B006
    override: Annotated[str | None, "Release against the gate, for this reason, which stays on record"] = None,
    detach: Annotated[bool, "Begin it and return; the servers of the endpoint carry it on"] = False,
    wait: Annotated[str | None, "Return after that long at most, as 1h; the release goes on"] = None,
) -> ReleaseReport:
    """Replace an endpoint's champion by a version of its model, step by step, on evidence.

    Each step goes on when all guardrails are shown to be safe and the exposure is reached. Proven harm puts the
    champion back at once. Following it ends with 0 for promoted, 1 for rolled back and 3 for held or not decided yet.
    An interrupt leaves it running: the servers of the endpoint carry it on. A version without a pass of the gate may
    begin as a shadow and is held behind it; one that failed may be a shadow and no more, unless an override says why.
    """
    chosen = with_options(
        read_rules(rules) if rules else Rules(),
        min_units=min_units,
        min_rows=min_rows,
        min_time=min_time,
        weekly=weekly,
        slo_ms=slo_ms,
        alpha=alpha,
        metrics=load_metrics(metrics) if metrics else (),
        margins=margin,
        tolerances=tolerance,
    )
    patience_us = None if wait is None else microseconds(wait, "wait")
    begun = start_release(store, endpoint, version, strategy=strategy, rules=chosen, override=override)
    if detach:
        return report_of(begun, judged=False)
    return _followed(store, begun, None if patience_us is None else patience_us / 1e6)


@operation("release status")
def release_status(store: Store, rollout: Annotated[str, _WHICH]) -> ReleaseReport:
    """Say where a release stands, what each guardrail says, and what is still needed."""
    return report_of(find_rollout(store, rollout))


@operation("release ls")
def list_releases(
    store: Store,
    *,
    endpoint: Annotated[str | None, "Only of this endpoint"] = None,
    limit: Annotated[int, "At most so many"] = 50,
) -> list[ReleaseSummary]:
    """List releases, newest first."""
    if limit < 1:
        raise InvalidInput(f"limit is {limit}", expected="1 or more")
    where = {"endpoint": endpoint} if endpoint else {}
    rows = store.query("rollout", where, order_by=["-started"], limit=limit)
    return [_summary(rollout_of(row)) for row in rows]


@operation("release pause")
def pause_release(store: Store, rollout: Annotated[str, _WHICH], reason: str) -> ReleaseReport:
    """Keep a release at its step until it is resumed; guardrails may still take it back."""
    found = find_rollout(store, rollout)
    hold(store, found, _stated(reason))
    return report_of(find_rollout(store, found.rollout_id), judged=False)


@operation("release resume")
def resume_release(store: Store, rollout: Annotated[str, _WHICH], reason: str) -> ReleaseReport:
    """Let a release that is held go on; a mismatch that held it counts as looked at."""
    found = find_rollout(store, rollout)
    resume(store, found, _stated(reason))
    return report_of(find_rollout(store, found.rollout_id), judged=False)


@operation("release abort")
def abort_release(store: Store, rollout: Annotated[str, _WHICH], reason: str) -> ReleaseReport:
    """End a release: the champion answers everything again."""
    found = find_rollout(store, rollout)
    abort(store, found, _stated(reason))
    return report_of(find_rollout(store, found.rollout_id), judged=False)


def _stated(reason: str) -> str:
    if not reason.strip():
        raise InvalidInput("no reason is given", expected="why, in words, for the record")
    return reason.strip()


def _followed(store: Store, begun: Rollout, patience_s: float | None) -> ReleaseReport:
    """Look at the release until it is over or held, the patience is, or somebody interrupts."""
    ticker, started = Ticker(store, begun), time.monotonic()
    now = begun
    try:
        while now.status == "running" and (patience_s is None or time.monotonic() - started < patience_s):
            ticker.tick()
            now = find_rollout(store, begun.rollout_id)
            _say(now)
            if now.status == "running":
                time.sleep(TICK_S)
    except KeyboardInterrupt:
        return report_of(find_rollout(store, begun.rollout_id))
    return report_of(now, acknowledged_s=_acknowledged(store, now))


def _say(rollout: Rollout) -> None:
    look = rollout.detail.look
    detail = f"{rollout.step_name}: {look.decision.needed[0] if look and look.decision.needed else rollout.status}"
    done = rollout.step if rollout.status in LIVE else len(rollout.detail.steps)
    tell("release", done / len(rollout.detail.steps), detail)


def _acknowledged(store: Store, rollout: Rollout) -> float | None:
    """Seconds until all servers answered by the last route; None where none runs or one does not take it over."""
    if rollout.status not in ("promoted", "rolled_back") or not live_workers(store, rollout.endpoint):
        return None
    try:
        return wait_acknowledged(
            store, rollout.endpoint, current_route(store, rollout.endpoint).revision, timeout_s=_PATIENCE_S
        )
    except AssayError:
        return None


def _summary(rollout: Rollout) -> ReleaseSummary:
    return ReleaseSummary(
        rollout_id=rollout.rollout_id,
        endpoint=rollout.endpoint,
        version=rollout.detail.version,
        champion_version=rollout.detail.champion_version,
        strategy=rollout.strategy,
        status=rollout.status,
        step=rollout.step_name,
        started=rollout.started,
        ended=rollout.ended,
        reason=rollout.reason or "",
    )
