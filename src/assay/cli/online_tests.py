"""Online tests for people: the verdict first, then every metric with what is still open."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import pairs, table, when

if TYPE_CHECKING:
    from assay.operate.online_tests.definition import OnlineTest
    from assay.operate.online_tests.planning import TestPlan
    from assay.operate.online_tests.readings import MetricReading, Shift, TestReading
    from assay.operate.online_tests.reallocating import Reallocation
    from assay.operate.online_tests.self_checking import SelfCheck
    from assay.operate.online_tests.stopping import TestEnd

__all__ = [
    "checked_metrics",
    "ended_test",
    "online_test",
    "online_tests",
    "planned_test",
    "reading_of_test",
    "shared_out",
]

_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def online_tests(tests: "list[OnlineTest]") -> RenderableType:
    """One line for each test."""
    widths = {"test": 18, "endpoint": 12, "versions": 12}
    shown = table("test", "endpoint", "kind", "status", "versions", "outcome", "started", "ended", widths=widths)
    for test in tests:
        versions = ", ".join(f"{arm.name} ({arm.version})" for arm in test.arms)
        ended = when(test.ended) if test.ended else ""
        shown.add_row(
            test.name, test.endpoint, test.kind, test.status, versions, test.outcome or "", when(test.started), ended
        )
    return shown


def online_test(test: "OnlineTest") -> RenderableType:
    """What is compared, by what, and in which phases."""
    facts = {
        "endpoint": test.endpoint,
        "kind": test.kind,
        "status": test.status + (f", {test.outcome}: {test.reason}" if test.outcome else ""),
        "versions": ", ".join(f"{arm.name} = {arm.model}/{arm.version}" for arm in test.arms),
        "design": f"{test.design.kind}, alpha {test.design.alpha:g}"
        + (f", {test.design.n:,} units of each variant" if test.design.n else ""),
        "decision": str(test.decision),
    }
    metrics = table("metric", "role", "kind", "of", "margin", "window", "maturity", "covariate")
    for metric in test.metrics:
        of = metric.numerator + (f" / {metric.denominator}" if metric.denominator else "")
        margin = f"{metric.margin:g}" if metric.margin is not None else ""
        metrics.add_row(
            metric.name, metric.role, metric.kind, of, margin, metric.window, metric.maturity or "", metric.covariate
        )
    phases = table("phase", "weights", "takes part", "from", "to")
    for phase in test.phases:
        weights = ":".join(map(str, phase.weights))
        ended = when(phase.ended) if phase.ended else ""
        phases.add_row(str(phase.phase), weights, f"{phase.coverage / 100:g}%", when(phase.started), ended)
    return Group(pairs(facts, title=test.name, width=100), metrics, phases)


def reading_of_test(reading: "TestReading") -> RenderableType:
    """The verdict, why nothing may be decided, then the metrics of each version."""
    head = Text.assemble((reading.test, "bold"), ": ", (reading.outcome, f"bold {_COLOURS[reading.outcome]}"))
    lines = [head, *map(Text, reading.words), *(Text(f"held: {reason}", "red") for reason in reading.held)]
    columns = ("version", "metric", "champion", "version has", "effect", "from", "to", "p", "units", "says")
    metrics = table(*columns, widths={"version": 10, "metric": 12, "version has": 7, "units": 9, "says": 14})
    for arm in reading.arms:
        for one in arm.metrics:
            metrics.add_row(arm.arm, *_cells(one))
    counts = table("variant", "units", "closed", "changed", "forced rows", "fallback rows")
    for name, own in reading.counts.items():
        if reading.kind == "shadow" and not own.exposed and name == next(iter(reading.counts)):
            continue  # the champion answers the units of all the others
        counts.add_row(name, *(f"{n:,}" for n in (own.exposed, own.closed, own.changed, own.forced, own.fallback)))
    days = f", about {reading.needed_days:g} days more" if reading.needed_days else ""
    foot = f"{reading.design}; phase {reading.phase}; as of {when(reading.as_of)}{days}"
    return Group(*lines, metrics, *_besides(reading), counts, Text(foot, "dim"))


def ended_test(end: "TestEnd") -> RenderableType:
    """How a test ended, and on what it rests."""
    said = f"{end.test} ended: {end.outcome} (decision {end.decision}): {end.reason}"
    lines = [Text(said, _COLOURS[end.outcome]), reading_of_test(end.reading)]
    if end.promotion is not None:
        lines.append(Text(f"{end.promotion.model}/{end.promotion.version} is the champion now"))
    return Group(*lines)


def planned_test(plan: "TestPlan") -> RenderableType:
    """Units and days first, then what each metric needs."""
    days = "no end in sight" if plan.days is None else f"{plan.days:g} days"
    head = (
        f"{plan.units:,} units of each variant, {plan.total:,} in all: {days} at {plan.units_per_day:g} new units a day"
    )
    shown = table("metric", "role", "level", "deviation", "to find", "power", "one look", "times", "units of each")
    for one in plan.metrics:
        shown.add_row(
            one.metric,
            one.role,
            *map(_number, (one.level, one.deviation, one.difference, one.power)),
            f"{one.fixed_units:,}",
            f"{one.inflation:.2f}",
            f"{one.units:,}",
        )
    parts = [Text(head, "bold"), *(Text(f"- {word}") for word in plan.words)]
    return Group(*parts, shown) if plan.metrics else Group(*parts)


def checked_metrics(check: "SelfCheck") -> RenderableType:
    """False positives by units beside those by rows."""
    head = Text.assemble(
        (check.endpoint, "bold"), ": ", (check.outcome, f"bold {_COLOURS[check.outcome]}"),
        f", {check.rounds:,} rounds of {check.looks} looks, {check.design}, from {when(check.since)} on",
    )  # fmt: skip
    shown = table("metric", "units", "false positives", "from", "to", "alpha", "by rows", "from", "to", "says")
    for one in check.metrics:
        rates = (f"{value:.1%}" for value in (one.by_units.rate, one.by_units.low, one.by_units.high))
        rows = (f"{value:.1%}" for value in (one.by_rows.rate, one.by_rows.low, one.by_rows.high))
        shown.add_row(one.metric, f"{one.units:,}", *rates, f"{one.alpha:.1%}", *rows, one.outcome)
    return Group(head, shown)


def shared_out(found: "Reallocation") -> RenderableType:
    """Each variant with its share before and now."""
    shown = table("variant", found.metric, "is the best", "share before", "share now", title=f"phase {found.phase}")
    for name, mean in found.means.items():
        shown.add_row(
            name, _number(mean), f"{found.best[name]:.1%}", f"{found.before[name]:.1%}", f"{found.now[name]:.1%}"
        )
    return shown


def _besides(reading: "TestReading") -> list[RenderableType]:
    """What a shadow says without labels and in pairs; effects by parts of the units."""
    shown: list[RenderableType] = []
    for arm in reading.arms:
        if arm.shift is not None:
            shown.append(Text(_beside(arm.arm, arm.shift)))
        for name, paired in (arm.pairs or {}).items():
            apart = f"; apart it would take {paired.unpaired_units:,} units" if paired.unpaired_units else ""
            exact = (
                ""
                if paired.exact_p is None
                else f"; only one right: {paired.better} to {paired.worse}, p {paired.exact_p:.2g}"
            )
            shown.append(Text(f"{name}: {paired.pairs:,} labelled pairs of {paired.units:,} units{apart}{exact}"))
    if reading.parts:
        parts = table(
            "version", "metric", "part", "units", "effect", "drawn together", "p", "says", title="exploration"
        )
        for part in reading.parts:
            says = "differs from the others" if part.differs else ""
            units = f"{part.units[0]:,} / {part.units[1]:,}"
            numbers = (_number(part.effect), _number(part.shrunk), f"{part.p_value:.2g}")
            parts.add_row(part.arm, part.metric, part.part, units, *numbers, says)
        shown.append(parts)
    return shown


def _beside(arm: str, shift: "Shift") -> str:
    """How a shadow answers beside the champion."""
    if not shift.rows:
        return f"{arm}: the champion has answered no rows since the test began, so there is nothing to compare yet"
    answered = shift.rows - shift.without_shadow
    said = f"{arm} answered {answered:,} of {shift.rows:,} rows"
    said += f", {shift.failed:,} of them with an error" if shift.failed else ""
    if shift.disagreement is None or shift.mean_shift is None:
        return f"{said}; no row has an output of both yet"
    said += f", another decision on {shift.disagreement:.1%}; outputs differ by {_number(shift.mean_shift)}"
    if shift.low is None or shift.high is None:
        return f"{said}, in too few units for an interval"
    return f"{said} [{_number(shift.low)}, {_number(shift.high)}]"


def _cells(one: "MetricReading") -> list[str]:
    return [
        one.metric,
        *(_number(value) for value in (one.champion, one.challenger, one.effect, one.low, one.high)),
        "" if one.p_value is None else f"{one.p_value:.2g}",
        f"{one.units[0]:,} / {one.units[1]:,}",
        one.words.partition(": ")[2],
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
