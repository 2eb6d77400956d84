"""An online test: its verdict in words, the intervals of all looks, what is still needed, and whether shares hold."""

from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from assay.errors import NotFound
from assay.operate.online_tests.definition import OnlineTest, online_test_of
from assay.operate.online_tests.readings import MetricReading, TestReading
from assay.record.clock import moment
from assay.record.store import Store
from assay.server.pages.line_drawing import Band, Line, Mark, Picture, picture
from assay.server.pages.rendering import render

__all__ = ["show"]

_MOST_LOOKS = 400  # of more every second one, and so on, but always the first and the last


class Course(NamedTuple):
    """The effect on a metric of one challenger, look by look."""

    arm: str
    metric: str
    drawing: Picture


def show(store: Store, request: Request) -> Response:
    """A test by its id."""
    test = _test(store, request.path_params["test_id"])
    readings = _readings(store, test.test_id)
    last = readings[-1] if readings else None
    return render(
        store,
        request,
        "online_test.html",
        title=f"Test {test.name}",
        place="/endpoints",
        test=test,
        reading=last,
        looks=store.query("test_reading", {"test_id": test.test_id}, order_by=["-seq"], limit=1),
        courses=_courses(test, readings),
        live=test.status == "running",
    )


def _test(store: Store, asked: str) -> OnlineTest:
    rows = store.query("online_test", {"test_id": asked})
    if not rows:
        raise NotFound(f"no test has the id {asked}", where=store.location, hint="the endpoint's page lists them")
    return online_test_of(store, rows[0])


def _readings(store: Store, test_id: str) -> list[TestReading]:
    """Looks in the order of the moments they are about, thinned out where there are many."""
    rows = store.query("test_reading", {"test_id": test_id}, order_by=["as_of", "seq"])
    step = len(rows) // _MOST_LOOKS + 1
    kept = [row for place, row in enumerate(rows) if place % step == 0 or place == len(rows) - 1]
    return [msgspec.json.decode(row["detail"], type=TestReading) for row in kept]


def _courses(test: OnlineTest, readings: list[TestReading]) -> list[Course]:
    if len(readings) < 2:
        return []
    since, until = moment(readings[0].as_of), moment(readings[-1].as_of)
    found = []
    for arm in readings[-1].arms:
        for metric in arm.metrics:
            seen = [(moment(one.as_of), _of(one, arm.arm, metric.metric)) for one in readings]
            known = [(at, one) for at, one in seen if one is not None]
            bounded = [(at, one.low, one.high) for at, one in known if one.low is not None and one.high is not None]
            margin = test.metric(metric.metric).margin
            marks = [Mark("no difference", value=0.0)]
            if margin is not None and metric.role == "guardrail":
                marks.append(Mark("margin", value=-margin * test.metric(metric.metric).sign))
            drawing = picture(
                [Line(metric.metric, [(at, one.effect) for at, one in known])],
                said=_said(arm.arm, metric),
                since=since,
                until=until,
                bands=[Band(bounded)],
                marks=marks,
                from_zero=False,
            )
            if drawing is not None:
                found.append(Course(arm.arm, metric.metric, drawing))
    return found


def _of(reading: TestReading, arm: str, metric: str) -> MetricReading | None:
    return next(
        (one for found in reading.arms if found.arm == arm for one in found.metrics if one.metric == metric), None
    )


def _said(arm: str, metric: MetricReading) -> str:
    if metric.effect is None:
        return f"{metric.metric} of {arm}: nothing is known yet"
    between = "" if metric.low is None or metric.high is None else f", between {metric.low:.4g} and {metric.high:.4g}"
    return (
        f"{metric.metric} of {arm} minus the champion's: {metric.effect:.4g}{between}, over {sum(metric.units):,} units"
    )
