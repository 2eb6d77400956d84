"""What a repair offers, as values and as text."""

from collections.abc import Sequence

import msgspec

from assay.prove.checks import Verdict
from assay.prove.text_table import aligned, number_text, range_text

__all__ = ["Cost", "OptionSummary", "RateChange", "RepairSummary", "report_lines"]


class RateChange(msgspec.Struct, frozen=True):
    """A group's rate before and after on the held-out half, with the gap (or ratio) to the reference and its interval.

    Verdicts are about the bound of the repair, with Holm over the groups.
    """

    group: str
    n: int
    before: float | None
    after: float | None
    gap_before: float | None
    low_before: float | None
    high_before: float | None
    verdict_before: Verdict
    gap_after: float | None
    low_after: float | None
    high_after: float | None
    verdict_after: Verdict


class Cost(msgspec.Struct, frozen=True):
    """A metric over all held-out rows; `improvement` with its 90 % interval, below 0 where the repair costs."""

    metric: str
    before: float | None
    after: float | None
    improvement: float | None
    low: float | None
    high: float | None


class OptionSummary(msgspec.Struct, frozen=True):
    """One option. `verdict` is the gate's, None without a policy; `collect` are rows still missing, by group."""

    number: int
    kind: str
    title: str
    description: str
    changes: list[RateChange]
    costs: list[Cost]
    collect: dict[str, int]
    verdict: Verdict | None
    reasons: list[str]


class RepairSummary(msgspec.Struct, frozen=True):
    """A repair in numbers and words: thresholds were chosen on `chosen_on` rows, all is measured on others."""

    group: str
    rate: str
    reference: str
    bound: str
    chosen_on: int
    measured_on: int
    options: list[OptionSummary]
    notes: list[str]


def report_lines(found: RepairSummary) -> list[str]:
    """The report, line by line."""
    lines = [
        f"{found.rate} of {found.group}, reference {found.reference}, {found.bound}; chosen on"
        f" {found.chosen_on:,} rows, measured on {found.measured_on:,} others. Nothing is chosen for you.",
    ]
    for option in found.options:
        verdict = "" if option.verdict is None else f" [gate: {option.verdict}]"
        lines += ["", f"{option.number}. {option.title}{verdict}", f"   {option.description}"]
        if option.changes:
            lines += _indented(_CHANGES, [_change(one) for one in option.changes])
        if option.costs:
            lines += _indented(_COSTS, [_cost(one) for one in option.costs])
        if option.verdict not in (None, "pass"):
            lines += [f"   {reason}" for reason in option.reasons]
    return lines + (["", *found.notes] if found.notes else [])


_CHANGES = ("group", "rows", "before", "after", "from reference before", "from reference after", "before", "after")
_COSTS = ("over all", "before", "after", "improvement", "90 % interval")


def _indented(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"   {line}" for line in aligned(headings, rows, 1).splitlines()]


def _change(one: RateChange) -> list[str]:
    gaps = (
        f"{number_text(gap, '.3f')} ({range_text(low, high, '.3f') or 'too small'})"
        for gap, low, high in (
            (one.gap_before, one.low_before, one.high_before),
            (one.gap_after, one.low_after, one.high_after),
        )
    )
    rates = (number_text(one.before, ".3f"), number_text(one.after, ".3f"))
    return [one.group, f"{one.n:,}", *rates, *gaps, one.verdict_before, one.verdict_after]


def _cost(one: Cost) -> list[str]:
    values = (number_text(one.before, ".4f"), number_text(one.after, ".4f"), number_text(one.improvement, "+.4f"))
    return [one.metric, *values, range_text(one.low, one.high, "+.4f")]
