"""A version that does harm soon after its promotion, and that the one before it did better, is taken back.

For so long as `[release] rollback_within` says, monitors of a new champion are listened to. One that needs labels, or
of what is answered, only gives the occasion: what counts is that the version before is proven better on the same rows.
Errors and slowness are proof by themselves, where they came with the version. Each promotion is taken back at most
once, and what a rollback put back never.

One may look after every window: the chance that a version which is as good as the one before it is ever taken back is
at most `ALPHA`, of which the k-th moment to look at has 1/(k(k + 1)), shared by the monitors.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from assay.errors import AssayError, NotFound, StoreUnavailable
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.records import monitors_of
from assay.operate.monitors.spans import Span
from assay.operate.project.settings import ProjectFile
from assay.operate.triggers.firing import Firing, fire_for_regression
from assay.operate.triggers.truth import Cause
from assay.operate.watching.comparing import Compared, compare_served
from assay.operate.watching.first_windows import came_with
from assay.operate.watching.work import said
from assay.record.canonical import canonical_json
from assay.record.clock import happened, iso, moment
from assay.record.lengths import checked_length
from assay.record.models.champions import champion_before
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.store import Row, Store

__all__ = ["ALPHA", "Doubted", "fire_regressions", "was_taken_back"]

_log = logging.getLogger(__name__)
ALPHA = 0.05
_TEST = "O7"  # ML Test Score: the quality of predictions has not regressed on what is served
_NEED_LABELS = ("performance", "calibration", "fairness", "prediction_drift")  # or give the occasion to look at them
_PROOF = ("errors", "latency")


class Doubted(msgspec.Struct, frozen=True, kw_only=True):
    """A new champion that a monitor raised doubts about, what the look at it found, and the firing for proven harm."""

    model: str
    version: int
    monitor: str
    window: str
    words: str
    firing: Firing | None = None


def fire_regressions(store: Store, projects: Sequence[ProjectFile], now: datetime) -> list[Doubted]:
    """Look at each new champion that a monitor raises doubts about, each window once; those that were looked at.

    Where harm is proven a story begins, in the transaction in which that is written, that takes the version back.
    """
    where = {"model in": [project.model_name for project in projects], "ended": None, "cause": "change"}
    rows = store.query("deployment", where, order_by=["started"]) if projects else []
    promoted = {row["model"]: row for row in rows}
    found = []
    for project in projects:
        row = promoted.get(project.model_name)
        case = _case(store, project, row, now) if row is not None else None
        if case is not None:
            found += _looked(case)
    return found


def was_taken_back(store: Store, mv_id: str) -> bool:
    """Whether a version was in place and was rolled back because of harm: the loop does not promote it again."""
    if store.query("deployment", {"mv_id": mv_id, "outcome": "rolled_back"}, limit=1):
        return True
    return bool(store.query("retraining", {"mv_id": mv_id, "status": "rolled_back"}, limit=1))


@dataclass(frozen=True, slots=True)
class _Case:
    """A champion that was promoted lately, the version before it, and the monitors that may speak against it."""

    store: Store
    project: ProjectFile
    now: datetime
    version: ModelVersion
    before: ModelVersion
    deployment: str
    since: str
    monitors: Sequence[Monitor]


def _case(store: Store, project: ProjectFile, promoted: Row, now: datetime) -> _Case | None:
    """None for a champion that was promoted too long ago, or has none before it."""
    length = checked_length(project.release.rollback_within, "rollback_within")
    if not length or happened(promoted) < iso(now - length):
        return None
    before = champion_before(store, project.model_name)
    every = monitors_of(store, project.model_name, promoted["endpoint"])
    try:
        return None if before is None else _Case(
            store, project, now,
            version=version_by_id(store, promoted["mv_id"]),
            before=version_by_id(store, before),
            deployment=promoted["dep_id"],
            since=happened(promoted),
            monitors=[one for one in every if one.definition.kind in (*_PROOF, *_NEED_LABELS)],
        )  # fmt: skip
    except NotFound:  # it was removed: nothing could be put back
        return None


def _looked(case: _Case) -> list[Doubted]:
    """What the monitors say of the version, until one proves harm."""
    found = []
    for monitor in case.monitors:
        one = _proven(case, monitor) if monitor.definition.kind in _PROOF else _compared(case, monitor)
        if one is not None:
            found.append(one)
            if one.firing is not None:
                break
    return found


def _proven(case: _Case, monitor: Monitor) -> Doubted | None:
    """Errors or slowness that came with the version."""
    words = came_with(case.store, monitor, case.version.mv_id, case.before.mv_id, case.since)
    if words is None:
        return None
    words = f"version {case.version.version}: {words} with version {case.before.version}"
    return _fired(case, monitor, _checks(case, monitor)[-1], words, {})


def _compared(case: _Case, monitor: Monitor) -> Doubted | None:
    """The version beside the one before it, where the monitor's newest window alarms and was not looked at yet."""
    store, checks = case.store, _checks(case, monitor)
    if not checks or checks[-1]["status"] != "alarm":
        return None
    newest = checks[-1]
    key = f"regression {case.deployment} {monitor.monitor_id} {newest['window']}"
    row_id = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
    if store.query("test_result", {"id": row_id}, limit=1):
        return None
    found = _beside_before(case, monitor, newest)
    result = {"worse": "fail", "not worse": "pass", "not proven": "inconclusive"}[found.verdict]
    evidence = msgspec.to_builtins(found)
    row = {"id": row_id, "subject_kind": "model_version", "subject_id": case.version.mv_id, "tag": _TEST}
    row |= {"kind": "regression", "result": result, "mode": "auto", "detail": canonical_json(evidence)}
    with store.transaction():
        store.append_many("test_result", [row], skip_existing=True)
        if found.verdict == "worse":
            return _fired(case, monitor, newest, found.words, evidence)
    return _doubted(case, monitor, newest, found.words)


def _beside_before(case: _Case, monitor: Monitor, newest: Row) -> Compared:
    """Both versions on the rows since the promotion, with this look's part of `ALPHA`."""
    span, alpha = Span(moment(case.since), moment(newest["ended"])), _part_of_alpha(case, newest)
    where = {"monitor_id": monitor.monitor_id, "window": newest["window"], "state": "drift"}
    segments = {row["segment"] for row in case.store.query("monitor_finding", where)}
    try:
        return compare_served(
            case.store, monitor, case.version, case.before, span, case.now, segments=segments, alpha=alpha
        )
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - a model is a user's code; one that cannot be asked proves nothing
        _log.warning("version %s cannot be compared", case.before.version, exc_info=error)
        why = said(error) if isinstance(error, AssayError) else f"{type(error).__name__}: {error}"
        words = f"whether version {case.before.version} was better cannot be told: {why}"
        return Compared(verdict="not proven", words=words, alpha=alpha)


def _part_of_alpha(case: _Case, newest: Row) -> float:
    """What this look may spend: that of its number among the moments at which one could look, for each monitor."""
    ids = [one.monitor_id for one in case.monitors if one.definition.kind in _NEED_LABELS]
    where = {"monitor_id in": ids, "mv_id": case.version.mv_id, "started >=": case.since, "ended <=": newest["ended"]}
    number = len({row["ended"] for row in case.store.query("monitor_check", where)})
    return ALPHA / (number * (number + 1) * len(ids))


def _checks(case: _Case, monitor: Monitor) -> list[Row]:
    """What the monitor found in the windows of the version that had rows, in order of time."""
    where = {"monitor_id": monitor.monitor_id, "mv_id": case.version.mv_id, "status !=": "no_data"}
    return case.store.query("monitor_check", {**where, "started >=": case.since}, order_by=["ended"])


def _fired(case: _Case, monitor: Monitor, newest: Row, words: str, evidence: dict[str, object]) -> Doubted | None:
    """The story that takes the version back begins; None where that was so before, for this promotion."""
    alerts = case.store.query("alert", {"monitor_id": monitor.monitor_id, "closed": None}, limit=1)
    lasted = moment(newest["ended"]) - moment(case.since)
    cause = Cause(
        kind="regression",
        identity=f"regression {case.deployment}",
        words=f"{words}; promoted {lasted / timedelta(days=1):.1f} days before, found by {monitor.name}",
        evidence={
            "monitor": monitor.name,
            "window": newest["window"],
            "mv_id": case.version.mv_id,
            "before": case.before.mv_id,
            "deployment": case.deployment,
            "compared": evidence,
        },
        alert_id=alerts[0]["alert_id"] if alerts else None,
    )
    firing = fire_for_regression(case.store, case.version, str(case.project.file), cause)
    return None if firing is None else _doubted(case, monitor, newest, words, firing)


def _doubted(case: _Case, monitor: Monitor, newest: Row, words: str, firing: Firing | None = None) -> Doubted:
    return Doubted(
        model=case.version.model,
        version=case.version.version,
        monitor=monitor.name,
        window=newest["window"],
        words=words,
        firing=firing,
    )
