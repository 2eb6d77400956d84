"""`assay test status`: a look at a test, now or as of a moment, and what is still needed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operate.online_tests.definition import OnlineTest, all_tests, find_test
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.exploring import explore
from assay.operate.online_tests.gathering import gather
from assay.operate.online_tests.judging import Effects, effects_of, held_because, judged_arms, look_at
from assay.operate.online_tests.pairing import Pairs, gather_pairs
from assay.operate.online_tests.readings import ArmReading, Outcome, Seen, TestReading, keep_reading, seen_before
from assay.operation import operation
from assay.record.clock import iso, written_moment
from assay.record.store import Store

__all__ = ["judge", "judge_pairs", "list_tests", "look_at_test", "read_test", "settled", "show_test"]

_DAY_US = 86_400_000_000
_SETTLES = timedelta(seconds=2)  # more than lies between the time of a row and its being in the log


@operation("test ls")
def list_tests(store: Store, *, endpoint: Annotated[str | None, "Only of this endpoint"] = None) -> list[OnlineTest]:
    """List online tests, newest first."""
    return all_tests(store, endpoint)


@operation("test show")
def show_test(store: Store, test: str | None = None) -> OnlineTest:
    """Show a test as it was written down, with its phases; the newest one where none is named."""
    return find_test(store, test)


@operation("test status")
def look_at_test(
    store: Store,
    test: str | None = None,
    *,
    as_of: Annotated[
        str | None, "What was known at this moment, such as 2026-03-01T12:00Z; nothing is recorded"
    ] = None,
    by: Annotated[str | None, "Also the effects by the values of this input column, as exploration"] = None,
) -> TestReading:
    """Look at a test: effects with their intervals, the verdict, and what is still needed.

    A look now is recorded, and later looks build on it. Looking is free: at any time with the design anytime, and
    between planned looks nothing is decided.
    """
    found = find_test(store, test)
    when = settled(store) if as_of is None else _moment(as_of)
    parts = explore(store, found, when, by) if by is not None else None
    reading = read_test(store, found, when)
    kept = reading if as_of is not None else keep_reading(store, reading)
    return msgspec.structs.replace(kept, parts=parts)


def settled(store: Store) -> datetime:
    """The latest moment of which all is on record: requests that are answered right now may still be written down.

    So a look of now can be repeated later, and sees the same.
    """
    return store.clock.event or store.clock.now() - _SETTLES


def read_test(store: Store, test: OnlineTest, as_of: datetime) -> TestReading:
    """A look at what was known at `as_of`, built on the looks before it; the same whenever it is done again."""
    seen = seen_before(store, test.test_id, iso(as_of))
    if test.kind != "shadow":
        return judge(test, gather(store, test, as_of), seen, iso(as_of))
    return judge_pairs(test, gather_pairs(store, test, as_of), seen, iso(as_of))


def judge_pairs(test: OnlineTest, pairs: Pairs, seen: Seen, as_of: str) -> TestReading:
    """A look at a shadow test from its pairs; `seen` takes in this look."""
    reading = judge(test, pairs.evidence, seen, as_of, pairs.effects)
    arms = [
        msgspec.structs.replace(arm, shift=pairs.shifts[arm.arm], pairs=pairs.labelled[arm.arm]) for arm in reading.arms
    ]
    return msgspec.structs.replace(reading, arms=arms)


def judge(test: OnlineTest, evidence: Evidence, seen: Seen, as_of: str, effects: Effects | None = None) -> TestReading:
    """The same from the evidence itself, and the effects of pairs where there are any; `seen` takes in this look."""
    held = held_because(test, evidence, seen)
    effects = effects_of(test, evidence) if effects is None else effects
    look_at(test, effects, seen)
    arms = judged_arms(test, evidence, effects, seen, held)
    counts = evidence.counts(test)
    outcome = _together([arm.outcome for arm in arms])
    open_metrics = [one for arm in arms for one in arm.metrics if one.outcome == "inconclusive"]
    missing = [one.needed_units for one in open_metrics]
    needed = None if None in missing else max((one for one in missing if one is not None), default=0)
    needed = 0 if outcome != "inconclusive" else needed
    return TestReading(
        test=test.name,
        test_id=test.test_id,
        endpoint=test.endpoint,
        kind=test.kind,
        status=test.status,
        as_of=as_of,
        design=_design(test),
        phase=test.phases[-1].phase,
        outcome=outcome,
        words=_words(arms, held, needed, outcome),
        held=held,
        arms=arms,
        counts=counts,
        srm_p=seen.srm_p,
        needed_units=needed,
        needed_days=_days(test, evidence, needed),
        seen=seen,
    )


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """Of several challengers one that passes is enough; the test fails when all of them do."""
    if "pass" in outcomes:
        return "pass"
    return "fail" if outcomes and set(outcomes) == {"fail"} else "inconclusive"


def _words(arms: Sequence[ArmReading], held: Sequence[str], needed: int | None, outcome: Outcome) -> list[str]:
    words = [f"{arm.outcome}: {arm.words}" for arm in arms]
    if held or outcome != "inconclusive":
        return words
    if needed is None:
        return [*words, "as it is measured now, no number of units would decide it"]
    return (
        [*words, f"about {needed:,} more units would decide it, if all stays as it is measured now"]
        if needed
        else words
    )


def _days(test: OnlineTest, evidence: Evidence, needed: int | None) -> float | None:
    """Days until so many more units are closed, at the rate at which they came so far."""
    if needed is None or evidence.begun_us is None:
        return None
    if needed == 0:
        return 0.0
    exposed = sum(evidence.exposed.values())
    lasted = max(evidence.as_of_us - evidence.begun_us, 1)
    closed = len(test.arms) * min((counts.closed for counts in evidence.counts(test).values()), default=0)
    coming = max(0, needed - max(0, exposed - closed))
    closes = max(metric.window_us + metric.maturity_us for metric in test.metrics)
    return round((coming / exposed * lasted + closes) / _DAY_US, 2)


def _design(test: OnlineTest) -> str:
    design = test.design
    if design.kind == "anytime":
        return f"anytime, alpha {design.alpha:g}"
    looks = f"{design.looks} looks on the way to" if design.kind == "group" else "one look at"
    return f"{looks} {design.n:,} units of each variant, alpha {design.alpha:g}"


def _moment(text: str) -> datetime:
    found = written_moment(text)
    if found is None:
        raise InvalidInput(f"{text!r} is no moment", expected="such as 2026-03-01 or 2026-03-01T12:00Z")
    return found
