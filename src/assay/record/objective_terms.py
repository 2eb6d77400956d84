"""What a model is for, as people write it: the KPI, the decision, what is done without the model, and values.

Nothing here needs a store. What is not a matter of types is checked by `check_terms`.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal

import msgspec

from assay.errors import InvalidInput, nearest
from assay.record.lengths import checked_length

__all__ = [
    "Baseline",
    "Cost",
    "Decision",
    "Direction",
    "Guardrail",
    "Kpi",
    "Span",
    "StopRule",
    "Terms",
    "Value",
    "check_terms",
    "span_of",
]

Span = float | tuple[float, float, float]
"""A number that is known, or the least, the likeliest and the most that it can be."""
Direction = Literal["higher", "lower"]
Source = Literal["value", "sql", "outside"]


class Kpi(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What success is, by month. `source` says where the figure comes from: `value` is what `assay objective value`
    finds, `sql` a query over the tables predictions and labels of the endpoint, `outside` what a person brings.

    The query gives one row with `value`, and where it can `low` and `high`. `said_by` names the outside source.
    """

    name: str
    unit: str
    target: float
    floor: float
    direction: Direction = "higher"
    source: Source = "outside"
    sql: str | None = None
    said_by: str = ""


class Guardrail(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A KPI that must not pass `limit` for the sake of the objective: it is at least that, or with `lower` at most."""

    name: str
    unit: str
    limit: float
    direction: Direction = "higher"
    source: Literal["sql", "outside"] = "outside"
    sql: str | None = None
    said_by: str = ""


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The decision that the model drives. Of an answer below the first threshold the first action is taken, from it on
    the second, and so on; of two actions without a threshold the one of the version's evaluation counts.
    """

    drives: str
    actions: list[str]
    thresholds: list[float] = []


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is done without the model: always the same `action`, or what a `rule` in SQL over the inputs names."""

    words: str
    action: str | None = None
    rule: str | None = None


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an action is worth when an outcome comes: `matrix[outcome][action]`, multiplied for each row by `times`, SQL
    over its inputs; or a `function` in SQL over `outcome`, `action` and inputs, uncertain by the factors of `range`.

    `outcomes` says by which number of the label called `label` each is known. `owner` answers for the numbers, which
    hold until `valid_until`.
    """

    version: str
    unit: str
    source: str
    owner: str
    valid_until: date
    outcomes: dict[str, float]
    matrix: dict[str, dict[str, Span]] = {}
    times: str | None = None
    function: str | None = None
    range: Span = 1.0
    label: str = "label"


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What running the model costs, in the unit of the values."""

    per_month: Span = 0.0
    per_decision: Span = 0.0
    source: str = ""


class StopRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When to retire the model: `reviews` in a row found P(net value > 0) below `probability`."""

    words: str = ""
    probability: float = 0.5
    reviews: int = 2


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An objective as people write it. Lengths of time are such as `30d` or `13w`.

    Outcomes are known `outcome_after` the answer; with less than the share `coverage` of them nothing is known. Of the
    input columns `segments` the mix of users matters: a review opens where more than the share `mix_tolerance` of users
    would have to be others for the mix to be as it was. `review_on` is the date of the first review.
    """

    statement: str
    owner: str
    kpi: Kpi
    decision: Decision
    baseline: Baseline
    value: Value | None = None
    cost: Cost = Cost()
    guardrails: list[Guardrail] = []
    stop: StopRule = StopRule()
    endpoint: str | None = None
    outcome_after: str = "0d"
    coverage: float = 0.2
    segments: list[str] = []
    mix_tolerance: float = 0.1
    review_every: str = "13w"
    review_on: date | None = None


def span_of(span: Span) -> tuple[float, float, float]:
    """The least, the likeliest and the most; three times the same where it is known."""
    return span if isinstance(span, tuple) else (span, span, span)


def check_terms(terms: Terms) -> None:
    """InvalidInput for what types alone do not say; `where` is the key, with dots, such as `kpi.floor`."""
    _texts(terms)
    checked_length(terms.outcome_after, "outcome_after", where="outcome_after")
    checked_length(terms.review_every, "review_every", where="review_every", zero=False)
    for key in ("coverage", "mix_tolerance"):
        if not 0.0 <= getattr(terms, key) <= 1.0:
            raise InvalidInput(f"{key} is {getattr(terms, key):g}", where=key, expected="a share, from 0 to 1")
    _different(terms.segments, "segments")
    _check_kpis(terms)
    _check_decision(terms)
    if not 0.0 < terms.stop.probability < 1.0:
        raise InvalidInput(
            f"probability is {terms.stop.probability:g}", where="stop.probability", expected="inside (0, 1)"
        )
    if terms.stop.reviews < 1:
        raise InvalidInput(f"reviews is {terms.stop.reviews}", where="stop.reviews", expected="1 or more")
    for key in ("per_month", "per_decision"):
        if _checked_span(getattr(terms.cost, key), f"cost.{key}")[0] < 0.0:
            raise InvalidInput("a cost is below 0", where=f"cost.{key}", expected="0 or more")
    if terms.value is not None:
        _check_value(terms.value, terms.decision.actions)
    elif terms.kpi.source == "value":
        raise InvalidInput("the KPI is the value, and no value is given", where="kpi.source", expected="[value]")


def _texts(terms: Terms) -> None:
    said = {
        "statement": terms.statement,
        "owner": terms.owner,
        "kpi.name": terms.kpi.name,
        "kpi.unit": terms.kpi.unit,
        "decision.drives": terms.decision.drives,
        "baseline.words": terms.baseline.words,
    }
    if terms.value is not None:
        said |= {f"value.{key}": getattr(terms.value, key) for key in ("version", "unit", "source", "owner")}
    for key, text in said.items():
        if not text.strip():
            raise InvalidInput(f"{key} is empty", where=key, expected="words")


def _check_kpis(terms: Terms) -> None:
    kpi = terms.kpi
    worse = kpi.floor > kpi.target if kpi.direction == "higher" else kpi.floor < kpi.target
    if worse:
        side = "below" if kpi.direction == "higher" else "above"
        raise InvalidInput(
            f"floor is {kpi.floor:g} and target {kpi.target:g}",
            where="kpi.floor",
            expected=f"a floor that is not better than the target: {kpi.direction} is better, so {side} it",
        )
    _finite(kpi.target, "kpi.target")
    _finite(kpi.floor, "kpi.floor")
    _different([kpi.name, *(one.name for one in terms.guardrails)], "guardrails")
    sources: Sequence[tuple[str, Kpi | Guardrail]] = [
        ("kpi", kpi),
        *((f"guardrails.{place}", one) for place, one in enumerate(terms.guardrails)),
    ]
    for where, one in sources:
        if (one.source == "sql") != (one.sql is not None):
            raise InvalidInput(
                f"source is {one.source!r} {'without' if one.sql is None else 'beside'} a query",
                where=f"{where}.source",
                expected='source = "sql" and sql = "select ... as value from predictions"',
            )
        if one.source == "outside" and not one.said_by.strip():
            raise InvalidInput(
                f"nobody is named who says what {one.name} was",
                where=f"{where}.said_by",
                expected='said_by = "monthly report of the finance department"',
            )


def _check_decision(terms: Terms) -> None:
    actions, thresholds = terms.decision.actions, terms.decision.thresholds
    _different(actions, "decision.actions")
    if len(actions) < 2 or not all(name.strip() for name in actions):
        raise InvalidInput(f"actions is {actions}", where="decision.actions", expected="two names or more")
    needed = len(actions) - 1
    if len(thresholds) != needed and (thresholds or needed > 1):
        raise InvalidInput(
            f"there are {len(thresholds)} thresholds between {len(actions)} actions",
            where="decision.thresholds",
            expected=f"{needed}",
        )
    if any(not math.isfinite(one) for one in thresholds) or sorted(set(thresholds)) != thresholds:
        raise InvalidInput(f"thresholds is {thresholds}", where="decision.thresholds", expected="numbers that increase")
    baseline = terms.baseline
    if (baseline.action is None) == (baseline.rule is None):
        raise InvalidInput(
            "what is done without the model is not said once",
            where="baseline",
            expected=f"action = {actions[0]!r}, or a rule in SQL that names an action",
        )
    if baseline.action is not None:
        _known(baseline.action, actions, "action", "baseline.action")


def _check_value(value: Value, actions: Sequence[str]) -> None:
    if len(value.outcomes) < 2:
        raise InvalidInput("outcomes names less than two", where="value.outcomes", expected="such as late = 1, not = 0")
    if len(set(value.outcomes.values())) < len(value.outcomes):
        raise InvalidInput("two outcomes have the same label", where="value.outcomes", expected="different numbers")
    for name, label in value.outcomes.items():
        _finite(label, f"value.outcomes.{name}")
    if bool(value.matrix) == (value.function is not None):
        raise InvalidInput(
            "values are given twice" if value.matrix else "no value is given",
            where="value",
            expected="a matrix, or a function in SQL",
        )
    if value.function is not None and value.times is not None:
        raise InvalidInput("times goes with a matrix", where="value.times", expected="all of it in the function")
    if _checked_span(value.range, "value.range")[0] < 0.0:
        raise InvalidInput("range has a factor below 0", where="value.range", expected="such as [0.8, 1, 1.2]")
    if value.matrix:
        _check_matrix(value.matrix, list(value.outcomes), actions)


def _check_matrix(matrix: Mapping[str, Mapping[str, Span]], outcomes: Sequence[str], actions: Sequence[str]) -> None:
    for outcome, row in matrix.items():
        _known(outcome, outcomes, "outcome", f"value.matrix.{outcome}")
        for action, span in row.items():
            _known(action, actions, "action", f"value.matrix.{outcome}.{action}")
            _checked_span(span, f"value.matrix.{outcome}.{action}")
    for outcome in outcomes:
        missing = [action for action in actions if action not in matrix.get(outcome, {})]
        if missing:
            raise InvalidInput(
                f"no value is given of {missing[0]!r} when it is {outcome!r}",
                where=f"value.matrix.{outcome}",
                expected=f"{missing[0]} = a number, or [least, likeliest, most]",
            )


def _checked_span(span: Span, where: str) -> tuple[float, float, float]:
    least, likely, most = span_of(span)
    if not all(map(math.isfinite, (least, likely, most))) or not least <= likely <= most:
        raise InvalidInput(f"it is {[least, likely, most]}", where=where, expected="[least, likeliest, most]")
    return least, likely, most


def _finite(number: float, where: str) -> None:
    if not math.isfinite(number):
        raise InvalidInput(f"it is {number}", where=where, expected="a finite number")


def _different(names: Sequence[str], where: str) -> None:
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"{twice!r} is there twice", where=where, expected="different names")


def _known(name: str, names: Sequence[str], what: str, where: str) -> None:
    if name not in names:
        close = nearest(name, list(names))
        raise InvalidInput(
            f"there is no {what} {name!r}",
            where=where,
            expected=", ".join(names),
            hint=f"did you mean {close!r}?" if close else None,
        )
