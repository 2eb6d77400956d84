"""What a feature store has brought and cost, in money: counts from the records times what a person says, as ranges."""

import math
import re
from dataclasses import dataclass

import msgspec

from assay.errors import InvalidInput

__all__ = ["Money", "Range", "Terms", "money_of"]

_YEAR_DAYS = 365.25
_NUMBER = r"\d+(?:\.\d+)?"
_FORM = re.compile(rf"({_NUMBER})(?:\s*(?:-|\.\.|to)\s*({_NUMBER}))?")


class Range(msgspec.Struct, frozen=True):
    """A number between two ends, as a person gives it."""

    low: float
    high: float

    def times(self, low: float, high: float) -> "Range":
        """The product with another range of numbers that are not negative."""
        return Range(self.low * low, self.high * high)


class Money(msgspec.Struct, frozen=True):
    """Over the `days` of the records, in the currency of the options: what it brought less what it cost.

    `lines` say how that was counted, `left_out` what was not, as nobody gave a number for it.
    """

    days: float
    net: Range
    lines: list[str]
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person says: hours a feature, money an hour, money an incident, share prevented, money a year."""

    hours: Range | None = None
    rate: Range | None = None
    loss: Range | None = None
    prevented: Range | None = None
    yearly: Range | None = None

    @classmethod
    def given(cls, **texts: str | None) -> "Terms":
        """From texts such as "80" or "4-16". InvalidInput for what is no range, or a share above 1."""
        found = {name: None if text is None else _range(text, name) for name, text in texts.items()}
        share = found.get("prevented")
        if share is not None and share.high > 1:
            raise InvalidInput(f"--prevented is {texts['prevented']}", expected="a share from 0 to 1, as 0.3-0.8")
        return cls(**found)


def money_of(reuses: int, incidents: int, days: float, terms: Terms) -> Money | None:
    """What reuse and prevented incidents were worth in those days, and what running a store costs; None without terms.

    The formula of a year without the value of fresher features, for which there is no record:
    reuses x hours x rate + incidents x loss x prevented - yearly x days / 365.25.
    """
    if not any((terms.hours, terms.rate, terms.loss, terms.prevented, terms.yearly)):
        return None
    low = high = 0.0
    lines, left_out = [], []
    if terms.hours and terms.rate:
        saved = terms.hours.times(terms.rate.low * reuses, terms.rate.high * reuses)
        low, high = low + saved.low, high + saved.high
        lines.append(f"reuse: {reuses} x {_said(terms.hours)} hours x {_said(terms.rate)} = {_said(saved)}")
    else:
        left_out.append(f"{reuses} reuses: --hours and --rate say what each saved")
    if terms.loss and terms.prevented:
        worth = terms.loss.times(terms.prevented.low * incidents, terms.prevented.high * incidents)
        low, high = low + worth.low, high + worth.high
        lines.append(f"incidents: {incidents} x {_said(terms.loss)} x {_said(terms.prevented)} = {_said(worth)}")
    else:
        left_out.append(f"{incidents} incidents: --loss and --prevented say what each cost, and how many need not be")
    if terms.yearly:
        cost = terms.yearly.times(days / _YEAR_DAYS, days / _YEAR_DAYS)
        low, high = low - cost.high, high - cost.low
        lines.append(f"cost: {_said(terms.yearly)} a year for {days:,.0f} days = {_said(cost)}")
    else:
        left_out.append("what running it costs: --yearly")
    left_out.append("what fresher features are worth: no record says it")
    return Money(days, Range(low, high), lines, left_out)


def _range(text: str, name: str) -> Range:
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"--{name} is {text!r}", expected="a number or a range, as 80 or 60-100")
    low, high = float(found[1]), float(found[2] or found[1])
    if low > high or not math.isfinite(high):
        raise InvalidInput(f"--{name} is {text!r}", expected="the lower end first")
    return Range(low, high)


def _said(one: Range) -> str:
    low, high = (f"{end:,.0f}" if end >= 100 else f"{end:.3g}" for end in (one.low, one.high))
    return low if low == high else f"{low} to {high}"
