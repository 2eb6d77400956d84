from collections.abc import Callable

import pytest
from tests.operate.releases.release_worlds import BROKEN, ENDPOINT, SOON, World, versions

from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.starting import new_test
from assay.operate.online_tests.stopping import stop_test
from assay.operate.releases.starting import start_release
from assay.operate.releases.ticking import Ticker
from assay.record import ledger
from assay.record.sqlstore import SqlStore

Meddle = Callable[[SqlStore, str], None]
ERRORS = Metric(name="errors", numerator="error", role="guardrail", margin=0.05, window="0s")
OUTPUT = Metric(name="output", numerator="output", direction="up", window="0s")


@pytest.fixture
def decided(store: SqlStore) -> SqlStore:
    """A release that was rolled back and a test that was stopped."""
    versions(store)
    world = World(store)
    release = start_release(store, ENDPOINT, 2, strategy="canary:25,50", rules=SOON)
    world.request(300, challenger=BROKEN)
    Ticker(store, release).tick()
    test = new_test(store, ENDPOINT, ["2"], metrics=[OUTPUT, ERRORS], name="clicks")
    world.request(100)
    stop_test(store, test, reason="enough")
    world.log.close()
    assert store.query("rollout", {"status": "rolled_back"})
    return store


def test_releases_and_tests_agree_with_their_decisions(decided: SqlStore) -> None:
    assert ledger.verify(decided).problems == []


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE rollout SET decision = 99", "entry 99 is missing, a record of kind rollout names it"),
        ("UPDATE rollout_event SET decision = 98 WHERE seq = 1", "a record of kind rollout_event names it"),
        ("UPDATE online_test SET decision = 97", "entry 97 is missing, a record of kind online_test names it"),
        (
            "UPDATE rollout_event SET inputs = replace(inputs, '0', '1') WHERE kind = 'rollback'",
            "was decided from is not what entry",
        ),
        (
            "UPDATE online_test SET detail = replace(detail, '0.05', '0.5')",
            "what test clicks measures is not what entry",
        ),
        ("UPDATE online_test SET detail = 'nothing'", "what test clicks measures is not what entry"),
        ("UPDATE online_test SET decision = 1", "the decision behind test clicks is not what entry 1 says"),
        ("UPDATE test_reading SET outcome = 'pass'", "reading 1 of a test is not what entry"),
        ("DELETE FROM test_reading", "reading 1 of a test is missing, entry"),
    ],
)
def test_what_was_changed_after_a_decision_is_found(
    decided: SqlStore, meddle: Meddle, statement: str, problem: str
) -> None:
    meddle(decided, statement)
    found = ledger.verify(decided)
    assert not found.sound
    assert any(problem in told for told in found.problems), found.problems
