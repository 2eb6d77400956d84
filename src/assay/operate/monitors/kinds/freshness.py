"""Freshness: how old the model is, and the newest rows of the feature views that it reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from assay.build.models.packaging import inputs_of
from assay.build.views.declared.spans import span_text
from assay.build.views.log.freshness import freshness
from assay.build.views.registry.registered import find_view
from assay.errors import AssayError
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Finding, Outcome, Window
from assay.operate.monitors.persistence import settled, status_of
from assay.operate.monitors.spans import length_of
from assay.record.clock import happened, moment, to_us
from assay.record.models.registry import version_by_id
from assay.record.store import Store

__all__ = ["Freshness"]

_DAY = timedelta(days=1)
_US = 1_000_000
_DEFAULT_DAYS = 90.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """At the end of each window. `tolerance` is how many days the model may be old, by default 90.

    Rows of a view may be as old as the view says (`fresh`), else as the window is long.
    """

    matures: bool = False

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:  # noqa: ARG002
        """Look at the end of a window."""
        mv_id = monitor.mv_id or monitor.version
        if mv_id is None:
            return Outcome(status="no_data", value=None, words="no version serves")
        row = store.get("model_version", {"mv_id": mv_id})
        version = version_by_id(store, mv_id)
        age = window.ended - moment(happened(row))
        allowed = monitor.definition.tolerance if monitor.definition.tolerance is not None else _DEFAULT_DAYS
        days = age / _DAY
        words = f"version {version.version} is {days:.1f} days old, {allowed:g} are allowed"
        found = [
            Finding(
                subject="model",
                measure="age",
                state="ok",
                words=words,
                value=days,
                bound=allowed,
                harm=days / allowed if allowed else None,
                raised=days > allowed,
            )
        ]
        found += self._views(store, monitor, window, mv_id)
        found = settled(store, monitor, found)
        found.sort(key=lambda one: (-(one.state == "drift"), -(one.state == "watch"), -(one.harm or 0.0)))
        told = next((one for one in found if one.state in ("drift", "watch")), None)
        said = told.words if told else words
        owners = {one.subject: owner for one in found if (owner := self._owner(store, one.subject))}
        detail: dict[str, object] = {"owner": owners[told.subject]} if told and told.subject in owners else {}
        return Outcome(status=status_of(found), value=days, words=said, findings=found, detail=detail)

    def _views(self, store: Store, monitor: Monitor, window: Window, mv_id: str) -> list[Finding]:
        try:
            _, features = inputs_of(store, version_by_id(store, mv_id))
        except AssayError:  # made elsewhere: it reads no view
            return []
        length = length_of(monitor.definition)
        found = []
        for reference in sorted({one.reference for one in features}):
            version = find_view(store, reference)
            state = freshness(store, version, to_us(window.ended))
            allowed = version.declared.fresh_us or length // timedelta(microseconds=1)
            if state.age_us is None:
                words = f"{reference} has no rows"
                found.append(Finding(subject=reference, measure="age", state="no_data", words=words))
                continue
            said = span_text(max(0, state.age_us) // _US * _US)
            found.append(
                Finding(
                    subject=reference,
                    measure="age",
                    state="ok",
                    words=f"the newest row of {reference} is {said} old, {span_text(allowed)} are allowed",
                    value=state.age_us / _US,
                    bound=allowed / _US,
                    harm=max(0.0, state.age_us / allowed),
                    raised=state.age_us > allowed,
                )
            )
        return found

    def _owner(self, store: Store, subject: str) -> str | None:
        if "@" not in subject:
            return None
        return find_view(store, subject).declared.owner
