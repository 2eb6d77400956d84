"""What an online test measures: metrics over rows of the log and their labels, written down before anything is seen.

A metric says what a row contributes, how the rows of a unit become one value, when that value is final, which direction
is better, and, for a guardrail, how much loss the team agreed to be unimportant.
"""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from assay.build.data.words import check_word
from assay.errors import InvalidInput
from assay.record.lengths import UNITS, written_length
from assay.stats.three_way import Harm

__all__ = ["LABELLED", "LOSSES", "MEASURES", "Measure", "Metric", "check_metrics", "length_us"]

Measure = Literal[
    "label",
    "output",
    "decision",
    "wrong",
    "log_loss",
    "brier",
    "absolute_error",
    "squared_error",
    "error",
    "slow",
    "latency_ms",
    "rows",
]
MEASURES: tuple[str, ...] = get_args(Measure)
LOSSES = ("wrong", "log_loss", "brier", "absolute_error", "squared_error")
LABELLED = ("label", *LOSSES)  # those that need to know what happened
_SHARES = ("decision", "wrong", "error", "slow")
_SMALLER = (*LOSSES, "error", "slow", "latency_ms")


class Metric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A metric of an online test.

    `numerator` is what a row contributes: its `label`; the model's `output`, or its `decision` (1 where the output
    reaches `threshold`); a loss, which is `wrong` (0 or 1, at the threshold), `log_loss`, `brier`, `absolute_error` or
    `squared_error`; or how it was served: `error` (0 or 1), `slow` (1 above `slo_ms`), `latency_ms`. `rows` is 1.

    `kind` is how the rows of a unit count: `mean`, a unit's value is the mean of its rows; `total`, their sum;
    `proportion`, whether any of them is above 0 (a conversion); `ratio`, the sum of numerators over that of
    `denominator` of all units, by default their rows.

    A unit's rows count for `window` after its first one, and a label counts that happened within `maturity` of its row:
    when both are over, the unit's value is final, and only then it enters. `missing` labels are `excluded`, or `zero`
    where no label means that nothing happened.

    `direction` says what is better, `up` or `down`; losses, errors and latency go down by nature. A `guardrail` must
    not become worse by `margin` or more, in the metric's own unit; `harm` is "any" proven loss, or one "beyond margin".

    `covariate` takes out of the noise what was known without the test (CUPED): `before`, the unit's own value in the
    `lookback` before its first row; `champion`, what the champion would have said to the same rows, which a shadow of
    the champion beside all variants logs.
    """

    name: str = ""
    numerator: Measure = "label"
    denominator: Measure | None = None
    kind: Literal["mean", "total", "proportion", "ratio"] = "mean"
    role: Literal["success", "guardrail"] = "success"
    direction: Literal["up", "down"] | None = None
    margin: float | None = None
    harm: Harm = "any"
    maturity: str | None = None
    window: str = "1d"
    missing: Literal["excluded", "zero"] = "excluded"
    covariate: Literal["none", "before", "champion"] = "none"
    lookback: str = "7d"
    label: str = "label"
    threshold: float = 0.5
    slo_ms: float | None = None

    @property
    def sign(self) -> float:
        """What turns an effect into one of which more is better: 1 or -1."""
        return -1.0 if (self.direction or _natural(self)) == "down" else 1.0

    @property
    def needs_labels(self) -> bool:
        """Whether it has to be known what happened."""
        return self.numerator in LABELLED or self.denominator in LABELLED

    @property
    def within_one(self) -> bool:
        """Whether the value of a unit lies between 0 and 1."""
        return self.kind == "proportion" or (self.kind == "mean" and self.numerator in _SHARES)

    @property
    def window_us(self) -> int:
        """For how long after its first row the rows of a unit count, in microseconds."""
        return length_us(self.window)

    @property
    def maturity_us(self) -> int:
        """How long after its row a label may happen, in microseconds."""
        return length_us(self.maturity or "0s")

    @property
    def lookback_us(self) -> int:
        """For how long before its first row rows of a unit are its covariate, in microseconds; 0 without one."""
        return length_us(self.lookback) if self.covariate == "before" else 0


def check_metrics(metrics: Sequence[Metric], where: str = "metrics") -> None:
    """InvalidInput, naming `where` it was written, for metrics that cannot be measured or judged."""
    if not metrics:
        raise InvalidInput("the test measures nothing", where=where, expected="at least one metric")
    names = [metric.name for metric in metrics]
    for metric in metrics:
        at = f"{where}.{metric.name}"
        if not metric.name or names.count(metric.name) > 1:
            raise InvalidInput(f"{names.count(metric.name)} metrics are called {metric.name!r}", where=where)
        try:
            _check(metric)
        except InvalidInput as error:
            raise error.at(at) from None


def length_us(text: str) -> int:
    """Microseconds of a length of time such as "7d"; "0s" is none."""
    length = written_length(text)
    if length is None:
        raise InvalidInput(f"{text!r} is no length of time", expected='such as "90s", "30m", "12h", "1d" or "2w"')
    return round(length.total_seconds() * 1_000_000)


def _check(metric: Metric) -> None:
    for what in ("numerator", "denominator", "kind", "role", "missing", "covariate", "harm"):
        word, known = getattr(metric, what), _choices(what)
        if word is not None:
            check_word(f"the {what}", word, known)
    for what in ("window", "lookback", "maturity"):
        if getattr(metric, what) is not None:
            length_us(getattr(metric, what))
    if metric.needs_labels and metric.maturity is None:
        raise InvalidInput(
            f"it needs the label {metric.label!r} and does not say when that is in",
            expected='maturity = how long after a row its label can still happen, such as "7d"',
            hint=f"lengths end in one of {', '.join(UNITS)}",
        )
    if metric.denominator is not None and metric.kind != "ratio":
        raise InvalidInput(f"it has a denominator and is a {metric.kind}", expected='kind = "ratio"')
    if metric.numerator == "slow" and not (metric.slo_ms or 0) > 0:
        raise InvalidInput("nothing says from when on an answer is slow", expected="slo_ms = milliseconds")
    if (metric.direction or _natural(metric)) is None:
        raise InvalidInput(
            f"nothing says whether more {metric.numerator} is better", expected='direction = "up" or "down"'
        )
    if metric.role == "guardrail" and metric.margin is None:
        raise InvalidInput(
            "a guardrail without a margin: nothing is ever proven to be exactly as good",
            expected="margin = the loss your team agrees to be unimportant, in the metric's own unit",
        )
    if metric.margin is not None and not 0 < metric.margin < math.inf:
        unsigned = f"the loss you accept, without a sign: {-metric.margin:g}" if metric.margin < 0 else None
        raise InvalidInput(f"margin is {metric.margin:g}", expected="more than 0", hint=unsigned)


def _choices(what: str) -> tuple[str, ...]:
    if what in ("numerator", "denominator"):
        return MEASURES
    if what == "harm":
        return get_args(Harm)
    return get_args(Metric.__annotations__[what])


def _natural(metric: Metric) -> str | None:
    """The direction that needs no saying."""
    return "down" if metric.numerator in _SMALLER else None
