"""Feature drift: do the inputs look as they did, by columns and segments, and which changes matter for the answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from assay.errors import InvalidInput, nearest
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.importance import bearing
from assay.operate.monitors.kind import OVERALL_SEGMENT, Finding, FindingState, Outcome, Window
from assay.operate.monitors.kinds.slowly import slowly
from assay.operate.monitors.kinds.together import together
from assay.operate.monitors.moved import mix_said
from assay.operate.monitors.persistence import raised_before, settled, status_of, told
from assay.operate.monitors.profiles import ANSWER, CLASS, input_columns, loaded_profile, only, profile_of
from assay.operate.monitors.references import reference_profiles, training_windows
from assay.record.store import Store
from assay.stats.drift import ALPHA, MINIMUM_WINDOWS, Baseline, TableProfile, Verdict, judge
from assay.stats.drift.baseline import DEFAULT_MEASURES
from assay.stats.segment import OVERALL, Segment

__all__ = ["Drift", "chosen_measures", "found_of", "outcome_of"]

_MOST_OTHERS = 200  # findings in segments that are kept of a window besides those that matter
_LEARNED: dict[tuple[object, ...], Baseline] = {}
_MOST_LEARNED = 64


@dataclass(frozen=True, slots=True)
class Drift:
    """Compares inputs, or where `answers` the answers, with reference windows."""

    answers: bool = False
    matures: bool = False

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:  # noqa: ARG002
        """Look at one window."""
        current = profile_of(store, monitor, window)
        if current is None:
            return Outcome(status="no_data", value=None, words="nothing was answered")
        reference = training_windows(store, monitor, window)
        if reference and not self.answers:
            current = only(current, list(reference[0][1].columns))
        else:
            rows = reference_profiles(store, monitor, window)
            reference = [(row["blob"], loaded_profile(store, row)) for row in rows]
        if not reference:
            return Outcome(
                status="uncalibrated",
                value=None,
                words=f"the first window of {current.rows:,} rows: there is nothing to compare with yet",
                detail={"reference": 0},
            )
        measures = chosen_measures(current, monitor.definition.columns, answers=self.answers)
        alpha = monitor.definition.alpha or ALPHA
        baseline, calibrated = _learned(reference, measures, alpha)
        floors = None
        if monitor.definition.floor is not None:
            kinds = {name for names in measures.values() for name in names}
            floors = dict.fromkeys(kinds, monitor.definition.floor)
        verdicts = judge(baseline, current, floors=floors)
        columns = input_columns(store, monitor, window.rows)
        weights = bearing(window.rows, columns)
        found = [found_of(one, weights, calibrated.get(one.segment, 0) >= MINIMUM_WINDOWS) for one in verdicts]
        kept: dict[str, object] = {}
        if monitor.definition.slow:
            harms = {(one.subject, one.measure): one.harm for one in found if one.segment == OVERALL_SEGMENT}
            known = len(reference) >= MINIMUM_WINDOWS
            slow, kept = slowly(
                store, monitor, window, baseline.reference, current, measures, harms, is_calibrated=known
            )
            found += slow
        if monitor.definition.together:
            of_all = together(store, monitor, window)
            found += [of_all] if of_all is not None else []
        outcome = outcome_of(store, monitor, found, len(reference))
        outcome = msgspec.structs.replace(outcome, detail={**outcome.detail, **kept})
        if self.answers and outcome.status in ("watch", "alarm"):
            said = [mix_said(baseline.reference, current, by) for by in monitor.definition.segments]
            words = "; ".join([outcome.words, *(one for one in said if one)])
            return msgspec.structs.replace(outcome, words=words)
        return outcome


def chosen_measures(profile: TableProfile, columns: Sequence[str], *, answers: bool) -> dict[str, Sequence[str]]:
    """What is measured of each column; nothing of those that are not looked at."""
    own = {ANSWER, CLASS}
    for name in columns:
        if name not in profile.columns:
            raise InvalidInput(
                f"there is no input {name!r}",
                expected=", ".join(one for one in profile.columns if one not in own),
                hint=nearest(name, list(profile.columns)),
            )
    wanted = {name for name in profile.columns if (name in own) == answers and (not columns or name in columns)}
    return {name: DEFAULT_MEASURES[kind] if name in wanted else () for name, kind in profile.kinds.items()}


def _learned(
    reference: Sequence[tuple[str, TableProfile]], measures: dict[str, Sequence[str]], alpha: float
) -> tuple[Baseline, dict[Segment, int]]:
    """What is usual of the reference windows, by their hashes, and in how many of them each segment has rows.

    With fewer windows than calibrate, they count as one: nothing is known of how much they differ.
    """
    profiles = [one for _, one in reference]
    held = {segment: 0 for one in profiles for segment in one.segments}
    for one in profiles:
        for segment in one.segments:
            held[segment] += 1
    key = (tuple(digest for digest, _ in reference), tuple((name, tuple(of)) for name, of in measures.items()), alpha)
    if key not in _LEARNED:
        if len(_LEARNED) >= _MOST_LEARNED:
            _LEARNED.pop(next(iter(_LEARNED)))
        windows = profiles if len(profiles) >= MINIMUM_WINDOWS else [TableProfile.total_of(profiles)]
        _LEARNED[key] = Baseline.learn(windows, measures=measures, alpha=alpha)
    return _LEARNED[key], held


def found_of(one: Verdict, weights: dict[str, float], is_calibrated: bool) -> Finding:
    """A verdict as a finding. Its harm: how many times the floor the effect is, by how it bears on answers."""
    effect = one.effect or 0.0
    raised = one.is_raised and is_calibrated
    state: FindingState = (
        "uncalibrated" if one.state == "uncalibrated" or not is_calibrated else "watch" if raised else "ok"
    )
    return Finding(
        subject=one.column,
        measure=one.measure,
        segment=OVERALL_SEGMENT if one.segment == OVERALL else one.segment.name,
        state="no_data" if one.distance is None else state,
        words=one.words,
        value=one.distance,
        expected=one.null,
        bound=one.bound,
        low=None if one.interval is None else _finite(one.interval.low),
        high=None if one.interval is None else _finite(one.interval.high),
        p=one.adjusted_p,
        harm=max(0.0, effect) / one.floor * weights.get(one.column, 1.0) if one.floor else None,
        rows=one.current_rows,
        raised=raised,
    )


def outcome_of(
    store: Store, monitor: Monitor, findings: Sequence[Finding], windows: int, usual: str | None = None
) -> Outcome:
    """The outcome of findings about columns: the worst first, and in words."""
    before = raised_before(store, monitor)
    found = settled(store, monitor, findings)
    found.sort(key=lambda one: (-(one.state == "drift"), -(one.state == "watch"), -(one.harm or 0.0)))
    status = status_of(found)
    moved = told(found)
    overall = [one for one in found if one.segment == OVERALL_SEGMENT and one.harm is not None]
    largest = max((one.harm or 0.0 for one in overall), default=None)
    learned = f"{windows} windows" if windows != 1 else "1 window"
    if status == "uncalibrated":
        words = f"uncalibrated: what is usual is known from {MINIMUM_WINDOWS} windows on, there are {windows}"
    elif not moved:
        words = usual or f"as usual, by {learned}"
    else:
        worst = [one for one in moved if one.state == "drift"] or moved
        more = f", and {len(worst) - 1} more" if len(worst) > 1 else ""
        words = f"{worst[0].words}{more}"
    kept = [
        one
        for place, one in enumerate(found)
        if one.segment == OVERALL_SEGMENT
        or one.raised
        or one.state == "drift"
        or before.get((one.subject, one.segment, one.measure))
        or place < _MOST_OTHERS
    ]
    return Outcome(
        status=status, value=largest, words=words, findings=kept, detail={"reference": windows, "compared": len(found)}
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
