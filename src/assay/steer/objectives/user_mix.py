"""Who the model decides for: whether the mix of users in the declared segments is still the one that was agreed on.

How far it has moved is the share of users who would have to be others for the mix to be as before, half the sum of the
differences of shares. Chance alone gives some of that: for shares p of n and m rows √(2p(1 − p)(1/n + 1/m)/π)/2 each.
"""

import math
from collections import defaultdict
from datetime import datetime

import msgspec

from assay.operate.predictions.rows import sql_text
from assay.record.clock import moment
from assay.record.objective_terms import Terms
from assay.record.objectives import Objective
from assay.record.store import Store
from assay.steer.objectives.decided import decisions, endpoints_of
from assay.steer.objectives.months import end_of, month_after, month_of, start_of
from assay.steer.objectives.ranges import mean_of

__all__ = ["MixChange", "PartShare", "changed_mix"]


class PartShare(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a segment column: its share of decisions before and now, and in which share of those with a known
    outcome the right action was taken, here and elsewhere; None where that is not known."""

    value: str
    before: float
    now: float
    rows: int
    right_here: float | None = None
    right_elsewhere: float | None = None


class MixChange(msgspec.Struct, frozen=True, kw_only=True):
    """A segment column in the month `now` beside the month `before`: `moved` is the share of users who would have to
    be others, `chance` what would be usual if nothing had changed. `parts` with the largest change first."""

    column: str
    before: str
    now: str
    moved: float
    chance: float
    is_beyond: bool
    parts: list[PartShare]


def changed_mix(store: Store, objective: Objective) -> list[MixChange]:
    """The last month that is over beside the one in which the mix was agreed on: the month before the objective was
    decided, or last reviewed, else the first since. Nothing where there is one month only.

    Raises InvalidInput for a column that no row has.
    """
    terms = objective.terms
    if not terms.segments:
        return []
    closed = [row["closed"] for row in store.query("objective_review", {"model": objective.model, "closed >": ""})]
    agreed = moment(max([objective.decided, *closed]))
    since = start_of(month_after(month_of(agreed), -1))
    counts: dict[str, dict[str, dict[str, list[int]]]] = {name: defaultdict(dict) for name in terms.segments}
    for endpoint in endpoints_of(store, objective.model, terms):
        with decisions(store, objective.model, terms, endpoint, since=since, inputs=True) as (connection, _):
            for name in terms.segments:
                part = 'features."{}"'.format(name.replace('"', '""'))
                text = (
                    f"select month, coalesce({part}::varchar, 'missing'), count(*), "  # noqa: S608 - quoted names
                    f"count(*) filter ({_is_known(terms)}), count(*) filter ({_is_right(terms)}) "
                    "from decided group by all order by all"
                )
                for month, value, *numbers in connection.sql(text).fetchall():
                    known = counts[name][month].get(value, [0, 0, 0])
                    counts[name][month][value] = [a + b for a, b in zip(known, numbers, strict=True)]
    found = [_change(name, months, agreed, store.clock.latest(), terms) for name, months in counts.items()]
    return [one for one in found if one is not None]


def _change(
    column: str, months: dict[str, dict[str, list[int]]], agreed: datetime, now: datetime, terms: Terms
) -> MixChange | None:
    over = sorted(month for month in months if end_of(month) <= now)
    earlier = [month for month in over if end_of(month) <= agreed]
    if len(over) < 2:
        return None
    before, last = (earlier or over)[-1 if earlier else 0], over[-1]
    if before == last:
        return None
    old, new = months[before], months[last]
    n, m = sum(one[0] for one in old.values()), sum(one[0] for one in new.values())
    known, right = sum(one[1] for one in new.values()), sum(one[2] for one in new.values())
    parts, moved, chance = [], 0.0, 0.0
    for value in sorted({*old, *new}):
        p, q = old.get(value, [0])[0] / n, new.get(value, [0])[0] / m
        moved += abs(q - p) / 2.0
        pooled = (old.get(value, [0])[0] + new.get(value, [0])[0]) / (n + m)
        chance += math.sqrt(2.0 * pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m) / math.pi) / 2.0
        here = new.get(value, [0, 0, 0])
        parts.append(
            PartShare(
                value=value,
                before=p,
                now=q,
                rows=here[0],
                right_here=here[2] / here[1] if here[1] else None,
                right_elsewhere=(right - here[2]) / (known - here[1]) if known > here[1] else None,
            )
        )
    parts.sort(key=lambda one: (-abs(one.now - one.before), one.value))
    is_beyond = moved - chance > terms.mix_tolerance
    return MixChange(
        column=column, before=before, now=last, moved=moved, chance=chance, is_beyond=is_beyond, parts=parts
    )


def _is_known(terms: Terms) -> str:
    if terms.value is None or not terms.value.matrix:
        return "false"
    return " or ".join(f"label = {label!r}::double" for label in terms.value.outcomes.values())


def _is_right(terms: Terms) -> str:
    """The action was the one that is worth most for what came."""
    value = terms.value
    if value is None or not value.matrix:
        return "false"
    cases = []
    for outcome, label in value.outcomes.items():
        best = max(terms.decision.actions, key=lambda action: mean_of(value.matrix[outcome][action]))
        cases.append(f"(label = {label!r}::double and taken = {sql_text(best)})")
    return " or ".join(cases)
