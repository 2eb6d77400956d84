"""Tables of tests and releases stay readable in a pipe, which has no width of its own."""

import io

import msgspec
from rich.console import Console, RenderableType
from tests.operate.online_tests.online_rows import a_test

from assay.cli.online_tests import online_tests, reading_of_test
from assay.cli.releases import release_list, release_report
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.readings import ArmReading, Counts, MetricReading, Seen, TestReading
from assay.operate.releases.releasing import ReleaseSummary
from assay.operate.releases.reporting import GuardrailReport, ReleaseReport

SENTENCE = "errors for 1,234 of 123,456 units with the challenger, for 1,111 of 654,321 with the champion"
LONG = f"{SENTENCE}; the difference is 0.15% at most, not yet below the margin of 0.10%; {SENTENCE}"
TIME = "2026-01-01T00:00:00.000000Z"
WIDEST = 125


def _printed(shown: RenderableType) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=10_000).print(shown)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_guardrails_fold_their_words_and_lose_none() -> None:
    report = ReleaseReport(
        "r" * 32, "late", "late", 2, 1, "canary:5", "running", "inconclusive", "", TIME, None, [],
        [GuardrailReport("errors", "inconclusive", LONG)], [], "at most 1.00% of releases", None,
    )  # fmt: skip
    lines = _printed(release_report(report))
    assert max(map(len, lines)) <= WIDEST
    assert LONG.split()[-12:] == " ".join(lines).split("at most 1.00%")[0].split()[-12:]


def test_a_list_of_releases_is_no_wider_than_a_terminal() -> None:
    one = ReleaseSummary(
        "r" * 32, "delays-of-flights", 12, 11, "shadow,canary:1,5,25,50,ab", "rolled_back", "canary 25 %", TIME, None,
        LONG,
    )  # fmt: skip
    assert max(map(len, _printed(release_list([one])))) <= WIDEST


def test_tests_and_their_readings_are_no_wider_than_a_terminal() -> None:
    metric = MetricReading(
        "wrong_decisions_of_carriers", "success", 0.123456, 0.123456, -0.0001234, -0.0012345, 0.0012345, 1.2e-12,
        (123_456, 123_457), (1.0, 1.0), better=False, worse=False, outcome="inconclusive",
        words="wrong_decisions_of_carriers: neither better nor worse is proven", needed_units=None,
    )  # fmt: skip
    reading = TestReading(
        "release-0123456789-ab-3", "T", "late", "ab", "running", TIME, "anytime, alpha 0.05", 1, "inconclusive", [], [],
        [ArmReading("challenger-of-late", 2, "inconclusive", "", [metric])], {"champion": Counts(1, 1)},
        0.5, None, None, Seen(),
    )  # fmt: skip
    assert max(map(len, _printed(reading_of_test(reading)))) <= WIDEST
    ended = msgspec.structs.replace(
        a_test(Metric(), challengers=3), name="release-0123456789-ab-3", outcome="inconclusive", ended=TIME
    )
    assert max(map(len, _printed(online_tests([ended])))) <= WIDEST
