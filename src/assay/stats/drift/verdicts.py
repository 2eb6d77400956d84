"""What has drifted: a distance that matters, that is a surprise, and that comes again, said in words."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from assay.errors import InvalidInput, nearest
from assay.stats.arrays import finite
from assay.stats.drift.baseline import Baseline
from assay.stats.drift.distances import MEASURES, Distance, distance
from assay.stats.drift.effect_interval import effect_interval
from assay.stats.drift.table_profile import Kind, TableProfile
from assay.stats.drift.words import said_of
from assay.stats.false_discovery import benjamini_hochberg
from assay.stats.intervals import Interval
from assay.stats.segment import Segment

__all__ = ["FALSE_DISCOVERY_RATE", "FLOORS", "NEEDED", "OF_WINDOWS", "State", "Verdict", "judge"]

State = Literal["ok", "watch", "drift", "uncalibrated"]

FALSE_DISCOVERY_RATE = 0.05
NEEDED, OF_WINDOWS = 2, 3
FLOORS: dict[str, float] = {name: measure.floor for name, measure in MEASURES.items()}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One column in one segment by one measure.

    `distance` as measured, `null` what chance adds to it, `effect` the distance without that, `floor` the effect from
    which on it matters, `bound` the distance above which it is a surprise, `method` how that was learned ("10 windows",
    "bootstrap", "analytic", "uncalibrated"). `p` and `adjusted_p` (Benjamini-Hochberg over all rows) say how surprising
    it is. `is_raised`: it matters and is a surprise in this window. `state`: "drift" where that comes often enough,
    "watch" where it does not yet, "ok", or "uncalibrated" where surprise cannot be told; then `interval` is that of the
    effect at 95 %. Numbers that do not exist are None.
    """

    column: str
    segment: Segment
    kind: Kind
    measure: str
    distance: float | None
    null: float | None
    effect: float | None
    floor: float
    bound: float | None
    method: str
    p: float | None
    adjusted_p: float | None
    interval: Interval | None
    is_raised: bool
    state: State
    reference_rows: int
    current_rows: int
    words: str


def judge(
    baseline: Baseline,
    current: TableProfile,
    *,
    floors: Mapping[str, float] | None = None,
    earlier: Sequence[Sequence[Verdict]] | None = None,
    rate: float = FALSE_DISCOVERY_RATE,
    needed: int = NEEDED,
    of_windows: int = OF_WINDOWS,
) -> list[Verdict]:
    """A verdict for every column, segment and measure of the baseline, in its order.

    A row is raised where its effect reaches the floor, its P-value is at most the alpha of its bound, and so is its
    adjusted one at most `rate`. `floors` by measure differ from `FLOORS`. `earlier` are the verdicts of the windows
    before, the latest last: a row is "drift" where it was raised in `needed` of the last `of_windows` windows, this one
    included. Without `earlier` a raised row is drift at once. Segments that the reference has not are not judged: new
    values of their column say so.

    InvalidInput where the profile has not the columns or segments of the reference, and for an unknown floor.
    """
    for name in floors or {}:
        if name not in FLOORS:
            raise InvalidInput(
                f"there is no measure {name!r} to have a floor",
                expected=", ".join(FLOORS),
                hint=nearest(name, list(FLOORS)),
            )
    reference = baseline.reference
    if current.segment_columns != reference.segment_columns:
        raise InvalidInput(
            f"the current profile is by {', '.join(current.segment_columns) or 'no segment'}",
            expected=", ".join(reference.segment_columns) or "no segment",
            hint="profile with like= the reference",
        )
    limits = FLOORS | dict(floors or {})
    raised_before = _raised(earlier or [], of_windows - 1)
    found: list[Distance] = []
    p_values: list[float | None] = []
    for (name, segment, measure), bound in baseline.bounds.items():
        before = reference.column(name, segment)
        one = distance(measure, before, current.column(name, segment))
        found.append(one)
        p_values.append(None if one.value != one.value else bound.p(one))
    tested = [p for p in p_values if p is not None]
    adjusted = iter(benjamini_hochberg(tested))
    verdicts = []
    for (key, bound), one, p in zip(baseline.bounds.items(), found, p_values, strict=True):
        name, segment, measure = key
        adjusted_p = None if p is None else next(adjusted)
        effect, floor = one.effect, limits[measure]
        raised = (
            p is not None and adjusted_p is not None and effect >= floor and p <= bound.alpha and adjusted_p <= rate
        )
        state: State = "uncalibrated"
        if p is not None:
            before_this = raised_before.get((name, segment, measure), 0)
            enough = earlier is None or raised + before_this >= needed
            state = (
                "drift" if enough and (raised or before_this) and (raised or earlier) else "watch" if raised else "ok"
            )
        pair = reference.column(name, segment), current.column(name, segment)
        interval = None
        if state == "uncalibrated" and one.value == one.value:
            interval = effect_interval(measure, *pair)
        limit = bound.limit(one)
        words = said_of(name, segment, one, pair, state, raised, limit, floor, bound.says, interval)
        verdicts.append(
            Verdict(
                column=name,
                segment=segment,
                kind=pair[0].kind,
                measure=measure,
                distance=finite(one.value),
                null=finite(one.null),
                effect=finite(effect),
                floor=floor,
                bound=None if limit is None else finite(limit),
                method=bound.says,
                p=p,
                adjusted_p=adjusted_p,
                interval=interval,
                is_raised=raised,
                state=state,
                reference_rows=one.reference_rows,
                current_rows=one.current_rows,
                words=words,
            )
        )
    return verdicts


def _raised(earlier: Sequence[Sequence[Verdict]], windows: int) -> dict[tuple[str, Segment, str], int]:
    """In how many of the last windows each row was raised."""
    counts: dict[tuple[str, Segment, str], int] = {}
    for verdicts in list(earlier)[len(earlier) - min(windows, len(earlier)) :]:
        for one in verdicts:
            if one.is_raised:
                key = (one.column, one.segment, one.measure)
                counts[key] = counts.get(key, 0) + 1
    return counts
