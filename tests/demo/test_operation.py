"""Turns of the loop on an eighth of the flights and a few days, in this process; the server is a real one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import cast

import msgspec
import pyarrow as pa
import pytest
from tests.operate.serving_helpers import add_version

from assay.cli.render import show
from assay.demo import again, data, live, operation
from assay.demo.again import TRAFFIC_DAYS, Candidates, promote_live
from assay.demo.first import prepare_data
from assay.demo.operation import DemoResult, demo
from assay.demo.replay import Replay
from assay.demo.turn import FAST, Size, Turn
from assay.errors import InvalidInput, Refused
from assay.operate.monitors.kinds.promised import Reference
from assay.operate.monitors.records import find_monitor
from assay.operate.monitors.versions import standing
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.reading import read_all
from assay.operate.releases.rules import Exposure, Limit, Rules
from assay.operate.triggers.firing import fire_by_hand
from assay.operate.windows import ServingDays
from assay.progress import listening
from assay.prove.gate import GateResult
from assay.prove.policy import parse_policy
from assay.prove.promotion import promote
from assay.record import soundness
from assay.record.location import open_store
from assay.record.sqlstore import SqlStore

POLICY = parse_policy('name = "p"\n[metrics.brier]\nmargin = 0.01\n', "policy.toml")
STAGES = ["data", "train", "gate", "serve", "retrain", "promote", "report"]


@dataclass
class Turned:
    """Two turns in one store: the first runs to the last day, in the second the monitor alarms."""

    store: SqlStore
    quiet: DemoResult
    alarmed: DemoResult
    told: list[tuple[str, float, str]]
    journal: list[list[str]]


@pytest.fixture(scope="module")
def turned(some_flights: pa.Table, weather: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turned]:
    folder = tmp_path_factory.mktemp("demo")
    tables = {"flights": some_flights, "weather": weather}
    told: list[tuple[str, float, str]] = []
    store = open_store(folder / "store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "read", tables.__getitem__)
        patch.setattr(operation, "FAST", Size(0.8, 0.5, ("small",), 100))
        patch.setattr(
            again, "RULES", Rules(guardrails=("errors",), errors=Limit(0.5), exposure=Exposure(units=5), count="row")
        )
        patch.setattr(live, "LAST_DAY", date(2013, 8, 8))
        with listening(lambda *said: told.append(said)):
            quiet = demo(store, fast=True, report=str(folder / "quiet.html"), journal=str(folder / "journal"))
        patch.setattr(live, "LAST_DAY", date(2013, 9, 10))
        patch.setattr(live, "of_windows", lambda *_, **__: Reference(0.95, 0.94, 60))
        alarmed = demo(store, fast=True, report=str(folder / "alarmed.html"))
    journal = [line.split(" ", 1) for line in (folder / "journal").read_text().splitlines()]
    yield Turned(store, quiet, alarmed, told, journal)
    store.close()


def test_a_turn_goes_through_every_stage_and_ends_each(turned: Turned) -> None:
    assert list(dict.fromkeys(stage for stage, _, _ in turned.told)) == STAGES
    assert [stage for stage, share, _ in turned.told if share == 1.0] == STAGES
    assert all(0 <= share <= 1 for _, share, _ in turned.told)


def test_without_an_alarm_the_schedule_retrains(turned: Turned) -> None:
    found = turned.quiet
    assert found.model == "flights-late"
    assert found.decay is not None
    assert found.retrained is not None
    assert (found.decay.alarm_day, found.retrained.trigger_type) == (None, "schedule")
    assert turned.store.query("alert", {"message prefix": "daily AUC of flights-late is"}) == []
    assert len(found.retrained.candidates) == 2


def test_an_alarm_retrains_by_the_performance_trigger(turned: Turned) -> None:
    found = turned.alarmed
    assert found.model == "flights-late-2"
    assert found.decay is not None
    assert found.retrained is not None
    assert found.decay.alarm_day is not None
    assert found.retrained.trigger_type == "performance"
    alert = turned.store.query("alert", order_by=["ts"])[0]
    assert (alert["action"], alert["linked_run"]) == ("retrained", found.retrained.run_id)
    assert alert["opened"] <= alert["acked"] <= alert["closed"]
    where: dict[str, object] = {"model": found.model, "kind": "performance"}
    watched = turned.store.query("monitor", where, order_by=["ts"])[0]
    state = standing(turned.store, find_monitor(turned.store, watched["monitor_id"]))
    assert (state.alarm, state.windows) == (found.decay.alarm_day, found.decay.days)


def test_of_a_week_or_two_no_drift_is_told(turned: Turned) -> None:
    assert (turned.quiet.moved, turned.alarmed.moved) == (None, None)


def test_one_candidate_was_promoted_under_traffic_and_the_way_back_rehearsed(turned: Turned) -> None:
    for found in (turned.quiet, turned.alarmed):
        assert found.promoted is not None
        assert found.retrained is not None
        assert found.promoted.version in found.retrained.candidates
        assert found.promoted.failed_requests == 0
        assert found.rollback_seconds is not None
        assert 0 < found.rollback_seconds < 5
        causes = [
            row["cause"] for row in turned.store.query("deployment", {"model": found.model}, order_by=["started"])
        ]
        assert causes == ["change", "change", "drill", "drill"]
    assert [row["result"] for row in turned.store.query("drill")] == ["pass", "pass"]


def test_steps_of_the_second_turn_are_remembered(turned: Turned) -> None:
    def states(model: str) -> list[tuple[str, str]]:
        runs = [row["run_id"] for row in turned.store.query("run", {"model": model}, order_by=["started"])]
        return [(s["name"], s["state"]) for run in runs for s in turned.store.query("step", {"run_id": run})]

    assert ("derive_features", "done") in states("flights-late")
    assert ("derive_features", "cached") in states("flights-late-2")
    assert ("train", "cached") in states("flights-late-2")
    assert turned.alarmed.dataset.hash == turned.quiet.dataset.hash


def test_what_was_acknowledged_is_there(turned: Turned) -> None:
    logged = {one.id for one in read_all(log_folder(turned.store, "flights-late"))}
    told = {kind: {key for k, key in turned.journal if k == kind} for kind, _ in turned.journal}
    assert told["prediction"] <= logged
    assert len(told["prediction"]) == turned.quiet.predictions_logged == len(logged)
    for kind, column in (("run", "run_id"), ("artifact", "artifact_id"), ("gate", "id"), ("ledger", "seq")):
        assert told[kind] <= {str(row[column]) for row in turned.store.query(kind)}
    assert 0 < turned.quiet.labels_joined <= len(told["label"])
    assert soundness.check(turned.store).problems == []


def test_the_store_is_the_callers_again(turned: Turned) -> None:
    assert turned.store.clock.event is None
    assert turned.store.observer is None
    assert turned.store.actor.name != "demo"
    assert {row["actor"] for row in turned.store.query("run")} == {"demo"}


def test_the_report_is_written(turned: Turned) -> None:
    for found in (turned.quiet, turned.alarmed):
        assert Path(found.report).read_text().startswith("<!")


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_bad_place_or_seed_is_refused_before_anything_is_recorded(store: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="seed is -1"):
        demo(store, seed=-1)
    for report in (tmp_path, tmp_path / "no" / "folder.html"):
        with pytest.raises(InvalidInput, match="the report cannot be written"):
            demo(store, report=str(report))
    with pytest.raises(InvalidInput, match="the journal cannot be written"):
        demo(store, journal=str(tmp_path), report=str(tmp_path / "report.html"))
    assert store.query("run") == []
    assert (store.clock.event, store.actor.name != "demo") == (None, True)


def test_data_that_is_not_as_expected_stops_the_turn(
    store: SqlStore, some_flights: pa.Table, weather: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = some_flights.slice(0, 1000)
    wrong = few.set_column(few.column_names.index("origin"), "origin", pa.array(["XYZ"] * 1000))
    monkeypatch.setattr(data, "read", {"flights": wrong, "weather": weather}.__getitem__)
    turn = Turn(store, "flights-late", 0, FAST, POLICY)
    with pytest.raises(Refused, match=r"the data does not meet 1 expectation\(s\)\n  where: .*origin") as caught:
        prepare_data(turn)
    assert len(str(caught.value).splitlines()) <= 5
    (run,) = store.query("run")
    assert run["status"] == "failed"


class Silent:
    """A replay of which nothing is asked."""

    sent = 0

    def send_day(self, day: date) -> None:
        self.sent += 1


def test_without_a_candidate_that_may_go_live_the_champion_stays(store: SqlStore) -> None:
    versions = [add_version(store, model="flights-late") for _ in range(3)]
    promote(store, "flights-late", 1, override="a test")
    turn = Turn(store, "flights-late", 0, FAST, POLICY)
    verdict = cast(GateResult, None)
    fired = fire_by_hand(store, "flights-late", "flights", "a test")
    candidates = Candidates(fired.fire_id, pa.table({}), [(v, verdict) for v in versions[1:]])
    told: list[str] = []
    replay = Silent()
    with listening(lambda stage, share, detail: told.append(detail)):
        promoted, drill = promote_live(
            turn,
            candidates,
            date(2013, 11, 7),
            replay=cast(Replay, replay),
            days=cast(ServingDays, None),
            url="http://127.0.0.1:9",
        )
    assert (promoted, drill) == (None, None)
    assert replay.sent == TRAFFIC_DAYS, "the traffic went on"
    assert told == ["nothing to promote"]
    assert [row["version"] for row in store.query("model_version")] == [1, 2, 3]
    assert len(store.query("alias_move")) == 1


def test_the_table_leaves_out_what_has_not_happened(turned: Turned, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = dict.fromkeys(["decay", "retrained", "refused", "beside", "promoted", "rollback_seconds"])
    show(msgspec.structs.replace(turned.quiet, **nothing), as_json=False)
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith(" ") and line.strip()]
    assert [row for row in rows if row.isalpha()] == ["what", "data", "runs", "champion", "serving", "ledger"]
    show(turned.quiet, as_json=False)
    assert "alarm on no day" in capsys.readouterr().out


def test_a_result_is_a_summary_with_its_time_and_report(turned: Turned) -> None:
    assert turned.quiet.seconds > 0
    assert {"seconds", "report", "refused", "beside", "promoted"} <= msgspec.to_builtins(turned.quiet).keys()
