"""`assay test ramp` and `assay test stop`: other shares, and the end of a test with what came of it."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from assay.build.data.words import names_in
from assay.errors import Conflict, InvalidInput, Refused
from assay.operate.online_tests.definition import OnlineTest, find_test
from assay.operate.online_tests.readings import TestReading, keep_reading
from assay.operate.online_tests.starting import CHAMPION_SHADOW, add_phase, coverage_of
from assay.operate.online_tests.status import read_test, settled
from assay.operate.routing.changing import end_split, set_shadows
from assay.operation import operation
from assay.prove.promotion import Promotion, go_live
from assay.record.clock import iso
from assay.record.ledger import decide
from assay.record.models.routes import current_route
from assay.record.store import Store

__all__ = ["TestEnd", "end_test", "mark_stopped", "ramp_test", "running_test", "stop_test"]


class TestEnd(msgspec.Struct, frozen=True):
    """How a test ended: its last reading, the decision, and the promotion if there was one."""

    __test__ = False  # pytest takes it for tests otherwise

    test: str
    test_id: str
    outcome: str
    reason: str
    decision: int
    reading: TestReading
    promotion: Promotion | None = None


@operation("test ramp")
def ramp_test(
    store: Store,
    test: str,
    *,
    share: Annotated[float | None, "Share of all units that each version answers"] = None,
    coverage: Annotated[float | None, "Share of all units that take part"] = None,
    weights: Annotated[str | None, "Whole numbers for champion and versions; as before by default"] = None,
) -> OnlineTest:
    """Change how many units take part in a test: a new phase, which the analysis keeps apart from the others.

    With the weights as they are no unit that takes part already changes its variant.
    """
    found = running_test(store, test)
    if found.kind == "shadow":
        raise InvalidInput(f"{found.name} is a shadow test: it gets a copy of every request", hint="assay test stop")
    if share is None and coverage is None and weights is None:
        raise InvalidInput("nothing would change", expected="--share, --coverage or --weights")
    shares = found.phases[-1].weights
    if weights is not None:
        given = names_in(weights)
        if not all(one.isdecimal() for one in given) or len(given) != len(shares):
            raise InvalidInput(f"the weights are {weights!r}", expected=f"{len(shares)} whole numbers, such as 1,1")
        shares = tuple(int(one) for one in given)
    covered = found.phases[-1].coverage
    if share is not None or coverage is not None:
        covered = coverage_of(coverage, share, shares)
    return add_phase(store, found, shares, covered, reason=f"test {found.name} has other shares")


@operation("test stop")
def end_test(
    store: Store,
    test: str,
    *,
    reason: Annotated[str, "Why, for the ledger"] = "stopped",
    promote: Annotated[bool, "Make the version that passed the champion"] = False,
    keep: Annotated[bool, "Leave the traffic shared out as it is"] = False,
) -> TestEnd:
    """End a test: a last look is recorded with the outcome, and the champion answers everything again."""
    if promote and keep:
        raise InvalidInput("a promotion does not leave the traffic as it is", expected="--promote or --keep")
    return stop_test(store, running_test(store, test), reason=reason, promoted=promote, keep=keep)


def stop_test(store: Store, test: OnlineTest, *, reason: str, promoted: bool = False, keep: bool = False) -> TestEnd:
    """The same for a test at hand. Refused where the version to be promoted did not pass; then the test goes on."""
    reading = read_test(store, test, settled(store))
    with store.transaction():
        reading = keep_reading(store, reading)
        passed = [arm for arm in reading.arms if arm.outcome == "pass"]
        if promoted and len(passed) != 1:
            raise Refused(
                f"{len(passed)} versions passed the test {test.name!r}",
                where=reading.words[0] if reading.words else None,
                expected="one that passed",
                hint="assay promote MODEL VERSION --override REASON",
            )
        said = {"test": test.test_id, "outcome": reading.outcome, "reading": reading.seq, "as_of": reading.as_of}
        decision = decide(store, "test", test.name, {**said, "reason": reason, "words": reading.words})
        if not keep:
            _restore(store, test, f"test {test.name} ended: {reason}")
        mark_stopped(store, test, reading.outcome, reason, expect={"status": "running"})
        promotion = None
        if promoted:
            arm = next(arm for arm in test.arms if arm.name == passed[0].arm)
            because = f"test {test.name} passed, reading {reading.seq}"
            promotion = go_live(store, arm.model, arm.version, proof=because)
        return TestEnd(test.name, test.test_id, reading.outcome, reason, decision, reading, promotion)


def mark_stopped(
    store: Store, test: OnlineTest, outcome: str, reason: str, *, expect: Mapping[str, object] | None = None
) -> None:
    """Write that a test and its phase have ended; Conflict where the test is not as `expect` says."""
    now = iso(store.clock.latest())
    ended = {"status": "stopped", "ended": now, "outcome": outcome, "reason": reason}
    store.amend("online_test", {"test_id": test.test_id}, ended, expect=expect)
    store.amend("test_phase", {"test_id": test.test_id, "phase": test.phases[-1].phase}, {"ended": now})


def running_test(store: Store, test: str | None) -> OnlineTest:
    """A test that has not ended; Conflict for one that has."""
    found = find_test(store, test)
    if found.status != "running":
        raise Conflict(f"test {found.name!r} ended at {found.ended}", hint="assay test ls")
    return found


def _restore(store: Store, test: OnlineTest, reason: str) -> None:
    """The champion alone, as before the test; shadows of others stay. Nothing where the route is another's by now."""
    route = current_route(store, test.endpoint)
    own = {*test.names[1:], CHAMPION_SHADOW} if test.kind == "shadow" else {CHAMPION_SHADOW}
    others = [one for one in route.shadows if one.name not in own]
    if route.split is not None and route.split.experiment == test.test_id:
        end_split(store, test.endpoint, kind="test", reason=reason, expect=route.revision)
        if others:
            set_shadows(store, test.endpoint, others, kind="test", reason=reason)
    elif len(others) < len(route.shadows):
        set_shadows(store, test.endpoint, others, kind="test", reason=reason, expect=route.revision)
