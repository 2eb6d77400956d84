"""What steps read outside, and how long their results are good."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assay.build.steps.outside import checked_fresh_for, in_words
from assay.build.steps.pipeline import pipeline
from assay.build.steps.step import step
from assay.build.steps.why import why
from assay.errors import InvalidInput, NotFound
from assay.record.clock import Clock
from assay.record.sqlstore import SqlStore
from assay.record.store import Row
from assay.record.tracking.runs import start_run

Wait = Callable[[timedelta], None]
OUTSIDE: dict[str, Any] = {}


class Hidden:
    """What the world says; its pickle is always the same, so that it is no part of a key by itself."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return (Hidden, ())

    def __call__(self) -> Any:
        found = self.world["orders"]
        if isinstance(found, Exception):
            raise found
        return found

    @property
    def world(self) -> dict[str, Any]:
        return OUTSIDE


@step(reads={"orders": Hidden(), "day": date(2026, 1, 1)})
def report() -> int:
    return 1


@step(fresh_for="1d")
def rates(currency: str) -> str:
    return currency.lower()


@step
def taken(rate: str) -> str:
    return rate


@pipeline
def quoted(*currencies: str) -> list[str]:
    return [taken(rates(one)) for one in currencies]


def states(store: SqlStore, call: Callable[[], object]) -> list[str]:
    """How the steps of a run ended that makes one call."""
    with start_run(store, "outside") as run:
        call()
    return [row["state"] for row in store.query("step", {"run_id": run.run_id}, order_by=["started", "step_id"])]


def last(store: SqlStore, name: str) -> Row:
    return store.query("step", {"name": name}, order_by=["-started", "-step_id"], limit=1)[0]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Lets time pass, as everybody reads it."""
    passed = [timedelta(0)]
    monkeypatch.setattr(Clock, "now", lambda _: datetime.now(UTC) + passed[0])

    def pass_by(length: timedelta) -> None:
        passed[0] += length

    return pass_by


def test_what_is_read_counts_by_its_state_and_is_named_where_it_changed(store: SqlStore) -> None:
    OUTSIDE["orders"] = (2, "2026-01-02")
    assert states(store, report) == ["done"]
    assert states(store, report) == ["cached"]
    OUTSIDE["orders"] = (3, "2026-01-02")
    assert states(store, report) == ["done"]
    (reason,) = why(store, "report").reasons
    before, _, after = reason.removeprefix("read `orders` ").partition(" -> ")
    assert reason.startswith("read `orders` ")
    assert len(before) == len(after) == 4
    assert before != after
    OUTSIDE["orders"] = (2, "2026-01-02")
    assert states(store, report) == ["cached"]


def test_a_state_that_cannot_be_learned_fails_the_step_and_names_it(store: SqlStore) -> None:
    OUTSIDE["orders"] = OSError("the table is away")
    with pytest.raises(
        InvalidInput, match=r"report: the state of orders cannot be learned: OSError: the table is away"
    ):
        states(store, report)

    @pipeline
    def nightly() -> int:
        return report()

    with pytest.raises(InvalidInput, match="orders cannot be learned"):
        nightly.options(store=store)()
    assert store.query("step") == []


def test_functions_count_by_name_and_tokens_by_place(store: SqlStore) -> None:
    def orders() -> int:
        return 1

    def made(*reads: object) -> Callable[[], int]:
        @step(reads=[*reads])
        def work() -> int:
            return 1

        return work

    assert [states(store, made(*reads)) for reads in ([orders, "v1"], [orders, "v1"], [orders, "v2"], [orders])] == [
        ["done"],
        ["cached"],
        ["done"],
        ["done"],
    ]
    assert why(store, "work").reasons[0].startswith("read `2` ")
    assert why(store, "work").reasons[0].endswith(" -> none")


def test_a_result_that_is_older_than_it_may_be_counts_as_not_there(store: SqlStore, wait: Wait) -> None:
    assert states(store, lambda: rates("EUR")) == ["done"]
    wait(timedelta(hours=23))
    assert states(store, lambda: rates("EUR")) == ["cached"]
    wait(timedelta(hours=2))
    assert states(store, lambda: rates("EUR")) == ["done"]
    assert last(store, "rates")["reason"] == "computed again: older than 1 day"
    assert why(store, "rates").reasons == ["computed again: older than 1 day"]
    assert states(store, lambda: rates("EUR")) == ["cached"]


def test_in_a_pipeline_what_is_too_old_is_computed_once(store: SqlStore, wait: Wait) -> None:
    pipe = quoted.options(store=store, executor="inline")

    def ran() -> list[tuple[str, str]]:
        assert pipe("EUR", "EUR") == ["eur", "eur"]
        (run,) = store.query("run", order_by=["-started"], limit=1)
        return sorted((row["name"], row["state"]) for row in store.query("step", {"run_id": run["run_id"]}))

    remembered = [("rates", "cached"), ("rates", "cached"), ("taken", "cached"), ("taken", "cached")]
    ran()
    wait(timedelta(hours=1))
    assert ran() == remembered
    wait(timedelta(days=2))
    assert ran() == [("rates", "cached"), ("rates", "done"), *remembered[2:]]
    wait(timedelta(days=2))
    with pytest.raises(NotFound, match="rates is not remembered, and only taken may run"):
        pipe.options(only="taken")("EUR")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("fresh_for", "1 days", "fresh_for is '1 days'"),
        ("fresh_for", "0d", "fresh_for is '0d'"),
        ("fresh_for", "d", "fresh_for is 'd'"),
        ("fresh_for", "", "fresh_for is ''"),
        ("fresh_for", "9999999d", "fresh_for is '9999999d'"),
        ("fresh_for", 60, "fresh_for is 60"),
        ("fresh_for", timedelta(seconds=-1), "fresh_for is datetime.timedelta(days=-1, seconds=86399)"),
        ("reads", "orders", "reads is 'orders'"),
        ("reads", [lambda: 1], "reads: number 1 has no name"),
        ("reads", [max, max], "reads: 'max' is there twice"),
        ("reads", {1: "a"}, "reads: 1 is no name"),
        ("reads", [Path.exists], "reads: exists cannot be called: missing a required argument: 'self'"),
        ("reads", {"lock": (_ for _ in range(1))}, "@assay.step: reads: lock is a generator, which cannot be kept"),
    ],
)
def test_options_that_make_no_sense_are_refused(option: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        step(**{option: value})
    assert raised.value.what == said
    assert (raised.value.hint == 'fresh_for="1d"') == (value == "1 days")


def test_what_is_never_remembered_has_no_age() -> None:
    with pytest.raises(InvalidInput, match="cache=False"):
        step(fresh_for="1d", cache=False)


def test_lengths_are_said_in_the_greatest_whole_unit() -> None:
    texts = ["90s", "30m", "24h", "1d", "14d", "3w"]
    found = [in_words(length) for length in map(checked_fresh_for, texts) if length is not None]
    assert found == ["90 seconds", "30 minutes", "1 day", "1 day", "2 weeks", "3 weeks"]
    assert in_words(timedelta(milliseconds=1500)) == "1.5 seconds"


def test_a_run_that_is_resumed_keeps_its_own_results_however_old(store: SqlStore, wait: Wait) -> None:
    OUTSIDE["away"] = True

    @step(cache=False)
    def sent(rate: str) -> str:
        if Hidden().world["away"]:
            raise OSError("away")
        return rate

    @pipeline
    def nightly() -> str:
        return sent(rates("USD"))

    pipe = nightly.options(store=store, executor="inline")
    with pytest.raises(OSError, match="away"):
        pipe()
    (run,) = store.query("run")
    wait(timedelta(days=2))
    OUTSIDE["away"] = False
    assert pipe.options(resume=run["run_id"])() == "usd"
    assert [row["state"] for row in store.query("step", {"name": "rates"}, order_by=["started"])] == ["done", "cached"]
    assert pipe() == "usd"
    assert last(store, "rates")["reason"] == "computed again: older than 1 day"
